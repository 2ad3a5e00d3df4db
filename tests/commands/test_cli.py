"""The command line: options, exit statuses, what is printed where."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from racebench import cli, commands
from racebench.campaign import cell_run as cell_module
from racebench.campaign import runner
from racebench.campaign.quantities import duration, natural, positive
from racebench.campaign.results import read_journal
from racebench.campaign.store import RunFolder
from racebench.errors import HarnessBug

from ..fakes import TWO_ROUTES, Engine, Here, finding, hammered_until_found, result, scenario

Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch


@pytest.fixture(autouse=True)
def _somewhere_else(tmp_path: Path, monkeypatch: Patch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("RACEBENCH_DEBUG", raising=False)
    yield


def play(monkeypatch: Patch, **answers: Any) -> Engine:
    fake = Engine(**answers)
    monkeypatch.setattr(cell_module, "modes", fake)
    monkeypatch.setattr(runner, "Pool", Here)
    return fake


def clean(**how: Any) -> Any:
    return result(complete=True, executions=2)


def one_line(capsys: Capture) -> str:
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("racebench: ")
    return err


# -- arguments


@pytest.mark.parametrize(
    ("text", "seconds"), [("500ms", 0.5), ("30s", 30.0), ("1.5s", 1.5), ("10m", 600.0), ("2h", 7200.0)]
)
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "30", "s", "-1s", "0s", "1e3s", "30 s", "\u0661s", "infs", "99999999s"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(Exception, match="is not a duration: write 500ms, 30s, 10m or 2h"):
        duration(text)


def test_numbers() -> None:
    assert (natural("0"), positive("3")) == (0, 3)
    for wrong in ("-1", "1.0", "x", "", "1" * 40):
        with pytest.raises(Exception, match="is not a whole number"):
            natural(wrong)
    with pytest.raises(Exception, match="must be 1 or more"):
        positive("0")


@pytest.mark.parametrize("verb", commands.names())
def test_each_verb_has_help_with_an_example(verb: str, capsys: Capture) -> None:
    with pytest.raises(SystemExit) as end:
        commands.parse([verb, "--help"], "1")
    assert end.value.code == 0
    assert f"example: racebench {verb}" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["hammer"],
        ["run", "--time", "30"],
        ["run", "--jobs", "0"],
        ["run", "--only", "explore"],
        ["run", "--seed", "-1"],
        ["run", "no_such_scenario"],
        ["run", "@no_such_tag"],
        ["run", "none.toml"],
        ["run", "none/"],
        ["run", "--protocol", "no_such_protocol"],
        ["run", "--protocol", "none.py:Mine"],
        ["run", "--out", "a", "--resume", "b"],
        ["run", "--resume", "none"],
        ["run", ""],
        ["run", "--out", ""],
        ["run", "--out", "a\0b"],
        ["run", "--resume", ""],
        ["verify", "route_vs_route", "--json", ""],
        ["report", "r", "--html", ""],
        ["run", "route_vs_route", "--out", "x" * 300],
        ["explore", "--strategy", "guess"],
        ["replay"],
        ["replay", "none.json"],
        ["explain", "none.json"],
        ["list", "things"],
    ],
)
def test_bad_usage_is_one_line_and_2(argv: list[str], capsys: Capture) -> None:
    assert cli.main(argv) == 2
    one_line(capsys)
    assert not Path("reports").exists()


def test_a_bad_scenario_is_told_with_its_place(tmp_path: Path, capsys: Capture) -> None:
    Path("bad.toml").write_text(TWO_ROUTES.replace("virq=40 pirq=64", "virq=4 pirq=64"))
    assert cli.main(["run", "bad.toml"]) == 2
    assert "bad.toml: threads.a[0]: virq 4 is outside 32..95" in one_line(capsys)


NEW_VERB = """
ABOUT, EXAMPLE = "greet", "greet --name you"
def declare(add):
    add("--name", required=True)
def act(args, stop):
    print("hello", args.name)
    return 1
"""


def test_a_new_verb_is_one_file(tmp_path: Path, monkeypatch: Patch, capsys: Capture) -> None:
    (tmp_path / "greet.py").write_text(NEW_VERB)
    monkeypatch.setattr(commands, "__path__", [*commands.__path__, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "racebench.commands.greet", raising=False)
    assert "greet" in commands.names()
    assert cli.main(["greet", "--name", "you"]) == 1
    assert capsys.readouterr().out == "hello you\n"
    assert cli.main(["greet"]) == 2
    assert one_line(capsys) == (
        "racebench: the following arguments are required: --name. See `racebench greet --help`.\n"
    )


@pytest.mark.parametrize(
    ("argv", "unneeded"), [("--version", ("engine", "report", "rich")), ("list", ("engine",))]
)
def test_only_what_a_verb_needs_is_imported(argv: str, unneeded: tuple[str, ...]) -> None:
    code = f"""
