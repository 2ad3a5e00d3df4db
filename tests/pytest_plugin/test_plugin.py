"""The pytest plugin, run by pytest in processes of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from racebench import cli
from racebench.campaign.results import read_journal, read_run
from racebench.pytest_plugin import is_scenario

from ..fakes import TWO_ROUTES
from ..inner import (
    KILL,
    LOAD,
    POLITE,
    PYTHON,
    QUICK,
    RUDE,
    SEGFAULT,
    THREE,
    run,
    write,
)

Capture = pytest.CaptureFixture[str]
Pytester = pytest.Pytester
pytest_plugins = ["pytester"]

# A third cell breaks a rule that nobody expects in each of its executions, however few there are.
SHORT = PYTHON.replace(
    '"kept": program(kept)}',
    """"kept": program(kept), "short": short()}

def short():
    def check(s, results):
        return rb.broken("account.short", "one more is owed", ("balance",))
    return rb.Program("account", setup=Account, threads={"a": kept, "b": kept}, check=check)""",
)


def ids(result: pytest.RunResult) -> list[str]:
    return [line for line in result.outlines if "::" in line]


def test_what_looks_like_a_scenario(tmp_path: Path) -> None:
    def looks(name: str, text: str) -> bool:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return is_scenario(path)

    assert looks("a.toml", TWO_ROUTES)
    assert looks("account.py", PYTHON)
    assert not looks("pyproject.toml", '[project]\nname = "x"\n')
    assert looks("hammer.toml", "schema = 1\n[hammer]\n")
    assert looks("slip.toml", "schema = 1\n[threads]\na = [\n"), "a slip is said, not passed over"
    assert not looks("slip.toml", "[threads]\na = [\n")
    assert not looks("module.py", "def variants(): ...\n")
    assert not looks("module.py", f'text = """\\\n{PYTHON}"""\n')
    assert looks("account.py", PYTHON + "def broken(:\n")
    assert not looks("test_account.py", PYTHON)
    assert not looks("_private.py", PYTHON)
    assert not is_scenario(tmp_path / "none.toml")


FOREIGN = {
    # Files of other projects that have a table of that name, and what each lacks.
    "crawler.toml": "[threads]\nmax = 8\n[expect]\nstatus = 200\n",
    "forum.toml": 'schema = "1"\n[threads]\na = ["route"]\n',
    "server.toml": "[schema]\nversion = 1\n[threads]\nworkers = 4\n",
}
# Another plugin's: every TOML file is one test.
COLLECTS_TOML = """
import pytest
def pytest_collect_file(file_path, parent):
    return File.from_parent(parent, path=file_path) if file_path.suffix == ".toml" else None
class File(pytest.File):
    def collect(self):
        yield Item.from_parent(self, name="theirs")
class Item(pytest.Item):
    def runtest(self):
        pass
