"""Programs that know nothing of RaceBench: each answer is right, in all modes."""

from __future__ import annotations

import sys
import threading
import types
from typing import Any

import pytest

import racebench as rb
from tests.real.programs import PROGRAMS, Account, Lazy, LazyLocked, Locked, Promise, ReadWrite, Small

CLASSES = [Account, Locked, Lazy, LazyLocked, ReadWrite, Promise]


def program(small: Small) -> rb.Program:
    def check(s: Any, results: dict[str, Any]) -> rb.Broken | None:
        fine = small.right is None or small.right(s, results)
        return None if fine else rb.broken("wrong", f"{results}")

    threads = {f"t{n}": getattr(small.cls, name) for n, name in enumerate(small.threads)}
    return rb.Program("small", small.cls, threads, check=check, instrument=CLASSES)


@pytest.mark.usefixtures("as_found")
@pytest.mark.parametrize("name", PROGRAMS)
def test_verify_is_right(name: str) -> None:
    small = PROGRAMS[name]
    result = rb.verify(program(small), seconds=60)
    found = {finding.rule for finding in result.findings}
    assert found >= small.finds and (bool(found) == bool(small.finds)), result.findings
    assert result.stats["unseen"] == ()
    if not small.finds:
        assert (result.verdict, result.complete) == (rb.Verdict.CLEAN, True)


@pytest.mark.parametrize("name", PROGRAMS)
def test_explore_is_right_and_what_it_finds_is_replayed(name: str) -> None:
    small = PROGRAMS[name]
    result = rb.explore(program(small), executions=200, seed=1)
    assert bool(result.findings) == bool(small.finds)
    for finding in result.findings[:1]:
        again = rb.replay(program(small), finding.schedule)
        assert finding.rule in {one.rule for one in again.findings}


@pytest.mark.parametrize("name", [name for name, small in PROGRAMS.items() if not small.finds])
def test_stress_finds_nothing_in_those_that_are_right(name: str) -> None:
    before = threading.active_count()
    assert rb.stress(program(PROGRAMS[name]), seconds=0.02).findings == ()
    assert threading.active_count() == before


def test_all_is_undone() -> None:
    rb.verify(program(PROGRAMS["pool"]), max_executions=20)
    assert threading.Lock is type(threading.Lock()) or threading.Lock().__class__.__name__ == "lock"
    assert not [name for name, value in vars(Account).items() if isinstance(value, property)]
    assert threading.Thread.start.__module__ == "threading"


class Made(rb.State):
    lock = rb.shared(None)


@pytest.mark.parametrize("imported", ["Lock", "Lock as L"])
def test_a_module_that_takes_the_place_of_another_is_looked_at_anew(
    monkeypatch: pytest.MonkeyPatch, imported: str
) -> None:
    """All have as many globals, and this one calls the same class by another name than the one before."""
    for names in ("Lock as Old", imported):
        module = types.ModuleType("twice_there")
        monkeypatch.setitem(sys.modules, module.__name__, module)
        exec(f"from threading import {names}\ndef made():\n    return {names.split()[-1]}()", vars(module))
        seen: list[type] = []
        rb.verify(rb.Program("twice", Made, {"a": lambda s, module=module: seen.append(type(module.made()))}))
        assert seen and all(issubclass(cls, rb.Lock) for cls in seen)