import sys
from racebench.cli import main
try:
    main([{argv!r}])
except SystemExit:
    pass
loaded = {{name.removeprefix("racebench.").partition(".")[0] for name in sys.modules}}
sys.exit(repr(loaded & {{*{unneeded!r}}}) if loaded & {{*{unneeded!r}}} else 0)
"""
    done = in_a_process(code, stdout=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("verb", ["run", "verify"])
def test_until_a_child_is_at_work_nothing_that_runs_or_draws_is_imported(verb: str) -> None:
    code = f"""
import sys
from racebench.cli import main
from racebench.commands.shared import campaign
campaign.run_campaign = lambda *what: sys.exit(repr(early) if (early := late & {{*sys.modules}}) else 0)
campaign._Shown.__call__ = lambda self, *what: None
late = {{"rich", "racebench.report.terminal", "racebench.engine.control", "racebench.engine.free"}}
main([{verb!r}, "route_vs_route", "--protocol", "baseline"])
"""
    done = in_a_process(code)
    assert (done.returncode, done.stderr) == (0, b"")


# -- run, verify, explore


def test_as_expected_is_0_and_is_stored(tmp_path: Path, monkeypatch: Patch, capsys: Capture) -> None:
    play(monkeypatch, verify=clean, stress=lambda **how: result())
    scenario(tmp_path)
    argv = ["run", "two_routes.toml", "--protocol", "baseline", "--time", "10ms", "--out", "r"]
    assert cli.main(argv) == 0
    out = capsys.readouterr().out
    assert "1 of 1 cell as expected" in out
    assert out.endswith("all of it: racebench explain r\n")
    assert json.loads(Path("r/run.json").read_text())["cells"][0]["verdict"] == "as_expected"
    assert cli.main(argv) == 2
    assert "r: already holds a run" in one_line(capsys)


def test_not_as_expected_is_1(tmp_path: Path, monkeypatch: Patch, capsys: Capture) -> None:
    play(monkeypatch, verify=clean)
    scenario(tmp_path)
    assert cli.main(["verify", "two_routes.toml", "--protocol", "no_rank_lock"]) == 1
    said = "Not found: mapping.corrupted, mapping.double_success, which were expected in two_routes x "
    assert said in " ".join(capsys.readouterr().out.split())
    [folder] = Path("reports").iterdir()
    assert folder.name.endswith("-verify")


def test_json_alone_on_standard_output(tmp_path: Path, monkeypatch: Patch, capsys: Capture) -> None:
    play(monkeypatch, explore=lambda **how: result())
    scenario(tmp_path)
    argv = ["explore", "two_routes.toml", "--protocol", "baseline", "--executions", "5", "--json", "-"]
    assert cli.main(argv) == 0
    run = json.loads(capsys.readouterr().out)
    assert run["cells"][0]["explore"]["executions"] == 100
    assert "dir" not in run
    assert cli.main([*argv[:-1], "run.json"]) == 0
    assert json.loads(Path("run.json").read_text())["schema"] == 1
    assert cli.main([*argv[:-1], "none/run.json"]) == 2


def test_options_reach_the_engine(tmp_path: Path, monkeypatch: Patch) -> None:
    fake = play(monkeypatch, verify=clean, explore=lambda **how: result())
    scenario(tmp_path)
    cli.main(["verify", "two_routes.toml", "--protocol", "baseline", "--preemptions", "2", "--time", "5h"])
    argv = ["explore", "two_routes.toml", "--protocol", "baseline", "--strategy", "pct", "--seed", "7"]
    cli.main([*argv, "--executions", "9"])
    (_, verify), (_, explore) = fake.calls
    assert verify["preemptions"] == 2
    assert 4 * 3600 < verify["seconds"] <= 5 * 3600
    assert (explore["strategy"], explore["seed"], explore["executions"]) == ("pct", 7, 9)


@pytest.mark.parametrize(
    ("given", "executions", "seconds"),
    [
        ([], 10_000, None),
        (["--executions", "9"], 9, None),
        (["--time", "20h"], 10**9, 72_000),
        (["--executions", "9", "--time", "20h"], 9, 72_000),
    ],
)
def test_explore_takes_executions_or_time_or_both(
    monkeypatch: Patch, given: list[str], executions: int, seconds: float | None
) -> None:
    fake = play(monkeypatch, explore=lambda **how: result())
    Path("two_routes.toml").write_text(TWO_ROUTES)
    assert cli.main(["explore", "two_routes.toml", "--protocol", "baseline", *given]) == 0
    [(_, how)] = fake.calls
    assert how["executions"] == executions
    if seconds is None:
        assert how["seconds"] is None
    else:
        assert 0 < how["seconds"] <= seconds


def test_interrupted_is_130_with_what_is_known(tmp_path: Path, monkeypatch: Patch, capsys: Capture) -> None:
    def interrupted(**how: Any) -> Any:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        return result(finding(), interrupted=True)

    play(monkeypatch, stress=interrupted)
    scenario(tmp_path)
    argv = ["run", "two_routes.toml", "--protocol", "baseline", "--only", "stress", "--out", "r"]
    assert cli.main(argv) == 130
    assert "interrupted:" in capsys.readouterr().out
    assert json.loads(Path("r/run.json").read_text())["cells"][0]["found"] == ["mapping.corrupted"]
    play(monkeypatch, stress=lambda **how: result())
    assert cli.main(["run", "--resume", "r", "--time", "10ms"]) == 1
    run = json.loads(Path("r/run.json").read_text())
    assert run["interrupted"] is False
    assert run["options"]["modes"] == ["stress"]


def test_our_own_fault_is_3(tmp_path: Path, monkeypatch: Patch, capsys: Capture) -> None:
    scenario(tmp_path)
    for fault in (HarnessBug("oops"), ZeroDivisionError("oops")):
        play(monkeypatch, verify=fault)
        assert cli.main(["verify", "two_routes.toml", "--protocol", "baseline"]) == 3
        err = capsys.readouterr().err
        assert "RaceBench itself failed" in err
        assert "Traceback" not in err
    monkeypatch.setenv("RACEBENCH_DEBUG", "1")
    play(monkeypatch, verify=ZeroDivisionError("oops"))
    assert cli.main(["verify", "two_routes.toml", "--protocol", "baseline"]) == 3
    assert "Traceback" in capsys.readouterr().err


def test_a_program_that_cannot_run_is_bad_input(capsys: Capture) -> None:
    Path("bad.py").write_text(
        'import racebench as rb\nTITLE, TAGS, EXPECT = "x", [], {"v": []}\n'
        "def setup():\n    raise KeyError('gone')\n"
        "def variants():\n    return {'v': rb.Program('x', setup=setup, threads={'a': len})}\n"
    )
    assert cli.main(["verify", "bad.py"]) == 2
    assert "gone" in capsys.readouterr().err


# -- the real thing


def found(argv: list[str], capsys: Capture) -> list[Path]:
    cli.main([*argv, "--out", "r"])
    capsys.readouterr()
    return sorted(Path("r/findings").glob("*.json"))


def test_what_is_found_is_replayed_ten_times_of_ten(capsys: Capture) -> None:
    files = found(["run", "route_vs_route", "--protocol", "no_rank_lock", "--time", "300ms"], capsys)
    assert len(files) == 2
    for file in files:
        for _ in range(10):
            assert cli.main(["replay", str(file)]) == 0
    out = capsys.readouterr().out
    assert out.count("reproduced in") == 20
    assert cli.main(["replay", str(files[0]), "--trace"]) == 0
    assert "write p[40].desc" in capsys.readouterr().out


def test_a_finding_of_the_free_run_is_replayed_too(monkeypatch: Patch, capsys: Capture) -> None:
    hammered_until_found(monkeypatch)
    argv = ["run", "release_vs_isenabler", "--protocol", "baseline", "--only", "stress", "--time", "1000s"]
    files = found(argv, capsys)
    assert {json.loads(file.read_text())["rule"] for file in files} == {
        "deadlock.cycle",
        "lock_order.inversion",
    }
    for file in files:
        assert json.loads(file.read_text())["found_by"]["mode"] == "stress"
        assert cli.main(["replay", str(file)]) == 0


def test_a_finding_is_replayed_without_its_scenario_file(tmp_path: Path, capsys: Capture) -> None:
    made = scenario(tmp_path)
    [file, _] = found(["verify", str(made.path), "--protocol", "no_rank_lock"], capsys)
    made.path.unlink()
    assert cli.main(["replay", str(file)]) == 0


def test_a_scenario_in_a_finding_is_told_with_the_file_it_is_in(tmp_path: Path, capsys: Capture) -> None:
    [file, _] = found(["verify", "route_vs_route", "--protocol", "no_rank_lock"], capsys)
    value = json.loads(file.read_text())
    file.write_text(json.dumps({**value, "source": value["source"].replace("virq=40", "virq=4")}))
    assert cli.main(["replay", str(file)]) == 2
    assert f"{file}: source: threads.toolstack0[0]: virq 4 is outside" in one_line(capsys)


def test_a_very_long_error_keeps_its_place_and_its_remedy(tmp_path: Path, capsys: Capture) -> None:
    Path("bad.toml").write_text(TWO_ROUTES.replace("schema = 1", "schema = 1\n" + "k" * 100_000 + " = 1", 1))
    assert cli.main(["run", "bad.toml"]) == 2
    said = one_line(capsys)
    assert len(said) < 1500 and "bad.toml: kkk" in said and "unknown key. Known here: schema," in said


def test_the_system_s_errors_have_a_place_and_a_remedy(tmp_path: Path, capsys: Capture) -> None:
    assert cli.main(["run", "route_vs_route", "--out", "x" * 300]) == 2
    assert one_line(capsys).rstrip().endswith("/run.json: File name too long. Check the path and the disk.")


def test_a_replay_that_leaves_its_recording_is_1(capsys: Capture) -> None:
    [file, _] = found(["verify", "route_vs_route", "--protocol", "no_rank_lock"], capsys)
    value = json.loads(file.read_text())
    file.write_text(json.dumps({**value, "protocol": "baseline"}))
    assert cli.main(["replay", str(file)]) == 1
    assert "diverged: replay diverged at step" in " ".join(capsys.readouterr().out.split())
    file.write_text(json.dumps({**value, "rule": "deadlock.cycle"}))
    assert cli.main(["replay", str(file)]) == 1
    assert "not reproduced" in capsys.readouterr().out
    file.write_text(json.dumps({**value, "schedule": []}))
    assert cli.main(["replay", str(file)]) == 2


def test_a_result_names_code_but_never_runs_it(capsys: Capture) -> None:
    Path("mine.py").write_text(
        "from pathlib import Path\nfrom racebench.vgic import protocol\n"
        "Path('ran').touch()\n"
        "class Mine(protocol('no_rank_lock')):\n    ID = 'mine'\n"
    )
    [file, _] = found(["verify", "route_vs_route", "--protocol", "mine.py:Mine"], capsys)
    Path("ran").unlink()
    assert cli.main(["replay", str(file)]) == 2
    assert "Add --protocol mine.py:Mine." in one_line(capsys)
    assert cli.main(["explain", str(file)]) == 0
    assert cli.main(["explain", "r"]) == 0
    assert not Path("ran").exists()
    assert cli.main(["replay", str(file), "--protocol", "mine.py:Mine"]) == 0


def test_explain_shows_a_stored_run_even_one_that_was_cut_off(capsys: Capture) -> None:
    found(["verify", "release_vs_isenabler", "--protocol", "baseline"], capsys)
    Path("r/run.json").unlink()
    assert cli.main(["explain", "r"]) == 0
    out = capsys.readouterr().out
    assert "vcpu0 and toolstack wait for each other" in out
    assert "interrupted: 1 of 1 cell as expected" in out


def test_what_was_cut_off_says_how_much_is_left_and_how_to_go_on(capsys: Capture) -> None:
    found(["verify", "release_vs_isenabler", "--protocol", "baseline", "no_rank_lock"], capsys)
    Path("r/run.json").unlink()
    journal = Path("r/journal.jsonl")
    lines = journal.read_text().splitlines()
    second = next(i for i, line in enumerate(lines) if '"cell"' in line and "no_rank_lock" in line)
    journal.write_text("\n".join([*lines[:second], lines[second][:40]]))
    assert cli.main(["explain", "r"]) == 0
    output = " ".join(capsys.readouterr().out.split())
    assert "interrupted: 1 of 1 cell as expected" in output
    assert "1 cell not run to the end, 1 torn line in the journal" in output
    assert output.endswith("saved in r resume with: racebench run --resume r")
    assert cli.main(["run", "--resume", "r"]) == 0
    out = capsys.readouterr().out
    assert "2 of 2 cells as expected" in out
    assert "resume with" not in out


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_full_disk_is_one_line_and_the_run_goes_on_later(
    jobs: str, monkeypatch: Patch, capsys: Capture
) -> None:
    add_cell = RunFolder.add_cell

    def full(self: RunFolder, cell: Any) -> None:
        add_cell(self, cell)
        os.dup2(os.open("/dev/full", os.O_WRONLY), self._journal.fileno())

    argv = ["release_vs_isenabler", "--protocol", "baseline", "no_rank_lock"]
    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "add_cell", full)
        assert cli.main(["run", *argv, "--only", "verify", "--jobs", jobs, "--out", "r"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert err.startswith("racebench: r: cannot be written: No space left on device. Make room there")
    assert "`racebench run --resume r` goes on" in err
    assert len(read_journal(Path("r")).cells) == 1
    assert cli.main(["run", "--resume", "r"]) == 0
    assert "2 of 2 cells as expected" in capsys.readouterr().out


@pytest.mark.parametrize("what", ["scenarios", "protocols", "strategies", "rules"])
def test_lists(what: str, capsys: Capture) -> None:
    assert cli.main(["list", what]) == 0
    expected = {
        "scenarios": "route_vs_route",
        "protocols": "baseline",
        "strategies": "pct",
        "rules": "data_race",
    }
    assert expected[what] in capsys.readouterr().out


def in_a_process(code: str, **how: Any) -> subprocess.CompletedProcess[bytes]:
    """``code`` in a Python that finds this RaceBench, installed or not."""
    env = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parent.parent)}
    return subprocess.run([sys.executable, "-c", code], env=env, stderr=subprocess.PIPE, check=False, **how)


def test_a_reader_that_goes_away_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    code = "import sys; from racebench.cli import main; sys.exit(main(['list', 'rules']))"
    done = in_a_process(code, stdout=write)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_module_runs() -> None:
    code = (
        "import runpy, sys; sys.argv = ['', '--version']; runpy.run_module('racebench', run_name='__main__')"
    )
    done = in_a_process(code, stdout=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"racebench ")


@pytest.mark.parametrize(("argv", "status"), [(["list", "rules"], 0), (["list", "nothing_of_this_name"], 2)])
def test_the_process_ends_with_the_status_and_prints_all(
    argv: list[str], status: int, capsys: Capture
) -> None:
    """It ends itself, so nobody else would flush what it has printed."""
    assert cli.main(argv) == status
    output = capsys.readouterr()
    code = f"import sys; sys.argv[1:] = {argv!r}; from racebench.__main__ import main; sys.exit(main())"
    done = in_a_process(code, stdout=subprocess.PIPE)
    assert (done.returncode, done.stderr.decode()) == (status, output.err)
    assert done.stdout.decode().split() == output.out.split()


def test_what_others_do_at_its_end_is_done(tmp_path: Path) -> None:
    profile = ["-m", "cProfile", "-o", str(tmp_path / "profile"), "-m", "racebench", "list", "rules"]
    subprocess.run([sys.executable, *profile], check=True, capture_output=True)
    assert (tmp_path / "profile").stat().st_size
    code = """if True:
        import atexit, sys
        from racebench.__main__ import main
        sys.argv[1:] = ["list", "nothing_of_this_name"]
        status = main()
        atexit.register(print, "heard")
        sys.exit(status)
    """
    done = in_a_process(code, stdout=subprocess.PIPE)
    assert (done.returncode, done.stdout) == (2, b"heard\n")


@pytest.mark.parametrize("first", ["racebench.campaign.nursery", "racebench.records", "racebench.cli"])
def test_ctrl_c_while_the_rest_is_imported_shows_no_traceback(first: str) -> None:
    """``first`` is what is being imported when it comes."""
    code = f"""if True:
        import signal, sys

        class Impatient:
            def find_spec(self, name, path=None, target=None):
                if name == {first!r}:
                    signal.raise_signal(signal.SIGINT)

        sys.meta_path.insert(0, Impatient())
        sys.argv[1:] = ["verify", "route_vs_route", "--protocol", "baseline", "--out", "out"]
        from racebench.__main__ import main
        print([name for name in sys.modules if name.startswith("racebench.")])
        sys.exit(main())
    """
    done = in_a_process(code, stdout=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (130, b"")
    assert done.stdout == b"['racebench.__main__']\n"


def test_quiet_tells_only_what_is_not_as_expected(capsys: Capture) -> None:
    assert (
        cli.main(
            ["verify", "route_vs_route", "--protocol", "no_rank_lock", "--quiet", "--full", "--out", "q"]
        )
        == 0
    )
    good = capsys.readouterr().out
    assert "\n1 of 1 cell as expected" in good and "╭─" not in good
    Path("mine.toml").write_text(TWO_ROUTES.partition("[expect]")[0] + "[expect]\nno_rank_lock = []\n")
    assert cli.main(["verify", "mine.toml", "--quiet", "--full", "--out", "r"]) == 1
    bad = capsys.readouterr().out
    assert "unexpected" in bad and "replay: racebench replay" in bad and "[1/1]" not in bad