"""


@pytest.mark.parametrize("args", [(), (".",), tuple(FOREIGN), ("-n", "1"), (".", "-n", "1")], ids=str)
def test_files_of_other_projects_are_collected_as_before(inner: Pytester, args: tuple[str, ...]) -> None:
    for name, text in FOREIGN.items():
        (inner.path / name).write_text(text)
    inner.makeconftest(COLLECTS_TOML)
    result = run(inner, *args)
    result.assert_outcomes(passed=3)
    assert "race report" not in result.stdout.str()


@pytest.mark.parametrize("args", [(), ("-n", "1")], ids=["alone", "xdist"])
def test_a_scenario_is_collected_where_it_is_asked_for(inner: Pytester, args: tuple[str, ...]) -> None:
    write(inner, two_routes__toml=TWO_ROUTES, account__py=PYTHON.replace("import rb", "import rb\n1 / 0"))
    inner.makepyfile("def test_of_ones_own(): pass")
    run(inner, *args).assert_outcomes(passed=1)
    few = ("-k", "baseline or own")
    assert run(inner, *args, *few, "scenarios/two_routes.toml").parseoutcomes()["passed"] == 1
    inner.makeini("[pytest]\nrace_paths = scenarios/two_routes.toml other")
    assert run(inner, *args, *few).parseoutcomes()["passed"] == 2


def test_collection_selection_and_markers(inner: Pytester) -> None:
    write(
        inner,
        two_routes__toml=THREE,
        account__py=PYTHON,
        other__toml="[tool]\n",
        helper__py="raise Exception",
    )
    inner.makepyfile("def test_of_ones_own(): pass")
    result = run(inner, "--collect-only", "-q", ".")
    assert ids(result) == [
        "scenarios/account.py::lost",
        "scenarios/account.py::kept",
        "scenarios/two_routes.toml::baseline",
        "scenarios/two_routes.toml::domain_lock",
        "scenarios/two_routes.toml::no_rank_lock",
        "test_collection_selection_and_markers.py::test_of_ones_own",
    ]
    result = run(
        inner, ".", "--collect-only", "-q", "-m", "money or routing", "-k", "kept or baseline or two-words"
    )
    assert len(ids(result)) == 4
    result = run(inner, "--collect-only", "-q", "--race-shards", "2", "scenarios/account.py")
    assert [i.partition("::")[2] for i in ids(result)] == [
        "lost[shard 1/2]", "lost[shard 2/2]", "kept[shard 1/2]", "kept[shard 2/2]",
    ]  # fmt: skip


def test_failures_show_panels_and_no_traceback(inner: Pytester) -> None:
    write(inner, two_routes__toml=THREE, broken__toml="schema = 1\n[threads]\na = ['route']\n")
    result = run(inner, "scenarios", "--continue-on-collection-errors")
    result.assert_outcomes(passed=1, failed=2, errors=1)
    text = result.stdout.str()
    assert "Traceback" not in text
    assert ".py:" not in text.partition("FAILURES")[0]
    assert re.search(r"broken.toml: .+", text)
    assert "unexpected: two_routes x no_rank_lock: expected mapping.corrupted, found" in text
    assert "─ mapping.double_success: two_routes x no_rank_lock ─" in text
    assert "missed: two_routes x domain_lock: expected deadlock.cycle, found nothing; every schedule" in text
    assert text.count("race report") == 1
    assert "1 of 3 cells as expected" in text


def test_shards_under_xdist_are_one_stored_run(inner: Pytester, capsys: Capture) -> None:
    write(inner, account__py=SHORT)
    out = inner.path / "out"
    args = ("scenarios", "-n", "2", "--race-shards", "2", "--race-out", "out")
    result = run(inner, *args)
    result.assert_outcomes(passed=4, failed=2)
    text = result.stdout.str()
    assert text.count("race report") == 1
    assert "racebench explain out/findings/000" in text
    stored = read_run(out)
    assert [(c.scenario, c.protocol, c.verdict) for c in stored.cells] == [
        ("account", "kept", "as_expected"),
        ("account", "lost", "as_expected"),
        ("account", "short", "unexpected"),
    ]
    assert all(c.verify.complete and c.stress.executions > 0 for c in stored.cells)
    journal = read_journal(out)
    assert journal.plan is not None
    assert {row["protocol"] for row in journal.plan["cells"]} == {"kept", "lost", "short"}
    findings = [json.loads(path.read_text()) for path in sorted((out / "findings").iterdir())]
    assert len({(f["scenario"], f["signature"]) for f in findings}) == len(findings) == 2
    assert cli.main(["explain", str(out)]) == 0
    assert "2 of 3 cells as expected" in capsys.readouterr().out
    at, short = next((i, f) for i, f in enumerate(findings, 1) if f["rule"] == "account.short")
    assert cli.main(["replay", str(out / "findings" / f"{at:04d}.json"), *short["replay_args"]]) == 0
    again = run(inner, "scenarios", "--race-out", str(out))
    assert again.ret == pytest.ExitCode.USAGE_ERROR
    assert f"--race-out: {out}: already holds a run" in again.stderr.str()


@pytest.mark.parametrize(("source", "args"), [(KILL, ("-n", "1")), (SEGFAULT, ())], ids=["xdist", "alone"])
def test_a_program_that_ends_its_process_costs_its_item_not_what_it_found(
    inner: Pytester, source: str, args: tuple[str, ...]
) -> None:
    write(inner, account__py=source)
    out = inner.path / "out"
    result = run(inner, "scenarios", *args, "--race-out", str(out), apart=True)
    result.assert_outcomes(passed=2, failed=1)
    text = result.stdout.str()
    assert "expected account.lost, found account.lost: its process was ended by SIG" in text
    assert "2 of 3 cells as expected" in text
    [cell] = [c for c in read_run(out).cells if c.protocol == "lost"]
    assert (cell.verdict, cell.found, cell.lost) == ("unknown", ("account.lost",), True)
    [path] = cell.findings
    assert json.loads((out / path).read_text())["schedule"]


def test_an_item_that_outlives_its_deadline_is_interrupted_and_the_others_go_on(inner: Pytester) -> None:
    write(inner, account__py=POLITE)
    result = run(inner, "scenarios", "--timeout", "10", apart=True)
    result.assert_outcomes(passed=2, failed=1)
    text = result.stdout.str()
    assert "it outlived its deadline and was interrupted" in text
    assert ", in setup" in text


def test_an_item_that_heeds_no_interrupt_is_killed_and_the_others_go_on(inner: Pytester) -> None:
    write(inner, account__py=RUDE)
    out = inner.path / "out"
    result = run(inner, "scenarios", "--timeout", "10", "--race-out", str(out), apart=True)
    result.assert_outcomes(passed=2, failed=1)
    assert "; it went on, and its process was killed" in " ".join(result.stdout.str().split())
    stored = read_run(out)
    assert not stored.interrupted
    [lost] = [c for c in stored.cells if c.lost]
    assert lost.found == ("account.lost",)
    assert lost.verdict != "as_expected"


def test_a_soak_goes_round_with_seeds_of_its_own(inner: Pytester) -> None:
    write(inner, account__py=PYTHON)
    out = inner.path / "out"
    result = run(inner, "scenarios", "-n", "2", "--soak", "300ms", "--race-out", str(out), "-v")
    rounds = set(re.findall(r"kept\[round (\d+)/6\]", result.stdout.str()))
    assert rounds == {str(n) for n in range(1, 7)}
    assert result.ret == 0
    assert len(read_journal(out).findings) == 1


def test_without_xdist_and_pytest_timeout(inner: Pytester) -> None:
    write(inner, account__py=PYTHON)
    result = run(inner, "scenarios", "-p", "no:xdist", "-p", "no:timeout", apart=True)
    result.assert_outcomes(passed=2)
    assert "2 of 2 cells as expected" in result.stdout.str()


def test_a_run_without_scenarios_pays_almost_nothing(inner: Pytester) -> None:
    inner.makepyfile("""
        import sys
        def test_lazy():
            loaded = {name for name in sys.modules if name.startswith("racebench.")}
            assert not any(name.startswith(("racebench.engine", "racebench.report")) for name in loaded)
            assert not loaded & {"racebench.campaign.cell", "racebench.scenario.scenario", "rich"}
    """)
    result = inner.runpytest_subprocess(*LOAD)
    result.assert_outcomes(passed=1)
    assert "race report" not in result.stdout.str()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_said_and_ends_nothing(inner: Pytester) -> None:
    write(inner, account__py=PYTHON)
    # After the first finding, which may be the only one, the journal is on a device that is always full.
    inner.makeconftest("""
        import os
        from racebench.campaign.store import RunFolder
        add = RunFolder.add_finding
        def add_finding(self, record):
            stored = add(self, record)
            os.dup2(os.open("/dev/full", os.O_WRONLY), self._journal.fileno())
            return stored
        RunFolder.add_finding = add_finding
    """)
    out = inner.path / "out"
    result = run(inner, "scenarios", "--race-out", str(out), apart=True)
    assert result.ret == pytest.ExitCode.INTERNAL_ERROR
    text = result.stdout.str()
    assert "2 passed" in text
    assert f"{out}: cannot be written: No space left on device" in text
    assert len(read_journal(out).findings) == 1


def test_a_killed_controller_leaves_a_journal_that_can_be_read_and_resumed(
    inner: Pytester, capsys: Capture
) -> None:
    write(inner, two_routes__toml=TWO_ROUTES)
    out = inner.path / "out"
    only = ("-k", "no_rank_lock", "-n", "1", "--soak", "10m", "--race-out", str(out))
    command = [sys.executable, "-m", "pytest", *LOAD, *QUICK, "scenarios", *only]
    with subprocess.Popen(
        command, cwd=inner.path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as pytest_:
        try:
            while pytest_.poll() is None and not (
                (out / "journal.jsonl").exists() and read_journal(out).findings and read_journal(out).cells
            ):
                time.sleep(0.05)
        finally:
            pytest_.kill()
        assert pytest_.stdout is not None
        # The pipe is at its end when the last worker, too, is gone.
        pytest_.stdout.read()
    journal = read_journal(out)
    assert journal.findings
    assert all((out / path).exists() for path in journal.findings.values())
    assert cli.main(["explain", str(out)]) == 0
    assert "interrupted: " in capsys.readouterr().out
    assert cli.main(["run", "--resume", str(out), "--time", "1s"]) == 1
    verdicts = {c.protocol: c.verdict for c in read_run(out).cells}
    assert verdicts == {
        "no_rank_lock": "as_expected",
        "no_rank_lock_guard": "as_expected",
        "no_rank_lock_lockfree": "unexpected",
    }


def test_a_folder_that_cannot_be_written_is_refused(inner: Pytester) -> None:
    inner.mkdir("locked").chmod(0o500)
    # Root may write anywhere but where the kernel says no.
    out = "/sys/racebench-out" if hasattr(os, "geteuid") and os.geteuid() == 0 else "locked/out"
    result = run(inner, "--race-out", out)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"{out}: cannot be written: " in result.stderr.str()


def test_an_out_that_cannot_be_a_folder_is_refused(inner: Pytester) -> None:
    (inner.path / "file").write_text("")
    result = run(inner, "--race-out", "file/out")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "--race-out: file/out: cannot be written: Not a directory" in result.stderr.str()


# -- Python tests


RACE_TESTS = (
    PYTHON.partition("def variants")[0]
    .replace("TITLE", "IGNORED, TITLE", 1)
    .replace('= "account", [', '= 0, "account", [')
    + """
