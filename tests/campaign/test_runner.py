"""Campaigns: cells, budgets, stops, processes, resuming."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from racebench.campaign import cell_run, pool, resume
from racebench.campaign import runner as campaign
from racebench.campaign.cell import CellResult, Plan
from racebench.campaign.results import read_finding, read_journal, read_run
from racebench.campaign.runner import Options, cells_for, run_campaign
from racebench.campaign.stop import Stop
from racebench.errors import HarnessBug, ResultError, UsageError
from racebench.records import ModeResult, Run
from racebench.scenario.selection import select

from ..fakes import STEPS, Engine, Heard, Here, finding, result, scenario

VERIFY = Plan(("verify",))
PROTOCOLS = ["baseline", "no_rank_lock", "domain_lock"]
ACCOUNT = """\
import os
import select
import sys
import time
import racebench as rb
TITLE, TAGS, EXPECT = "account", [], {"lost": ["account.lost", "data_race"], "kept": []}

class Account(rb.State):
    balance = rb.shared(0)
    def __init__(self):
        self.lock = rb.Lock("account")

def lost(s):
    s.balance += 1

def kept(s):
    with s.lock:
        s.balance += 1

def crash(s):
    os._exit(7)

def hang():
    while True:
        select.select([], [], [], 1)

def hang_on():
    while True:
        try:
            select.select([], [], [], 1)
        except BaseException:
            pass

def wander(s):
    os.chdir("/")
    sys.stdout = sys.stderr = None

def check(s, results):
    return None if s.balance == 2 else rb.broken("account.lost", "a deposit is lost", ("balance",))

def variants():
    functions = {"wander": wander, "lost": lost, "kept": kept, "crash": crash}
    programs = {
        name: rb.Program("account", setup=Account, threads={"a": f, "b": f}, check=check)
        for name, f in functions.items()
    }
    for setup in (hang, hang_on):
        programs[setup.__name__] = rb.Program("account", setup=setup, threads={"a": kept})
    return programs
