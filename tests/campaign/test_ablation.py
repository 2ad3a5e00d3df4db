"""Which acquisitions are needed: removed, swapped, replayed; a user's protocol too."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import racebench as rb
from racebench import cli
from racebench.campaign import ablation as module
from racebench.campaign import modes
from racebench.campaign.stop import Stop
from racebench.engine.explain.removal import Change, LockSite, Watch, watched
from racebench.errors import ResultError, UsageError
from racebench.findings import Finding
from racebench.records import FindingRecord
from racebench.scenario.selection import Choice, load_protocol, select

from ..engine import lock_programs as small

ROUTE, ROUTE_RANK = LockSite("route_irq_to_guest", "desc"), LockSite("gic_route_irq_to_guest", "rank")


def answers(protocol: str, *scenarios: str, seconds: float = 60.0) -> dict[Change, module.Answer]:
    found = module.ablate(load_protocol(protocol), select(scenarios), seconds, Stop())
    return {answer.change: answer for answer in found.answers}


def test_the_question_of_the_patch() -> None:
    answer = answers("baseline", "pairs/route_vs_route")[Change(remove=ROUTE_RANK)]
    assert answer.verdict == module.NEEDED
    assert {b.rule for b in answer.breaks} == {"mapping.corrupted", "mapping.double_success"}
    best = answer.best()
    assert best is not None
    assert best.preemptions == 1


def test_a_lock_that_nothing_needs_there() -> None:
    answer = answers("baseline", "pairs/route_vs_route")[Change(remove=ROUTE)]
    assert answer.verdict == module.NOT_NEEDED
    assert answer.scenarios == ["route_vs_route"]


RELEASE_ROUTE = """\
schema = 1
title = "pIRQ 64 goes from vIRQ 40 to 41"
source = "none @ none"
[domain]
routed = [{ virq = 40, pirq = 64 }]
[threads]
toolstack0 = ["release virq=40"]
toolstack1 = ["route virq=41 pirq=64"]
[expect]
"*" = []
"""


def test_a_swap_that_hangs_and_one_that_does_not(tmp_path: Path) -> None:
    swap = Change(outer=ROUTE, inner=ROUTE_RANK)
    assert answers("baseline", "pairs/route_vs_route")[swap].verdict == module.NOT_NEEDED
    path = tmp_path / "release_route.toml"
    path.write_text(RELEASE_ROUTE)
    hangs = answers("baseline", str(path))[swap]
    assert hangs.verdict == module.NEEDED
    assert "deadlock.cycle" in {b.rule for b in hangs.breaks}


def test_one_that_is_stopped_guesses_nothing() -> None:
    stopped = Stop()
    stopped.ask()
    cut = module.ablate(load_protocol("baseline"), select(["pairs/route_vs_route"]), 60, stopped)
    assert cut.interrupted
    assert not cut.answers


def test_a_budget_that_ends_in_the_middle_leaves_answers_open(monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = modes.verify, []

    def verify(program, **how):  # type: ignore[no-untyped-def]
        calls.append(program)
        return real(program, max_executions=1 if len(calls) > 1 else None, **how)

    monkeypatch.setattr(module.modes, "verify", verify)
    assert answers("baseline", "pairs/route_vs_route")[Change(remove=ROUTE)].verdict == module.OPEN


def test_variants_have_no_locks_to_take() -> None:
    with pytest.raises(UsageError, match="is a variant"):
        module.ablate(Choice("before", "before", "before"), [], 1, Stop())


def test_from_the_command_line_with_a_replay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(
        "from racebench.vgic import protocol\n"
        "class Mine(protocol('baseline')):\n    ID = 'mine'\n    SUMMARY = 'as it was'\n"
    )
    assert cli.main(["ablate", "mine.py:Mine", "pairs/route_vs_route", "--out", "a", "--full"]) == 0
    out = capsys.readouterr().out
    assert "needed      without rank in gic_route_irq_to_guest" in out
    assert "not needed  without desc in route_irq_to_guest" in out
    [file] = sorted(Path("a/findings").glob("*.json"))
    assert cli.main(["replay", str(file), "--protocol", "mine.py:Mine"]) == 0
    assert cli.main(["ablate", "baseline", "--out", "a"]) == 2
    assert "already holds a run" in capsys.readouterr().err


@pytest.mark.parametrize(
    "stored",
    [
        3,
        {"remove": "x"},
        {"remove": ["f", "rank"], "outer": ["f", "rank"], "inner": ["g", "desc"]},
        {"outer": ["f", "rank"]},
        {},
        {"remove": ["f", "rank"], "taken": [["a"]]},
        {"remove": ["f", "rank"], "taken": 5},
    ],
)
def test_a_stored_change_of_another_shape_is_refused(stored: object) -> None:
    [scenario] = select(["pairs/route_vs_route"])
    record = FindingRecord(Finding("x", "x", "x"), "route_vs_route", "baseline").to_json()
    with pytest.raises(ResultError, match=r"f\.json: ablation"):
        read = FindingRecord.from_json({**record, "ablation": stored}, "f.json")
        module.as_found(scenario.program("baseline"), read, "f.json")


HANGS = """\
from racebench.vgic import protocol