import pytest

@rb.race_test(mode="verify")
def test_kept():
    return program(kept)

@pytest.mark.parametrize("function", [lost, kept])
@rb.race_test(mode="explore", executions=50)
def test_explored(function):
    return program(function)

@rb.race_test(mode="stress", seconds=0.05)
def test_hammered(tmp_path):
    return program(kept)

@rb.race_test(mode="verify", expect=["account.lost"])
def test_expected():
    return program(lost)

@rb.race_test(mode="verify", expect=["account.lost"])
def test_expected_but_kept():
    return program(kept)

@rb.race_test(mode="verify", max_executions=1)
def test_no_answer():
    return program(kept)
"""
)


@pytest.mark.parametrize("args", [("-rA",), ("-rA", "-n", "1")], ids=["alone", "xdist"])
def test_race_tests_are_in_the_merged_report(inner: Pytester, capsys: Capture, args: tuple[str, ...]) -> None:
    inner.makepyfile(test_money=RACE_TESTS)
    write(inner, two_routes__toml=THREE)
    out = inner.path / "out"
    result = run(inner, ".", "--race-out", str(out), *args)
    result.assert_outcomes(passed=5, failed=5)
    text = result.stdout.str()
    assert "Traceback" not in text
    assert "─ account.lost: test_money.py::test_explored[lost] x explore ─" in text
    assert re.search(r"replay:\s+racebench replay ", text) and "--scenario" in text
    assert "test_no_answer - account: no answer" in text, "the class of the exception is of no interest"
    assert max(len(line) for line in text.splitlines() if line.startswith("╭")) == 80
    assert "expected account.lost, not found after" in text
    assert "no answer after" in text
    stored = {(c.scenario, c.protocol): c for c in read_run(out).cells}
    verdicts = {name.removeprefix("test_money.py::"): c.verdict for (name, _), c in stored.items()}
    assert {name: v for name, v in verdicts.items() if name.startswith("test_")} == {
        "test_expected": "as_expected",
        "test_expected_but_kept": "missed",
        "test_explored[kept]": "as_expected",
        "test_explored[lost]": "unexpected",
        "test_hammered": "as_expected",
        "test_kept": "as_expected",
        "test_no_answer": "unknown",
    }
    assert stored["test_money.py::test_explored[kept]", "explore"].explore.executions == 50
    assert stored["test_money.py::test_hammered", "stress"].stress.executions > 0
    assert len([name for name in stored if name[0] == "two_routes"]) == 3
    assert "race report" in result.stdout.str()
    capsys.readouterr()
    assert cli.main(["explain", str(out)]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"replay:\s+racebench replay ", shown) and "--scenario" in shown
    [path] = [p for key, p in read_journal(out).findings.items() if key[0].endswith("test_expected")]
    assert cli.main(["replay", str(out / path)]) == 2
    assert "in a test. Add --scenario 'test_money.py::test_expected'" in capsys.readouterr().err
    assert cli.main(["compare", str(out), str(out)]) == 0


@pytest.mark.parametrize("args", [(), ("-n", "1")], ids=["alone", "xdist"])
def test_the_summary_names_the_rule_and_the_conflict(inner: Pytester, args: tuple[str, ...]) -> None:
    inner.makepyfile(test_money=RACE_TESTS + UNLOCKED)
    result = run(inner, "test_money.py", "-k", "races or lost", "--color=yes", *args)
    text, _, summary = result.stdout.str().partition("short test summary info")
    assert "\x1b[31m╭─" in text, "the panel is coloured"
    summary = re.sub("\x1b.*?m", "", summary)
    assert "test_races - data_race on Account.balance: raise_it, look" in summary
    assert "[lost] - account.lost: a deposit is lost" in summary


UNLOCKED = """
def raise_it(s):
    s.balance = 1