"""


def play(monkeypatch: pytest.MonkeyPatch, fake: Engine) -> Engine:
    monkeypatch.setattr(cell_run, "modes", fake)
    monkeypatch.setattr(campaign, "Pool", Here)
    return fake


def account(tmp_path: Path) -> Path:
    path = tmp_path / "account.py"
    path.write_text(ACCOUNT)
    return path


def clean(**how: Any) -> Any:
    return result(complete=True, executions=2)


def test_cells_are_scenarios_under_protocols(tmp_path: Path) -> None:
    s = scenario(tmp_path)
    assert [c.name for c in cells_for([s], ["no-rank-lock", "baseline", "baseline"])] == [
        ("two_routes", "no_rank_lock"),
        ("two_routes", "baseline"),
    ]
    assert len(cells_for([s])) == len(s.protocols())


def test_protocols_pick_among_variants(tmp_path: Path) -> None:
    from racebench.scenario.scenario import load_scenario

    both = [scenario(tmp_path), load_scenario(account(tmp_path))]
    assert [c.name for c in cells_for(both, ["baseline", "lost"])] == [
        ("two_routes", "baseline"),
        ("account", "lost"),
    ]
    with pytest.raises(UsageError, match="no cell to run"):
        cells_for([both[1]], ["baseline"])


def test_a_protocol_whose_tree_lacks_an_operation_is_left_out(tmp_path: Path) -> None:
    from racebench.scenario.scenario import load_scenario

    file = tmp_path / "overlay.toml"
    file.write_text('schema = 1\ntitle = "t"\n[threads]\na = ["attach irq=64"]\n[expect]\nhead = []\n')
    overlay = load_scenario(file)
    assert [c.name for c in cells_for([overlay], ["baseline", "head"])] == [("overlay", "head")]
    with pytest.raises(UsageError, match=r"no cell to run: .* what its tree does not have"):
        cells_for([overlay], ["baseline"])


def test_two_protocols_of_one_name_are_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.py").write_text("from racebench.vgic import Baseline as Mine\n")
    with pytest.raises(UsageError, match="two protocols have the same name"):
        cells_for([scenario(tmp_path)], [f"{tmp_path}/a.py:Mine", f"{tmp_path}/b.py:Mine"])


def test_a_run_is_stored_as_it_was_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = result(finding(schedule=STEPS), complete=True)
    play(monkeypatch, Engine(verify=[clean(), found, clean()]))
    heard, out = Heard(), tmp_path / "run"
    run = run_campaign(cells_for([scenario(tmp_path)], PROTOCOLS), Options(VERIFY, out=out), heard)
    assert [c.verdict for c in run.cells] == ["as_expected", "missed", "as_expected"]
    assert run.cells[1].findings == ("findings/0001.json",)
    assert read_run(out).cells == run.cells
    assert [c.protocol for c in read_journal(out).cells.values()] == PROTOCOLS
    path, record = heard.all("finding")[-1]
    assert read_finding(out / path) == record
    assert heard.events[0] == ("started", 3, 30.0)


def test_run_json_has_what_the_contract_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    play(monkeypatch, Engine(verify=clean, stress=lambda **how: result()))
    run_campaign(
        cells_for([scenario(tmp_path)], ["baseline"]), Options(seconds=0.1, out=tmp_path / "r"), Heard()
    )
    run = json.loads((tmp_path / "r" / "run.json").read_text())
    assert {"schema", "racebench", "host", "options", "wall_s", "cells"} <= set(run)
    assert set(run["host"]) == {"python", "gil", "cores", "platform"}
    [c] = run["cells"]
    keys = {"scenario", "protocol", "expected", "allowed", "found", "verdict", "stress", "verify", "findings"}
    assert keys <= set(c)
    assert {"collisions", "failures", "first_failure_s", "seconds", "miss_bound"} <= set(c["stress"])
    assert {"complete", "executions", "preemption_bound", "seconds"} <= set(c["verify"])


def test_without_a_folder_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    play(monkeypatch, Engine(verify=clean))
    monkeypatch.chdir(tmp_path)
    made = cells_for([scenario(tmp_path)], ["baseline"])
    before = set(tmp_path.iterdir())
    run_campaign(made, Options(VERIFY), Heard())
    assert set(tmp_path.iterdir()) == before


def test_the_budget_is_shared_out_and_what_is_left_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]

    class Clock:
        @staticmethod
        def perf_counter() -> float:
            return now[0]

        monotonic = perf_counter

    def verify(seconds: float, **how: Any) -> Any:
        now[0] += 4.0
        return clean()

    monkeypatch.setattr(campaign, "time", Clock)
    monkeypatch.setattr(cell_run, "perf_counter", Clock.perf_counter)
    fake = play(monkeypatch, Engine(verify=verify))
    run_campaign(cells_for([scenario(tmp_path)], PROTOCOLS), Options(VERIFY, seconds=30.0), Heard())
    assert [how["seconds"] for _, how in fake.calls] == [10.0, 13.0, 22.0]


def test_a_stop_keeps_what_is_done_and_resume_does_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop, out = Stop(), tmp_path / "run"

    def interrupted(**how: Any) -> Any:
        with pytest.raises(KeyboardInterrupt):
            stop.ask()
        return result(finding(schedule=STEPS), interrupted=True)

    play(monkeypatch, Engine(verify=[clean(), interrupted]))
    cells = cells_for([scenario(tmp_path)], PROTOCOLS)
    run = run_campaign(cells, Options(VERIFY, out=out), Heard(), stop)
    assert run.interrupted is True
    assert [c.protocol for c in run.cells] == ["baseline", "no_rank_lock"]
    stored = read_journal(out).cells
    assert [name[1] for name, c in stored.items() if not c.partial] == ["baseline"]

    fake = play(monkeypatch, Engine(verify=clean))
    cells, plan, _ = resume.planned(read_journal(out).plan, out)
    run = run_campaign(cells, Options(plan, out=out, resume=True), Heard())
    assert len(fake.calls) == 2
    assert [c.protocol for c in run.cells] == PROTOCOLS
    # The interrupted cell's finding was stored, so it is not lost.
    assert run.cells[1].found == ("mapping.corrupted",)
    assert run.cells[1].findings == ("findings/0001.json",)
    assert read_run(out).interrupted is False


def test_a_bug_of_ours_does_not_lose_what_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    play(monkeypatch, Engine(verify=[clean(), HarnessBug("oops"), clean()]))
    cells = cells_for([scenario(tmp_path)], PROTOCOLS)
    run_campaign(cells, Options(VERIFY, out=tmp_path / "run"), Heard())
    stored = read_run(tmp_path / "run")
    assert [c.error for c in stored.cells] == ["", "RaceBench itself failed: HarnessBug: oops", ""]
    assert [c.failed for c in stored.cells] == [False, True, False]
    assert stored.cells[1].verdict == "unknown"
    assert not stored.interrupted


def test_a_plan_never_runs_code(tmp_path: Path) -> None:
    account(tmp_path)
    plan: dict[str, Any] = {"modes": ["verify"], "seconds": 1.0}
    row = {"scenario": "account", "file": str(tmp_path / "account.py"), "protocol": "lost"}
    with pytest.raises(UsageError, match=r"needs code, .* Name .*account.py again"):
        resume.planned({**plan, "cells": [row]}, tmp_path)
    row = {"scenario": "route_vs_route", "file": "gone.toml", "protocol": "mine.py:Mine"}
    with pytest.raises(UsageError, match=r"--protocol mine\.py:Mine"):
        resume.planned({**plan, "cells": [row]}, tmp_path)
    with pytest.raises(ResultError, match="its plan cannot be read"):
        resume.planned({"modes": 3, "cells": []}, tmp_path)
    with pytest.raises(UsageError, match="does not say what it was to do"):
        resume.planned(None, tmp_path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("seed", v) for v in (None, -1, 1.5, "1", [], 10**13)),
        *(("executions", v) for v in (-1, 2.5, "x", "", [])),
        *(("preemptions", v) for v in (-1, "x", {"a": 1})),
        *(("strategy", v) for v in (None, [], "guess")),
        *(("modes", v) for v in (None, 5, "verify", ["bench"], [[]])),
        *(("seconds", v) for v in (None, -1, float("nan"), float("inf"), 1e300, "x", [])),
        *(("cells", v) for v in (None, 5, [5], [{}])),
        ("cells", [{"scenario": "", "file": "a.toml", "protocol": "baseline"}]),
    ],
)
def test_a_plan_that_no_command_line_could_say_is_refused(tmp_path: Path, key: str, value: Any) -> None:
    good = resume.plan_record([], Plan(seed=1, executions=5), 20.0)
    assert resume.planned(good, tmp_path)[1:] == (Plan(seed=1, executions=5), 20.0)
    with pytest.raises(ResultError, match="its plan cannot be read"):
        resume.planned({**good, key: value}, tmp_path)


@pytest.mark.parametrize("name", ["a\0b", "a\0b.toml", "x" * 5000, "ring"])
def test_a_plan_with_a_file_that_cannot_be_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("ring").symlink_to("ring")
    row = {"scenario": "none", "file": name, "protocol": "baseline"}
    plan = {**resume.plan_record([], VERIFY, 20.0), "cells": [row]}
    with pytest.raises(
        (ResultError, UsageError), match=r"its plan cannot be read|needs code|cannot go on"
    ) as error:
        resume.planned(plan, tmp_path)
    assert str(error.value).startswith(f"{tmp_path}: ")


def test_an_interrupted_cell_is_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stop, out = Stop(), tmp_path / "run"

    def interrupted(**how: Any) -> Any:
        with pytest.raises(KeyboardInterrupt):
            stop.ask()
        return result(executions=40, seconds=3.0, interrupted=True)

    play(monkeypatch, Engine(verify=clean(), stress=interrupted))
    run = run_campaign(cells_for([scenario(tmp_path)], ["baseline"]), Options(out=out), Heard(), stop)
    assert (run.cells[0].partial, run.interrupted) == (True, True)
    fake = play(monkeypatch, Engine(stress=lambda **how: result(executions=2, seconds=30.0)))
    cells, plan, _ = resume.planned(read_journal(out).plan, out)
    run = run_campaign(cells, Options(plan, 0.1, out=out, resume=True), Heard())
    assert {mode for mode, _ in fake.calls} == {"stress"}
    [cell] = run.cells
    assert cell.verdict == "as_expected"
    assert cell.proved
    assert cell.stress is not None
    assert cell.stress.executions == 40 + 2 * len(fake.calls)
    assert not cell.partial


def test_a_resumed_run_keeps_the_cells_that_are_not_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(monkeypatch, Engine(verify=clean))
    out = tmp_path / "run"
    run_campaign(cells_for([scenario(tmp_path)], PROTOCOLS), Options(VERIFY, out=out), Heard())
    run = run_campaign(
        cells_for([scenario(tmp_path)], ["baseline", "new_vgic"]),
        Options(VERIFY, out=out, resume=True),
        Heard(),
    )
    assert [c.protocol for c in run.cells] == ["baseline", "new_vgic", "no_rank_lock", "domain_lock"]
    assert read_run(out).cells == run.cells


# -- in processes, with the real engines


@pytest.mark.usefixtures("starts_anew")
@pytest.mark.parametrize("before", [None, "0"])
def test_a_process_imports_nothing_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str | None
) -> None:
    if before is None:
        monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    else:
        monkeypatch.setenv("PYTHONSAFEPATH", before)
    made = scenario(tmp_path)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    for name in ("pickle", "multiprocessing", "json"):
        Path(f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    run = run_campaign(cells_for([made], PROTOCOLS[:2]), Options(VERIFY, 20.0, jobs=2), Heard())
    assert [c.error for c in run.cells] == ["", ""]
    assert not (tmp_path / "ran").exists()
    assert os.environ.get("PYTHONSAFEPATH") == before


def in_processes(
    path: Path, variants: list[str], heard: Any, out: Path | None = None, stop: Stop | None = None
) -> Run:
    from racebench.scenario.scenario import load_scenario

    cells = cells_for([load_scenario(path)], variants)
    return run_campaign(cells, Options(VERIFY, 20.0, jobs=2, out=out), heard, stop)


def test_processes_find_what_one_finds(tmp_path: Path) -> None:
    from racebench.scenario.scenario import load_scenario

    path, heard = account(tmp_path), Heard()
    many = in_processes(path, ["lost", "kept"], heard, tmp_path / "many")
    one = run_campaign(cells_for([load_scenario(path)], ["lost", "kept"]), Options(VERIFY), Heard())

    def facts(run: Run) -> Any:
        return [(c.name, c.expected, c.found, c.verdict, c.verify.executions) for c in run.cells]

    assert facts(many) == facts(one)
    assert len(many.cells[0].findings) == 2
    for path_in_run in many.cells[0].findings:
        assert read_finding(tmp_path / "many" / path_in_run).finding.schedule
    assert {name[1] for name in heard.all("cell_started")} == {"lost", "kept"}


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_a_program_changes_in_its_process_is_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    account(tmp_path)
    monkeypatch.chdir(tmp_path)
    cells = cells_for(select(["account.py"]), ["wander", "lost"])
    options = Options(Plan(("verify", "stress")), 1.0, jobs=jobs, out=Path("out"))
    printed = sys.stdout, sys.stderr
    run = run_campaign(cells, options, Heard())
    assert Path.cwd() == tmp_path
    assert (sys.stdout, sys.stderr) == printed
    assert [(c.protocol, "account.lost" in c.found) for c in run.cells] == [
        ("wander", True),
        ("lost", True),
    ]
    assert read_run(tmp_path / "out").cells == run.cells
    for name in run.cells[0].findings:
        read_finding(tmp_path / "out" / name)


def test_two_scenarios_of_one_stem_stay_two_in_processes_and_in_a_plan(tmp_path: Path) -> None:
    names = ["route_vs_route", "pairs/route_vs_route"]
    cells = cells_for(select(names), ["baseline"])
    run = run_campaign(cells, Options(VERIFY, 20.0, jobs=2), Heard())
    assert [c.scenario for c in run.cells] == names
    plan = resume.plan_record(map(resume.plan_row, cells), VERIFY, 20.0)
    again, _, _ = resume.planned(plan, tmp_path)
    assert [c.name for c in again] == [c.name for c in cells]
    moved = [{"scenario": n, "file": "/gone/x.toml", "protocol": "baseline"} for n in names]
    again, _, _ = resume.planned({**resume.plan_record([], VERIFY, 20.0), "cells": moved}, tmp_path)
    assert [c.scenario.path.parent.name for c in again] == ["thread", "pairs"]


def test_a_worker_that_dies_costs_its_cell(tmp_path: Path) -> None:
    heard = Heard()
    run = in_processes(account(tmp_path), ["crash", "lost", "kept"], heard)
    assert [(c.protocol, c.verdict) for c in run.cells] == [
        ("lost", "as_expected"),
        ("kept", "as_expected"),
        ("crash", "unknown"),
    ]
    assert run.cells[2].error == "its process ended with status 7"
    assert not run.interrupted


def test_a_killed_worker_is_replaced(tmp_path: Path) -> None:
    from racebench.scenario.scenario import load_scenario

    class Killer(Heard):
        killed = False

        def __call__(self, word: str, *what: Any) -> None:
            if word == "cell_started" and not self.killed:
                import multiprocessing

                self.killed = True
                for child in multiprocessing.active_children():
                    os.kill(child.pid or 0, signal.SIGKILL)

    cells = cells_for([load_scenario(account(tmp_path))], ["lost", "kept"])
    more = cells_for([scenario(tmp_path)], PROTOCOLS)
    run = run_campaign([*cells, *more], Options(VERIFY, 20.0, jobs=2), Killer())
    assert len(run.cells) == 5
    lost = [c for c in run.cells if c.error]
    assert 1 <= len(lost) <= 2
    assert {c.error for c in lost} == {"its process was ended by SIGKILL"}
    assert all(c.verdict == "as_expected" for c in run.cells if c not in lost)


def test_a_cell_whose_process_was_lost_is_run_again(tmp_path: Path) -> None:
    from racebench.scenario.scenario import load_scenario

    made = account(tmp_path)
    text = made.read_text()
    out = tmp_path / "out"
    run = in_processes(made, ["crash", "kept"], Heard(), out)
    [lost] = [c for c in run.cells if c.lost]
    assert lost.error.endswith(f"ended with status 7. `racebench run --resume {out}` runs the cell again")
    made.write_text(text.replace("os._exit(7)", "kept(s)"))
    cells, heard = cells_for([load_scenario(made)], ["crash", "kept"]), Heard()
    again = run_campaign(cells, Options(VERIFY, 20.0, out=out, resume=True), heard)
    assert [c.verdict for c in again.cells] == ["as_expected", "as_expected"]
    assert {name[1] for name in heard.all("cell_started")} == {"crash"}


class Limits:
    """``first`` seconds for the first cell to be over, time enough for the others."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, first: float) -> None:
        self._next = first
        monkeypatch.setattr(campaign, "limit_s", self)

    def __call__(self, plan: Plan, seconds: float) -> float:
        limit, self._next = self._next, 600.0
        return limit


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_cell_that_does_not_end_is_interrupted_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    Limits(monkeypatch, 0.3)
    made = select([str(account(tmp_path))])
    cells = [cell for name in ["hang", "kept", "lost"] for cell in cells_for(made, [name])]
    stop, options = Stop(), Options(VERIFY, 20.0, jobs=jobs, out=tmp_path / "out")
    with stop.on_signals():
        run = run_campaign(cells, options, Heard(), stop)
    verdicts = {c.protocol: c.verdict for c in run.cells}
    assert verdicts == {"hang": "unknown", "kept": "as_expected", "lost": "as_expected"}
    [error] = [c.error for c in run.cells if c.error]
    assert error.startswith("no progress within 0.3 s: interrupted in ")
    assert not run.interrupted
    assert read_run(tmp_path / "out").cells == run.cells


