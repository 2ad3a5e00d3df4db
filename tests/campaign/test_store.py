"""A run's folder: what is written, what is read back, what is refused."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from racebench.campaign import results
from racebench.campaign.results import read_finding, read_journal, read_run
from racebench.campaign.store import RunFolder, write_json
from racebench.errors import ResultError, UsageError
from racebench.records import Cell, FindingRecord, ModeResult, Run

from ..fakes import STEPS, finding, target

NOTHING = Run(())
STRESS = ModeResult("stress", 5, seconds=12.0)


def a_finding(tmp_path: Path, signature: str = "mapping.corrupted: p.desc") -> FindingRecord:
    found = finding(schedule=STEPS, signature=signature, count=2)
    return target(tmp_path).record(found, "stress", ["a", "b"])


def a_cell(tmp_path: Path) -> Cell:
    return replace(target(tmp_path).cell(()), stress=ModeResult("stress", 3)).judged()


def killed(folder: RunFolder) -> None:
    """What a kill leaves of an open folder."""
    folder._journal.close()


def test_the_journal_has_each_thing_as_it_comes(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.add_plan({"seed": 1})
    name = folder.add_finding(a_finding(tmp_path))
    folder.add_cell(a_cell(tmp_path))
    # Not finished: this is what a kill -9 leaves.
    journal = read_journal(tmp_path / "run")
    assert journal.plan == {"seed": 1}
    assert list(journal.findings.values()) == [name] == ["findings/0001.json"]
    assert list(journal.cells) == [("two_routes", "baseline")]
    run = read_run(tmp_path / "run")
    assert run.cells == (a_cell(tmp_path),)
    assert run.interrupted is True
    folder.finish(NOTHING)


def test_a_finding_told_again_keeps_its_file(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    record = a_finding(tmp_path)
    first = folder.add_finding(replace(record, finding=replace(record.finding, schedule=())))
    assert folder.add_finding(record) == first
    assert read_finding(tmp_path / "run" / first) == record
    assert folder.add_finding(a_finding(tmp_path, "another")) == "findings/0002.json"
    folder.finish(NOTHING)


def test_a_folder_stays_where_it_was_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    folder = RunFolder(Path("run"))
    monkeypatch.chdir(tmp_path / "elsewhere")
    name = folder.add_finding(a_finding(tmp_path))
    folder.finish(NOTHING)
    assert folder.path == Path("run")
    assert read_finding(tmp_path / "run" / name)
    assert read_run(tmp_path / "run").cells == ()


def test_without_a_working_folder_only_a_full_path_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(UsageError, match="the working folder is gone"):
        RunFolder(Path("run"))
    RunFolder(tmp_path / "run").finish(NOTHING)


def test_a_folder_with_a_run_is_refused(tmp_path: Path) -> None:
    RunFolder(tmp_path).finish(NOTHING)
    with pytest.raises(UsageError, match="already holds a run"):
        RunFolder(tmp_path)


def test_a_folder_without_one_cannot_be_resumed(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no run to resume"):
        RunFolder(tmp_path, resume=True)


def test_a_file_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        RunFolder(tmp_path / "run")


def test_resuming_goes_on_with_numbers_and_survives_a_torn_line(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    record = a_finding(tmp_path)
    folder.add_finding(record)
    folder.add_cell(a_cell(tmp_path))
    folder.finish(NOTHING)
    with (tmp_path / "journal.jsonl").open("a") as file:
        file.write('{"schema": 1, "cell": {"scen')
    again = RunFolder(tmp_path, resume=True)
    assert again.earlier.torn == 1
    assert again.findings_of(("two_routes", "baseline")) == [("findings/0001.json", record)]
    assert again.findings_of(("two_routes", "another")) == []
    assert again.add_finding(a_finding(tmp_path, "another")) == "findings/0002.json"
    again.finish(NOTHING)
    assert len(read_journal(tmp_path).findings) == 2


def test_a_cell_that_goes_on_is_stored_as_far_as_it_has_come(tmp_path: Path) -> None:
    folder, cell = RunFolder(tmp_path), a_cell(tmp_path)
    folder.add_cell(replace(cell, partial=True))
    folder.add_cell(replace(cell, stress=STRESS, partial=True))
    killed(folder)
    [so_far] = read_run(tmp_path).cells
    assert (so_far.stress, so_far.partial) == (STRESS, True)
    again = RunFolder(tmp_path, resume=True)
    assert again.earlier.cells["two_routes", "baseline"] == so_far
    again.add_cell(cell)
    assert read_run(tmp_path).cells == (cell,)


@pytest.mark.parametrize(
    "modes",
    [
        {"stress": {"collisions": 5, "failures": 0, "seconds": "x", "first_failure_s": None}},
        {"stress": {"collisions": -5, "failures": 0, "seconds": 1, "first_failure_s": None}},
        {"stress": {"collisions": 5, "failures": 0, "seconds": 1, "first_failure_s": [1]}},
        {"verify": {"complete": True, "executions": 5, "seconds": None}},
    ],
)
def test_what_nobody_could_go_on_from_is_run_anew(tmp_path: Path, modes: dict[str, Any]) -> None:
    cell = {**a_cell(tmp_path).to_json(), "stress": None, **modes}
    (tmp_path / "journal.jsonl").write_text(json.dumps({"schema": 1, "so_far": cell}) + "\n")
    assert not RunFolder(tmp_path, resume=True).earlier.cells


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert json.loads(path.read_text()) == {"a": 1}


def stored(tmp_path: Path, **changes: Any) -> Path:
    path = tmp_path / "finding.json"
    value = {**a_finding(tmp_path).to_json(), **changes}
    path.write_text(json.dumps({k: v for k, v in value.items() if v is not ...}))
    return path


def test_unknown_keys_are_ignored(tmp_path: Path) -> None:
    read = read_finding(stored(tmp_path, novelty={"x": [1]}))
    assert read == a_finding(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema": 2}, "schema 2 is newer"),
        ({"schema": ...}, "schema: missing"),
        ({"schema": True}, "schema: missing or not a number"),
        ({"rule": 3}, "rule: missing or of the wrong type"),
        ({"schedule": "abc"}, "schedule: missing or of the wrong type"),
        ({"schedule": [["a", "b"]]}, "schedule: missing or of the wrong type"),
        ({"evidence": []}, "evidence: missing or of the wrong type"),
        ({"evidence": {"ring": [{"thread": "a"}]}}, "evidence: ring: missing or of the wrong type"),
        ({"evidence": {"steps": [3]}}, "evidence"),
        ({"threads": [1]}, "threads: missing or of the wrong type"),
    ],
)
def test_a_finding_that_is_none_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = stored(tmp_path, **changes)
    with pytest.raises(ResultError) as error:
        read_finding(path)
    assert str(error.value).startswith(str(path))
    assert message in str(error.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "\x00", "[" * 100_000])
def test_a_file_that_is_no_object_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(ResultError, match="Give a stored"):
        read_finding(path)
    with pytest.raises(ResultError, match="Give a stored"):
        read_run(path)


def test_a_run_with_a_broken_cell_is_refused(tmp_path: Path) -> None:
    good = a_cell(tmp_path).to_json()
    for key, value in (("found", None), ("verdict", 3), ("stress", {"collisions": "x"}), ("verify", [])):
        write_json(tmp_path / "run.json", {"schema": 1, "cells": [good, {**good, key: value}]})
        with pytest.raises(ResultError, match=rf"cells\[1\]\W+{key}"):
            read_run(tmp_path)
    write_json(tmp_path / "run.json", {"schema": 1, "cells": [good]})
    assert read_run(tmp_path).cells == (a_cell(tmp_path),)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
def test_a_journal_that_is_no_file_is_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "journal.jsonl")
    with pytest.raises(ResultError, match=r"journal\.jsonl: no such file"):
        read_journal(tmp_path)
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(ResultError, match=r"journal\.jsonl: no such file"):
        RunFolder(tmp_path, resume=True)
    with pytest.raises(UsageError, match="already holds a run"):
        RunFolder(tmp_path)


def test_a_huge_journal_is_refused_by_its_size(tmp_path: Path) -> None:
    with open(tmp_path / "journal.jsonl", "wb") as file:
        file.truncate(2 << 30)
    with pytest.raises(ResultError, match="larger than 1024 MiB"):
        read_journal(tmp_path)


def test_a_line_that_is_too_long_is_torn_and_the_next_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "_LONGEST_LINE", 40)
    fits = b'{"schema": 1, "plan": {"seed": 1}}\n'
    too_long = b'{"schema": 1, "x": 0, "plan": {"seed": 2}}\n'
    assert len(fits) < 40 < len(too_long)
    (tmp_path / "journal.jsonl").write_bytes(fits + too_long + b"[" * 100 + fits + b"\n" + fits)
    journal = read_journal(tmp_path)
    assert (journal.plan, journal.torn) == ({"seed": 1}, 3)


@pytest.mark.parametrize("name", ["journal.jsonl", "findings", "scenarios"])
def test_nothing_is_written_through_a_link(tmp_path: Path, name: str) -> None:
    run, outside = tmp_path / "run", tmp_path / "outside"
    run.mkdir()
    (run / name).symlink_to(outside)
    with pytest.raises(UsageError, match=rf"{name}: is a symbolic link"):
        RunFolder(run)
    outside.mkdir()
    if name != "journal.jsonl":
        with pytest.raises(UsageError, match=rf"{name}: is a symbolic link"):
            RunFolder(run)
    assert not list(outside.iterdir())


def test_a_link_in_the_place_of_a_file_is_replaced(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("mine")
    for name in ("run.json", "run.json.part"):
        (tmp_path / name).symlink_to(outside)
    write_json(tmp_path / "run.json", {"schema": 1})
    assert outside.read_text() == "mine"
    assert json.loads((tmp_path / "run.json").read_text()) == {"schema": 1}
    assert not (tmp_path / "run.json").is_symlink()


@pytest.mark.parametrize(
    ("value", "message"), [("[" * 200 + "]" * 200, "nested too deeply"), ("9" * 20, "64 bits")]
)
def test_what_is_too_deep_or_too_large_is_refused(tmp_path: Path, value: str, message: str) -> None:
    text = f'{{"schema": 1, "cells": [], "extra": {value}}}'
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(ResultError, match=message):
        read_run(tmp_path)
    (tmp_path / "journal.jsonl").write_text(text + "\n")
    assert read_journal(tmp_path).torn == 1


@pytest.mark.parametrize("error", [None, 5, [], {"a": 1}])
def test_the_error_of_a_cell_is_a_text(tmp_path: Path, error: Any) -> None:
    for reason, cells in (("it was lost", 1), (error, 0)):
        entry = {"schema": 1, "cell": {**a_cell(tmp_path).to_json(), "error": reason}}
        (tmp_path / "journal.jsonl").write_text(json.dumps(entry) + "\n")
        assert len(read_journal(tmp_path).cells) == cells


@pytest.mark.skipif(sys.platform == "win32", reason="needs flock")
def test_a_folder_is_one_runs_at_a_time(tmp_path: Path) -> None:
    first = RunFolder(tmp_path)
    first.add_cell(a_cell(tmp_path))
    for resume in (False, True):
        with pytest.raises(UsageError, match=r"already holds a run|a run is going on there"):
            RunFolder(tmp_path, resume=resume)
    with pytest.raises(UsageError, match="a run is going on there"):
        RunFolder(tmp_path, resume=True)
    killed(first)
    RunFolder(tmp_path, resume=True)


def test_the_journal_tells_how_the_run_went(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.add_plan({})
    for executions, failures in ((100, 0), (300, 5)):
        folder.add_cell(Cell("s", "p", stress=ModeResult("stress", executions, failures)))
    folder.add_cell(Cell("s", "q", verify=ModeResult("verify", 3)))
    (since, middle, *first), (again, until, *second) = read_journal(tmp_path / "run").progress
    assert (first, second) == ([100, 0], [200, 5])
    assert since <= middle == again <= until


def test_a_journal_without_times_is_read_all_the_same(tmp_path: Path) -> None:
    lines = [{"schema": 1, "plan": {}}, {"schema": 1, "cell": Cell("s", "p").to_json()}]
    (tmp_path / "journal.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    journal = read_journal(tmp_path)
    assert not journal.progress and list(journal.cells) == [("s", "p")]