def look(s):
    s.balance

@rb.race_test(mode="verify")
def test_races():
    return rb.Program("races", setup=Account, threads={"a": raise_it, "b": look})
"""


def test_the_race_report_lists_what_is_not_as_expected(inner: Pytester) -> None:
    write(inner, two_routes__toml=THREE)
    report = run(inner, "scenarios").stdout.str().partition("race report")[2]
    assert "1 of 3 cells as expected" in report
    matrix = report.partition("scenario ")[2]
    assert "no_rank_lock" in report and "domain_lock" in matrix and "baseline" not in matrix
    report = run(inner, "scenarios", "-k", "baseline").stdout.str().partition("race report")[2]
    assert "scenario " not in report and "1 of 1 cell as expected" in report


HAMMER = """
schema = 1
title = "One thread alone"
source = "made up"
[hammer]
operations = 2
[hammer.threads.toolstack0]
"route virq=40 pirq=64" = 1
[expect]
"*" = []
baseline = ["deadlock.cycle"]
"""


@pytest.mark.parametrize("shards", [1, 2])
def test_a_hammer_without_an_answer_is_no_pass(inner: Pytester, shards: int) -> None:
    """An expected rule that did not come: no proof says that it cannot."""
    write(inner, mix__toml=HAMMER)
    result = run(inner, "scenarios", "-k", "baseline", "--race-shards", str(shards))
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "No answer for " in result.stdout.str()


def test_the_ini_file_has_defaults(inner: Pytester) -> None:
    write(inner, account__py=PYTHON)
    ini = "race_paths = scenarios\nrace_protocols = kept\nrace_out = out\nrace_time = "
    inner.makeini(f"[pytest]\n{ini}50ms")
    inner.runpytest_inprocess(*LOAD).assert_outcomes(passed=1)
    [cell] = read_run(inner.path / "out").cells
    assert cell.protocol == "kept" and cell.stress is not None and cell.stress.seconds < 1.9
    inner.makeini(f"[pytest]\n{ini}soon")
    result = inner.runpytest_inprocess(*LOAD)
    assert result.ret == pytest.ExitCode.USAGE_ERROR and "race_time: 'soon'" in result.stderr.str()


def stored_finding(inner: Pytester, *args: str, rule: str = "account.lost") -> str:
    run(inner, *args, "--race-out", "out")
    found = [(p, json.loads(p.read_text())) for p in sorted((inner.path / "out" / "findings").iterdir())]
    return next(str(p.relative_to(inner.path)) for p, one in found if one["rule"] == rule)


def test_a_stored_schedule_runs_as_its_test(inner: Pytester, capfd: pytest.CaptureFixture[str]) -> None:
    path = inner.makepyfile(test_money=RACE_TESTS)
    test = "test_money.py::test_explored[lost]"
    finding = stored_finding(inner, test)
    result = run(inner, "--race-replay", finding)
    result.assert_outcomes(failed=1)
    assert "─ account.lost: test_money.py::test_explored[lost]" in result.stdout.str()
    assert cli.main(["replay", finding, "--scenario", test]) == 0
    assert "reproduced: account.lost" in capfd.readouterr().out
    # The bug is mended: the steps are the same, what they do is not.
    path.write_text(RACE_TESTS.replace("s.balance = seen + 1", "s.balance = 2"))
    run(inner, "--race-replay", finding, apart=True).assert_outcomes(passed=1)
    path.write_text(RACE_TESTS.replace("seen = s.balance", "seen = 1"))
    result = run(inner, "--race-replay", finding, "-n", "1")
    result.assert_outcomes(failed=1)
    assert "the program is not what it was" in result.stdout.str()
    result = run(inner, "--race-replay", finding, "test_money.py::test_kept")
    assert "is not among what is collected" in result.stdout.str() + result.stderr.str()


def test_a_stored_schedule_runs_as_an_item_of_its_scenario(inner: Pytester) -> None:
    write(inner, account__py=SHORT)
    expected = stored_finding(inner, "scenarios")
    out = inner.path / "out" / "findings"
    rules = {json.loads(p.read_text())["rule"]: f"out/findings/{p.name}" for p in out.iterdir()}
    run(inner, "scenarios", "--race-replay", rules["account.lost"]).assert_outcomes(passed=1)
    result = run(inner, "scenarios", "--race-replay", rules["account.short"])
    result.assert_outcomes(failed=1)
    assert "─ account.short: account x short ─" in result.stdout.str()
    result = run(inner, "--race-replay", expected)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "name the file of scenario 'account'" in result.stderr.str()


# A soak on whose clock hardly any time goes by, so that each of its rounds comes.
SLOW_CLOCK = """
import functools, itertools
from racebench.pytest_plugin import items
items.Pace = functools.partial(items.Pace, clock=itertools.count(0.0, 0.001).__next__)
"""


@pytest.mark.parametrize("args", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_race_tests_go_round_in_a_soak(inner: Pytester, args: tuple[str, ...]) -> None:
    """What explores or hammers comes again, with seeds of its own; a proof and an ordinary test do not."""
    inner.makepyfile(test_money=RACE_TESTS + "\ndef test_plain(): pass\n", conftest=SLOW_CLOCK)
    out = inner.path / "out"
    picked = "kept and not expected or hammered or plain"
    result = run(inner, ".", "-k", picked, "--soak", "200ms", "--race-out", str(out), "-v", *args)
    text = result.stdout.str()
    assert result.ret == 0
    rounds = re.search(r"test_hammered\[round 2/(\d+)\]", text)
    assert rounds is not None
    n = int(rounds[1])
    assert len(set(re.findall(r"test_explored\[kept-round (\d+)/", text))) == n - 1
    assert not re.search(r"test_(kept|plain)\[round", text)
    result.assert_outcomes(passed=2 * n + 2)
    stored = {c.scenario.partition("::")[2]: c for c in read_run(out).cells}
    assert set(stored) == {"test_kept", "test_explored[kept]", "test_hammered"}
    assert stored["test_explored[kept]"].explore.executions > 50
    assert all(c.verdict == "as_expected" for c in stored.values())


def test_a_soak_shows_once_what_a_race_test_finds_again(inner: Pytester) -> None:
    inner.makepyfile(test_money=RACE_TESTS, conftest=SLOW_CLOCK)
    result = run(inner, ".", "-k", "explored and lost", "--soak", "300ms")
    text = result.stdout.str()
    failed = result.parseoutcomes()["failed"]
    assert failed > 1
    assert text.count("─ account.lost: test_money.py::test_explored[lost] x explore ─") == 1
    assert text.count("again: account.lost: a deposit is lost") == failed - 1
    assert "pytest_plugin/" not in text


@pytest.mark.parametrize("where", ["terminal", "CI", "verbose"])
def test_a_panel_is_shown_once_wherever_pytest_runs(
    inner: Pytester, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """With CI set or -vv, pytest's short summary has the whole message of a failure."""
    if where == "CI":
        monkeypatch.setenv("CI", "true")
    more = ["-vv"] if where == "verbose" else []
    inner.makepyfile(test_money=RACE_TESTS)
    write(inner, account__py=SHORT)
    result = run(inner, *more, "--junitxml=junit.xml", "test_money.py::test_explored[lost]", "scenarios")
    result.assert_outcomes(passed=2, failed=2)
    text, _, summary = result.stdout.str().partition("short test summary info")
    assert text.count("─ account.lost: test_money.py::test_explored[lost] x explore ─") == 1
    assert text.count("─ account.short: account x short ─") == 1
    assert "─" not in summary
    assert len([line for line in summary.splitlines() if line.startswith("FAILED")]) == 2
    assert "account.py::short - account.short: one more is owed" in summary
    assert "─ account.short: account x short ─" in (inner.path / "junit.xml").read_text()