def test_a_process_that_heeds_no_interrupt_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Limits(monkeypatch, 0.3)
    monkeypatch.setattr(campaign, "Job", partial(pool.Job, grace_s=0.3))
    made = select([str(account(tmp_path))])
    cells = [cell for name in ["hang_on", "kept", "lost"] for cell in cells_for(made, [name])]
    run = run_campaign(cells, Options(VERIFY, 20.0, jobs=2), Heard())
    errors = {c.protocol: c.error for c in run.cells}
    ended = errors.pop("hang_on")
    # What heeds nothing is killed; the interrupt may also come before the program does.
    assert ended.startswith("no progress within 0.3 s")
    assert errors == {"kept": "", "lost": ""}


def test_a_stop_ends_the_processes(tmp_path: Path) -> None:
    import multiprocessing

    stop = Stop()

    class Impatient(Heard):
        def __call__(self, word: str, *what: Any) -> None:
            if word == "cell_started":
                stop.ask()

    run = in_processes(account(tmp_path), ["lost", "kept"], Impatient(), stop=stop)
    assert run.interrupted
    assert not multiprocessing.active_children()


ODD = """\
import os
import signal
import sys
import threading
import time
import racebench as rb
TITLE, TAGS, EXPECT = "odd", [], {f"kept{i}": [] for i in ("", *range(8))}

class S(rb.State):
    x = rb.shared(0, atomic=True)
    def __init__(self):
        self.a = rb.Lock("a")

def kept(s):
    s.x = 1

def snapshot(s):
    return {1, 2}

def pictures(s):
    rb.check_that(False, "never.falls", "it fell")

def alarms():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
    signal.signal(signal.SIGALRM, lambda *_: None)
    return S()

def patches():
    threading.Lock = time.perf_counter = time.sleep = None
    return S()

def hooks():
    sys.excepthook = threading.excepthook = None
    return S()

def stops():
    time.perf_counter = time.monotonic = lambda: 0.0
    return S()

def descriptors():
    os.close(1)
    os.close(2)
    return S()

def returns():
    os.fork()
    return S()

def deep(s):
    with s.a:
        pass
    deep(s)

def closes(s):
    sys.stdout.close()
    s.x = 1

def forks():
    child = os.fork()
    if child == 0:
        while True:
            signal.pause()
    with open(os.path.join(os.path.dirname(__file__), "left"), "w") as file:
        file.write(str(child))
    os._exit(7)

def variants():
    programs = {
        "pictures": rb.Program("odd", S, {"a": pictures}, snapshot=snapshot),
        "alarms": rb.Program("odd", alarms, {"a": kept}),
        "patches": rb.Program("odd", patches, {"a": kept}),
        "hooks": rb.Program("odd", hooks, {"a": kept}),
        "stops": rb.Program("odd", stops, {"a": kept}),
        "descriptors": rb.Program("odd", descriptors, {"a": kept}),
        "deep": rb.Program("odd", S, {"a": deep, "b": kept}),
        "closes": rb.Program("odd", S, {"a": closes}),
        "kept": rb.Program("odd", S, {"a": kept, "b": kept}),
    }
    if hasattr(os, "fork"):
        programs["forks"] = rb.Program("odd", forks, {"a": kept})
        programs["returns"] = rb.Program("odd", returns, {"a": kept})
    programs.update({f"kept{i}": programs["kept"] for i in range(8)})
    return programs
"""