class Hangs(protocol("baseline")):
    def release_guest_irq(self, d, virq):
        with self.rank_of(d, virq).lock:
            return super().release_guest_irq(d, virq)
"""


def test_a_protocol_that_hangs_anyway_has_no_answer_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("hangs.py").write_text(HANGS)
    spec = "hangs.py:Hangs"
    found = answers(spec, "pairs/release_vs_release")
    # With the rank lock around it, release waits for itself before it gets to these.
    assert {a.verdict for a in found.values() if not a.breaks} == {module.OPEN}
    assert cli.main(["ablate", spec, "pairs/release_vs_release", "--out", "r", "--full"]) == 1
    out = capsys.readouterr().out
    assert "Hangs itself breaks rules in 1 of 1 scenario: deadlock.self in 1" in out
    assert "no answer: every scenario that takes it breaks with it too" in out
    assert cli.main(["explain", "r"]) == 0
    assert capsys.readouterr().out == out.replace("all of it: racebench explain r\n", "")
    replays = [line.strip() for line in out.splitlines() if "racebench replay" in line]
    assert all(line.endswith(f"--protocol {spec}") for line in replays)


@pytest.mark.parametrize("key", ["protocol", "answers", "scenarios", "breaks"])
def test_a_stored_ablation_of_another_shape_is_refused(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["ablate", "baseline", "pairs/route_vs_route", "--out", "r"]) == 0
    stored = Path("r/ablation.json")
    for wrong in (5, [5], {"a": 5}, [{"what": 5}]):
        stored.write_text(json.dumps({**json.loads(stored.read_text()), key: wrong}))
        capsys.readouterr()
        assert cli.main(["explain", "r"]) == 2
        assert "ablation.json" in capsys.readouterr().err


class Small:
    """A scenario that is a small program of locks."""

    initial, mix, text = object(), None, "schema = 1"

    def __init__(self, name: str, source: small.Written) -> None:
        self.name, self.path, self.source = name, Path(name), source

    def program(self, code: Any) -> Any:
        return small.program(self.source)

    def callers(self, code: Any, finding: Any) -> dict[str, Any]:
        return {}


@pytest.fixture
def of_small_programs(monkeypatch: pytest.MonkeyPatch) -> Any:
    def ablated(*sources: small.Written) -> list[module.Answer]:
        scenarios: Any = [Small(str(n), source) for n, source in enumerate(sources)]
        return module.ablate(Choice("mine", "mine", object), scenarios, 60, Stop()).answers  # type: ignore[arg-type]

    monkeypatch.setattr(module, "vgic", SimpleNamespace(system_states=lambda state: [state]))
    return ablated


def by_hand(source: small.Written, change: Change) -> small.Written:
    if change.remove is not None:
        return small.without(source, change.remove.function, change.remove.lock)
    assert change.outer is not None
    assert change.inner is not None
    outer, inner = ((site.function, site.lock) for site in (change.outer, change.inner))
    return small.swapped(source, outer, inner)


@pytest.mark.parametrize("seed", range(10, 20))
def test_answers_are_those_of_an_enumerator(seed: int, of_small_programs: Any) -> None:
    source = small.written(seed)
    as_it_is = small.Enumerator(source).reached().rules.keys()
    for answer in of_small_programs(source):
        changed = small.Enumerator(by_hand(source, answer.change)).reached().rules.keys()
        found = {b.rule for b in answer.breaks}.difference(module._LAST)
        assert found == changed - as_it_is, answer.change
        if answer.verdict == module.NOT_NEEDED:
            assert changed <= as_it_is <= {"end.wrong"}, answer.change
        elif answer.verdict == module.OPEN:
            assert as_it_is, answer.change


TRIED = small.Written(
    ((("try", "t", "a", (("add", "x"),)),), (("with", "f", "a", (("add", "x"),)),)), wrong=(1, 0)
)
BREAKS = small.Written(((("with", "f", "a", (("set", "x", 2),)),), (("check", "x", 2),)), None)
HEALTHY = small.Written(((("with", "f", "a", (("set", "x", 1),)),), (("check", "x", 2),)), None)


def test_a_try_is_an_acquisition_too(of_small_programs: Any) -> None:
    # Where the try fails x ends as 1, which is wrong, with the lock and without.
    verdicts = {str(a.change): a.verdict for a in of_small_programs(TRIED)}
    assert verdicts == {"without a in f": module.NOT_NEEDED, "without a in t": module.NOT_NEEDED}
    healthy = small.Written(TRIED.blocks, None)
    assert {a.verdict for a in of_small_programs(healthy)} == {module.NOT_NEEDED}
    crashes = small.Written(
        ((("try", "t", "a", (("add", "x"), ("check", "x", 0))),), (("with", "f", "a", (("set", "x", 0),)),)),
        None,
    )
    found = {str(a.change): a for a in of_small_programs(crashes)}
    assert found["without a in t"].verdict == module.NEEDED
    assert {b.rule for b in found["without a in t"].breaks} == {"crash.x"}


def test_a_scenario_that_breaks_anyway_hides_what_a_change_breaks(of_small_programs: Any) -> None:
    [spoilt] = of_small_programs(BREAKS)
    assert (spoilt.verdict, spoilt.spoilt) == (module.OPEN, ["0"])
    [both] = of_small_programs(BREAKS, HEALTHY)
    assert (both.verdict, both.spoilt) == (module.NOT_NEEDED, ["0"])


def test_without_a_complete_search_as_it_is_nothing_is_needed_and_nothing_is_not(
    of_small_programs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, first = modes.verify, []

    def verify(program: Any, **how: Any) -> Any:
        first.append(program)
        return real(program, max_executions=1 if len(first) == 1 else None, **how)

    monkeypatch.setattr(module.modes, "verify", verify)
    # The one that was cut off may take the lock where nobody has looked.
    other = small.Written(((("set", "x", 1),), (("if", "x", 1, BREAKS.blocks[0]),)), None)
    answers = of_small_programs(other, HEALTHY)
    assert {a.verdict for a in answers} == {module.OPEN}
    assert {tuple(a.open) for a in answers} == {("0",)}


class Two(rb.State):
    which = rb.shared(0, atomic=True)

    def __init__(self) -> None:
        self.a, self.b0, self.b1 = rb.Lock("a"), rb.Lock("b", 0), rb.Lock("b", 1)


def outer(s: Two) -> None:
    with s.a:
        inner(s)


def inner(s: Two) -> None:
    with s.b1 if s.which else s.b0:
        pass


def chooses(s: Two) -> None:
    s.which = 1


@pytest.mark.parametrize("varies", [True, False])
def test_a_pair_whose_inner_lock_varies_is_not_said_to_be_swapped(varies: bool) -> None:
    threads = {"one": outer, "two": chooses} if varies else {"one": outer}
    program = rb.Program("two", setup=Two, threads=threads)
    as_it_is = Watch()
    rb.verify(watched(program, as_it_is, lambda state: [state]))
    [(outermost, innermost)] = as_it_is.pairs
    watch = Watch(Change(outer=outermost, inner=innermost), taken=as_it_is.taken)
    rb.verify(watched(program, watch, lambda state: [state]))
    assert watch.astray == varies
