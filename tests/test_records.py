"""The record model: what is stored comes back, one verdict, one better schedule, one sum of counts."""

from __future__ import annotations

import itertools
import json
import tomllib
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from racebench.errors import ResultError
from racebench.findings import Finding, Result, Verdict
from racebench.records import VERSION, Cell, FindingRecord, ModeResult, Run, better, check_schema

STRESS = ModeResult("stress", 100, 3, 0.5, 2.0)
PROOF = ModeResult("verify", 4, seconds=0.1, complete=True, done=1.0)
HALF = ModeResult("verify", 9, seconds=0.1, done=0.5)
EXPLORE = ModeResult(
    "explore", 20, 2, 4, 1.0, strategy="pct", strategies={"pct": {"executions": 20, "classes": 3, "hits": 2}}
)
CELL = Cell("s", "p", expected=("x",), allowed=("y",), found=("x",), verdict="as_expected")
STEPS = (("a", "acquire", "l"), ("b", "acquire", "m"), ("a", "release", "l"))
FOUND = FindingRecord(
    Finding("x", "x: f", "it happened", STEPS, {"message": "m"}, 7, "stress", "free", 3, 9),
    "s", "p", ("a", "b"), {"stress": 5, "verify": 2}, "s.toml", "schema = 1", ("--protocol", "m.py:M"),
)  # fmt: skip


def test_the_version_is_the_projects() -> None:
    """From one place: it is read from the module without running it, so it must be a plain text."""
    settings = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())
    assert "version" in settings["project"]["dynamic"]
    assert settings["tool"]["setuptools"]["dynamic"]["version"] == {
        "attr": "racebench.records.encoding.VERSION"
    }
    assert version("racebench") == VERSION


@pytest.mark.parametrize(
    "cell",
    [
        CELL,
        replace(CELL, stress=STRESS, verify=PROOF, explore=EXPLORE, findings=("findings/0001.json",)),
        replace(CELL, settles=("K1",), hammered=True, proof=True, unseen=("u",), error="e", failed=True),
        replace(CELL, lost=True, partial=True, contradicted=True),
    ],
)
def test_a_run_comes_back_from_its_json(cell: Cell) -> None:
    run = Run((cell,), {"seed": 1}, {"cores": 2}, wall_s=1.5, interrupted=True, torn=1, fuzz={"met": []})
    assert Run.from_json(json.loads(json.dumps(run.to_json())), "run.json") == run


@pytest.mark.parametrize("found", [FOUND, replace(FOUND, rerun="pytest t.py::t", ablation={"taken": []})])
def test_a_finding_comes_back_from_its_json(found: FindingRecord) -> None:
    assert FindingRecord.from_json(json.loads(json.dumps(found.to_json())), "f.json") == found
    assert found.to_json()["count"] == 7


def test_keys_that_nobody_knows_are_ignored() -> None:
    document = Run((CELL,)).to_json()
    more = {**document, "more": 1, "cells": [{**document["cells"][0], "more": 1}]}
    assert Run.from_json(more, "run.json") == Run((CELL,))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("found", "x"), ("found", [1]), ("verdict", None), ("scenario", 5), ("error", 5), ("unseen", {}),
        ("stress", 5), ("stress", {"failures": 0}), ("stress", {"collisions": -1, "failures": 0}),
        ("verify", {"complete": "yes", "executions": 1}), ("partial", 1),
    ],
)  # fmt: skip
def test_a_cell_of_another_shape_is_refused_by_name(key: str, value: Any) -> None:
    cell = {**replace(CELL, stress=STRESS).to_json(), key: value}
    with pytest.raises(ResultError, match=rf"run.json: cells\[0\].*{key}|run.json: cells\[0\]\.{key}"):
        Run.from_json({"schema": 1, "cells": [cell]}, "run.json")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("rule", 5), ("schedule", None), ("schedule", [["a", "b"]]), ("evidence", []), ("count", "x"),
        ("evidence", {"ring": [{}]}), ("seen", {"stress": "x"}), ("threads", [5]), ("found_by", []),
        ("count", 10**30),
    ],
)  # fmt: skip
def test_a_finding_of_another_shape_is_refused_by_name(key: str, value: Any) -> None:
    with pytest.raises(ResultError, match=f"f.json: {key}"):
        FindingRecord.from_json({**FOUND.to_json(), key: value}, "f.json")


@pytest.mark.parametrize(
    ("schema", "words"), [(2, "newer than this RaceBench reads"), (0, "missing"), ("1", "not a number")]
)
def test_a_schema_that_is_not_ours_is_refused(schema: Any, words: str) -> None:
    check_schema({"schema": 1}, "run.json")
    with pytest.raises(ResultError, match=words):
        check_schema({"schema": schema}, "run.json")


def test_evidence_too_deep_to_be_read_back_is_left_out() -> None:
    deep: Any = []
    for _ in range(100):
        deep = [deep]
    found = replace(FOUND, finding=replace(FOUND.finding, evidence={"message": "m", "results": deep}))
    evidence = found.to_json()["evidence"]
    assert evidence["message"] == "m"
    assert evidence["results"].startswith("left out: nested too deeply")


# -- the better schedule