# What a program does to its process, and after each of them a cell that is to see nothing of it.
UNKIND = ["pictures", "alarms", "patches", "hooks", "stops", "descriptors", "deep", "returns"]
KEPT = [f"kept{i}" for i in range(len(UNKIND))]


def odd(tmp_path: Path, variants: list[str]) -> list[Any]:
    path = tmp_path / "odd.py"
    path.write_text(ODD)
    made = select([str(path)])
    return [cell for name in variants for cell in cells_for(made, [name])]


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("mode", ["verify", "stress"])
def test_what_a_program_does_to_its_process_costs_its_cell_alone(
    mode: str, jobs: int, tmp_path: Path
) -> None:
    handlers = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGALRM)}
    used = threading.Lock, time.perf_counter, time.sleep
    cells = odd(tmp_path, [name for pair in zip(UNKIND, KEPT, strict=True) for name in pair])
    options = Options(Plan((mode,)), 60.0 if mode == "verify" else 0.4, jobs=jobs, out=tmp_path / "out")
    run = run_campaign(cells, options, Heard())
    assert {n: signal.getsignal(n) for n in handlers} == handlers
    assert (threading.Lock, time.perf_counter, time.sleep) == used
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
    kept = {c.protocol: c.verdict for c in run.cells if c.protocol in KEPT}
    assert kept == dict.fromkeys(KEPT, "as_expected")
    assert read_run(tmp_path / "out").cells == run.cells


