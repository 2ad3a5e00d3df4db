"""Bugs that CPython's library has had are found, and shown again; their mended twins are proved."""

from __future__ import annotations

from typing import Any

import pytest

import racebench as rb
from tests.real.history import BUGS, Bug

PLAIN = [cls for bug in BUGS.values() for cls in (bug.old, bug.mended) if not issubclass(cls, rb.State)]


def program(bug: Bug, cls: type) -> rb.Program:
    def check(s: Any, results: dict[str, Any]) -> rb.Broken | None:
        return None if bug.right(results) else rb.broken("wrong", f"{results}")

    threads: dict[str, Any] = {}
    for name in bug.threads:
        threads[name if name not in threads else f"{name} again"] = getattr(cls, name)
    return rb.Program(cls.__name__, cls, threads, check=check, instrument=PLAIN)


@pytest.mark.parametrize("name", BUGS)
def test_the_old_one_is_found_and_shown_again(name: str) -> None:
    bug = BUGS[name]
    result = rb.verify(program(bug, bug.old), seconds=60)
    assert {finding.rule for finding in result.findings} == bug.finds
    assert result.stats["unseen"] == ()
    for finding in result.findings:
        again = rb.replay(program(bug, bug.old), finding.schedule)
        assert finding.rule in {one.rule for one in again.findings}


@pytest.mark.parametrize("name", BUGS)
def test_explore_finds_it_too(name: str) -> None:
    bug = BUGS[name]
    result = rb.explore(program(bug, bug.old), executions=300, seed=1)
    assert {finding.rule for finding in result.findings} == bug.finds


@pytest.mark.parametrize("name", BUGS)
def test_its_mended_twin_is_proved(name: str) -> None:
    bug = BUGS[name]
    result = rb.verify(program(bug, bug.mended), seconds=60)
    assert (result.findings, result.verdict, result.complete) == ((), rb.Verdict.CLEAN, True)
    assert result.stats["unseen"] == ()
    assert rb.explore(program(bug, bug.mended), executions=100, seed=1).findings == ()


def test_each_is_cited_once() -> None:
    assert len({bug.cites for bug in BUGS.values()}) == len(BUGS) >= 6