def test_fewer_switches_are_better_then_fewer_steps_and_any_schedule_than_none() -> None:
    few, short = (("a", "x", "l"),) * 5 + (("b", "x", "l"),), STEPS
    longer = (*few, ("b", "x", "l"))
    ranked = [few, longer, short, ()]
    for one, other in itertools.combinations(ranked, 2):
        assert better(one, other)
        assert not better(other, one)
    assert not any(better(one, one) for one in ranked)


def test_what_shows_it_better_keeps_how_it_was_found_and_how_often() -> None:
    other = replace(FOUND, finding=replace(FOUND.finding, schedule=STEPS[:1], mode="verify"), seen={})
    assert other.better(FOUND)
    shown = FOUND.showing(other)
    assert shown.finding.schedule == STEPS[:1]
    assert (shown.finding.mode, shown.finding.after, shown.seen) == ("stress", 9, FOUND.seen)


# -- counts


def test_stress_adds_up_and_the_first_failure_stays_the_first() -> None:
    clean = ModeResult("stress", 50, 0, None, 1.0)
    assert STRESS.plus(clean) == ModeResult("stress", 150, 3, 0.5, 3.0)
    assert clean.plus(STRESS) == ModeResult("stress", 150, 3, 1.5, 3.0)
    assert clean.plus(clean).to_json() == {
        "collisions": 100, "failures": 0, "first_failure_s": None, "seconds": 2.0, "miss_bound": 0.03,
    }  # fmt: skip


def test_explore_adds_up_in_executions_without_the_shares_of_strategies() -> None:
    clean = replace(EXPLORE, failures=0, first_failure=None)
    both = clean.plus(EXPLORE)
    assert (both.executions, both.failures, both.first_failure, both.strategies) == (40, 2, 24, None)


def test_the_proof_that_covers_more_stands_in_either_order() -> None:
    assert PROOF.plus(HALF) == HALF.plus(PROOF) == PROOF
    less = replace(HALF, done=0.2, executions=100)
    assert HALF.plus(less) == less.plus(HALF) == HALF


def test_a_result_of_an_engine_is_told_in_its_modes_own_keys() -> None:
    result = Result(
        Verdict.FOUND, True, 10, 0.12345, (), 4, 2, 0.5, stats={"done": 1.0, "preemption_bound": 2}
    )
    assert ModeResult.of("stress", result).to_json() == {
        "collisions": 10, "failures": 2, "first_failure_s": 0.5, "seconds": 0.123, "miss_bound": None,
    }  # fmt: skip
    assert ModeResult.of("verify", result).to_json() == {
        "complete": True, "executions": 10, "preemption_bound": 2, "done": 1.0, "seconds": 0.123,
    }  # fmt: skip
    assert ModeResult.of("explore", result, "pct").to_json() == {
        "strategy": "pct", "executions": 10, "failures": 2, "first_failure": 4, "seconds": 0.123,
        "strategies": None,
    }  # fmt: skip


# -- the verdict


@pytest.mark.parametrize(
    ("expected", "allowed", "found", "proved", "verdict"),
    [
        ("", "", "", True, "as_expected"),
        ("", "", "", None, "as_expected"),
        ("", "", "", False, "unknown"),
        ("x", "", "x", True, "as_expected"),
        ("x", "", "x", None, "as_expected"),
        ("x", "", "x", False, "unknown"),
        ("x", "", "", True, "missed"),
        ("x", "", "", False, "unknown"),
        ("x", "", "", None, "unknown"),
        ("", "", "x", True, "unexpected"),
        ("", "", "x", False, "unexpected"),
        ("", "x", "x", True, "as_expected"),
        ("", "x", "", True, "as_expected"),
        ("y", "x", "x", True, "missed"),
        ("y", "", "xy", None, "unexpected"),
    ],
)
def test_verdicts(expected: str, allowed: str, found: str, proved: bool | None, verdict: str) -> None:
    """``proved`` is None where no proof is asked for."""
    modes: dict[str, Any] = {"stress": STRESS} if proved is None else {"verify": PROOF if proved else HALF}
    rules = {"expected": tuple(expected), "allowed": tuple(allowed), "found": tuple(found)}
    cell = Cell("s", "p", **rules, **modes, proof=proved is not None)
    assert cell.judged().verdict == verdict


@pytest.mark.parametrize("why", [{"partial": True}, {"error": "e"}, {"unseen": ("u",)}, {"lost": True}])
def test_what_was_cut_off_is_unknown_unless_it_was_proved(why: dict[str, Any]) -> None:
    hammered = Cell("s", "p", stress=STRESS, **why)
    assert hammered.judged().verdict == "unknown"
    assert replace(hammered, found=("x",)).judged().verdict == "unexpected"
    spoilt = why.keys() & {"unseen", "lost"}
    proved = replace(hammered, verify=PROOF, proof=True)
    assert proved.judged().verdict == ("unknown" if spoilt else "as_expected")


def test_of_nothing_there_is_no_answer() -> None:
    assert Cell("s", "p").judged().verdict == "unknown"
    assert Cell("s", "p", stress=ModeResult("stress")).judged().verdict == "unknown"


def test_a_cell_that_contradicts_itself_is_unknown_whatever_was_found() -> None:
    cell = Cell("s", "p", found=("x",), verify=PROOF, proof=True)
    assert cell.judged().verdict == "unexpected"
    assert replace(cell, contradicted=True).judged().verdict == "unknown"