def test_a_closed_stream_is_opened_again(tmp_path: Path) -> None:
    code = "import sys; from racebench.cli import main; print('printed', main(sys.argv[1:]))"
    argv = ["verify", str(tmp_path / "odd.py"), "--protocol", "closes", "--out", str(tmp_path / "out")]
    odd(tmp_path, [])
    done = subprocess.run(
        [sys.executable, "-c", code, *argv],
        cwd=Path(campaign.__file__).parents[2],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert b"1 of 1 cell as expected" in done.stdout
    assert b"printed" in done.stdout


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_process_that_leaves_a_child_behind_is_missed_all_the_same(tmp_path: Path) -> None:
    options = Options(VERIFY, 20.0, jobs=2, out=tmp_path / "out")
    run = run_campaign(odd(tmp_path, ["forks", "kept"]), options, Heard())
    # It was killed with the process that left it behind, and may be gone by now.
    with contextlib.suppress(ProcessLookupError):
        left = int((tmp_path / "left").read_text())
        assert left, "0 is a group of processes: this one"
        os.kill(left, signal.SIGKILL)
    assert {c.protocol: c.verdict for c in run.cells} == {"forks": "unknown", "kept": "as_expected"}


# -- those that have no cell of their own


class Beside:
    """A campaign whose one cell is being hammered, and what its employer gives out."""

    def __init__(self, tmp_path: Path) -> None:
        self.heard = Heard()
        targets = cells_for([scenario(tmp_path)], ["no_rank_lock"])
        options = Options(Plan(("stress",), seed=3), 60.0, jobs=3)
        self.campaign = campaign.Campaign(targets, options, self.heard, Stop())
        self.main = self.job()

    def job(self) -> Any:
        return self.campaign.next_job(1)

    def hammer(self, seconds: float = 50.0) -> None:
        self.campaign.on_message(self.main, "cell_started", "two_routes", "no_rank_lock", "stress", seconds)

    def result(self, job: Any, collisions: int) -> CellResult:
        mode = ModeResult("stress", collisions, seconds=1.0)
        return CellResult(replace(job.asker.target.cell(("stress",)), stress=mode))


def test_who_is_free_hammers_along_with_a_seed_of_its_own(tmp_path: Path) -> None:
    beside = Beside(tmp_path)
    assert beside.job() is None  # not yet: it may be searched first
    beside.hammer()
    helpers = [beside.job(), beside.job()]
    plans = [job.call.args[1] for job in (beside.main, *helpers)]
    assert [plan.modes for plan in plans] == [("stress",)] * 3
    assert len({plan.seed for plan in plans}) == 3
    assert len({job.asker.visit for job in (beside.main, *helpers)}) == 3
    for n, job in enumerate([helpers[0], beside.main, helpers[1]]):
        assert beside.heard.all("cell_done") == []
        beside.campaign.done(job, beside.result(job, 10 + n))
    [(cell,)] = beside.heard.all("cell_done")
    assert cell.stress.executions == 10 + 11 + 12


def test_nobody_helps_where_it_is_not_worth_it(tmp_path: Path) -> None:
    beside = Beside(tmp_path)
    beside.hammer(seconds=0.1)
    assert beside.job() is None
    beside.hammer()
    for _ in range(5):
        beside.campaign.lost(beside.job(), "its process ended with status 1")
    assert beside.job() is None  # code that ends its process does so again and again
    beside.campaign.done(beside.main, beside.result(beside.main, 7))
    [(cell,)] = beside.heard.all("cell_done")
    assert cell.stress.executions == 7


def test_a_cell_that_is_over_wants_no_more_help(tmp_path: Path) -> None:
    beside = Beside(tmp_path)
    beside.hammer()
    beside.campaign.done(beside.main, beside.result(beside.main, 7))
    assert beside.job() is None
