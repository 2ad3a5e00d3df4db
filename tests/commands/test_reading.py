"""The verbs that read what is stored: report, compare, and explain across runs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from racebench import cli
from racebench.commands.shared.run_folder import history

from ..report.samples import cell, finding

Capture = pytest.CaptureFixture[str]
CELL = cell("release_vs_isenabler", found=["deadlock.cycle"], expected=["deadlock.cycle"])


@pytest.fixture(autouse=True)
def _somewhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    yield


def run(name: str, at: int, *found: dict[str, Any], cells: list[dict[str, Any]] | None = None) -> Path:
    """A stored run with a journal, last written at ``at``."""
    path = Path(name)
    (path / "findings").mkdir(parents=True)
    lines = [json.dumps({"schema": 1, "plan": {}})]
    for i, one in enumerate(found, 1):
        file = f"findings/{i:04d}.json"
        (path / file).write_text(json.dumps({"schema": 1, **one}))
        keys = ("scenario", "protocol", "signature")
        lines.append(json.dumps({"schema": 1, "finding": file, **{k: one[k] for k in keys}}))
    (path / "journal.jsonl").write_text("\n".join(lines) + "\n")
    (path / "run.json").write_text(json.dumps({"schema": 1, "cells": [CELL] if cells is None else cells}))
    os.utime(path / "run.json", (at, at))
    return path


def test_all_formats_at_once(capsys: Capture) -> None:
    run("r", 1, finding())
    formats = ("html", "junit", "markdown", "sarif", "svg")
    assert cli.main(["report", "r", *(part for f in formats for part in (f"--{f}", f"out.{f}"))]) == 0
    assert capsys.readouterr().out.splitlines() == [f"{f}: out.{f}" for f in formats]
    for name in formats:
        assert "release_vs_isenabler" in Path(f"out.{name}").read_text(encoding="utf-8")


def test_brief_is_only_what_is_not_as_expected(capsys: Capture) -> None:
    run("r", 1, finding(), cells=[cell("release_vs_isenabler", verdict="unexpected"), cell("fine")])
    assert cli.main(["report", "r", "--brief", "--junit", "out"]) == 0
    assert 'tests="1"' in Path("out").read_text()
    capsys.readouterr()
    assert cli.main(["report", "r", "--brief"]) == 0
    shown = capsys.readouterr().out
    assert "release_vs_isenabler x baseline" in shown and "fine" not in shown


def test_the_width_is_that_of_the_text() -> None:
    run("r", 1, finding())
    assert cli.main(["report", "r", "--markdown", "a", "--width", "50"]) == 0
    lines = [line for line in Path("a").read_text(encoding="utf-8").splitlines() if "replay" not in line]
    assert 40 < max(map(len, lines)) <= 50


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["report", "r"], "no format: give one or more of --html F, --junit F, --markdown F"),
        (["report", "r", "--html", "no/such/x"], "no/such/x: cannot be written"),
        (["report", "none", "--html", "x"], "none"),
        (["report", "r", "--markdown", "x", "--width", "3"], "must be 40 to 500"),
        (["compare", "r", "none"], "none"),
        (["compare", "r"], "NEW_RUN"),
    ],
)
def test_bad_usage_is_one_line_and_2(argv: list[str], said: str, capsys: Capture) -> None:
    run("r", 1, finding())
    assert cli.main(argv) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and said in err


def test_reading_runs_nothing(tmp_path: Path) -> None:
    Path("mine.py").write_text("open('ran', 'w')")
    named = {"scenario_file": str(tmp_path / "mine.py"), "replay_args": ["--protocol", "mine.py:Mine"]}
    run("r", 1, finding(**named, source=""))
    assert cli.main(["report", "r", "--html", "a", "--sarif", "b", "--svg", "c"]) == 0
    assert cli.main(["compare", "r", "r"]) == 0
    assert not Path("ran").exists()


def test_a_run_that_was_cut_off_is_reported() -> None:
    (run("r", 1, finding()) / "run.json").unlink()
    assert cli.main(["report", "r", "--junit", "a", "--markdown", "b"]) == 0
    assert "interrupted" in Path("b").read_text(encoding="utf-8")


def test_compare_exits_1_on_a_regression(capsys: Capture) -> None:
    run("base", 1)
    run("new", 2, finding())
    assert cli.main(["compare", "base", "new", "--json", "-"]) == 1
    assert json.loads(capsys.readouterr().out)["regression"] is True
    assert cli.main(["compare", "new", "base"]) == 0
    assert "no regression" in capsys.readouterr().out


def test_in_how_many_of_the_older_runs_it_was_seen(capsys: Capture) -> None:
    run("now", 50, finding())
    run("a", 40, finding(protocol="baseline"))
    run("b", 30)
    run("c", 20, finding())
    run("d", 10)
    run("newer", 60)
    run("other_cells", 5, cells=[cell("another")])
    assert history(Path("now")) == {finding()["signature"]: (3, 5)}
    assert cli.main(["explain", "now"]) == 0
    assert "seen in 3 of the last 5 runs" in capsys.readouterr().out


def test_the_example_that_comes_with_racebench_is_no_run_of_the_users() -> None:
    now = run("reports/now", 50, finding())
    example = run("reports/example", 40, finding())
    assert history(now) == {}
    run("reports/before", 30)
    assert history(now) == {finding()["signature"]: (1, 2)}
    assert history(example) == {}


def test_what_cannot_be_read_is_no_run() -> None:
    now = run("now", 50, finding())
    run("good", 40)
    for i, text in enumerate(("{", '{"schema": 99}', '{"schema": 1, "cells": 5}', "\xff")):
        bad = run(f"bad{i}", 30)
        (bad / "run.json").write_bytes(text.encode("latin-1"))
    (run("torn", 20) / "journal.jsonl").write_bytes(b'{"schema": 99}\n')
    (Path("folder") / "run.json").mkdir(parents=True)
    assert history(now) == {finding()["signature"]: (1, 2)}
    assert history(run("alone/now", 1, finding())) == {}


def test_at_most_twenty_older_runs_are_read() -> None:
    now = run("now", 500, finding())
    for i in range(25):
        run(f"r{i}", i, finding())
    assert history(now) == {finding()["signature"]: (21, 21)}


def test_without_a_journal_the_findings_tell() -> None:
    now = run("now", 50, finding())
    (run("old", 40, finding()) / "journal.jsonl").unlink()
    assert history(now) == {finding()["signature"]: (2, 2)}


def test_compare_needs_something_in_common_and_says_who_was_interrupted(capsys: Capture) -> None:
    run("base", 1)
    run("other", 1, cells=[cell("another")])
    assert cli.main(["compare", "base", "other"]) == 2
    assert "base and other have no cell in common" in capsys.readouterr().err
    stored = Path("base/run.json")
    stored.write_text(json.dumps({**json.loads(stored.read_text()), "interrupted": True}))
    run("whole", 1)
    assert cli.main(["compare", "whole", "base"]) == 0
    assert "the new run was interrupted" in capsys.readouterr().out