def test_a_race_test_that_is_lost_is_in_the_report_too(inner: Pytester) -> None:
    inner.makepyfile(test_money=RACE_TESTS.replace("def test_kept():", "def test_kept():\n    os._exit(3)"))
    out = inner.path / "out"
    result = run(inner, ".", "-k", "kept", "-n", "1", "--race-out", str(out))
    result.assert_outcomes(passed=1, failed=2)
    [lost] = [c for c in read_run(out).cells if c.scenario.endswith("::test_kept")]
    assert (lost.verdict, lost.error) == ("unknown", "its worker crashed or was killed")


def test_two_files_of_one_stem_are_two_cells(inner: Pytester) -> None:
    for folder in ("a", "b"):
        path = inner.path / "scenarios" / folder
        path.mkdir(parents=True)
        (path / "same.toml").write_text(TWO_ROUTES)
    out = inner.path / "out"
    run(inner, ".", "-k", "baseline", "--race-out", str(out))
    assert {c.scenario for c in read_run(out).cells} == {"same", "b/same"}


def test_reports_do_not_pile_up(inner: Pytester) -> None:
    """A terminal keeps every report: the news of a soak, and in a worker all, are taken out again."""
    inner.makefile(".toml", two=TWO_ROUTES)
    inner.makepyfile(
        kept="""
        import pytest
        class Kept:
            def pytest_sessionfinish(self, session):
                stats = session.config.pluginmanager.getplugin("terminalreporter").stats
                kept = [r.when for reports in stats.values() for r in reports if hasattr(r, "when")]
                where = "worker" if hasattr(session.config, "workerinput") else "controller"
                with open("kept.txt", "a") as file:
                    file.write(f"{where} {sorted(set(kept))}\\n")
        def pytest_configure(config):
            config.pluginmanager.register(Kept())
        """
    )
    run(inner, "two.toml", "-p", "kept", "-n", "1", "-k", "no_rank_lock_guard", apart=True)
    assert sorted((inner.path / "kept.txt").read_text().splitlines()) == [
        "controller ['call', 'setup', 'teardown']",
        "worker []",
    ]
