"""A run leaves nothing for the collector: what stays would count as old, and stay for hours."""

from __future__ import annotations

import gc
from collections.abc import Callable

import pytest

import racebench as rb
from racebench.engine.garbage import tamed

from . import programs as p

RUNS: dict[str, Callable[[], rb.Result]] = {
    "stress": lambda: rb.stress(p.abba(), seconds=0.05),
    "explore": lambda: rb.explore(p.abba(), executions=50),
    "verify": lambda: rb.verify(p.abba()),
}


@pytest.mark.parametrize("mode", RUNS)
def test_a_run_takes_its_rings_of_objects_with_it(mode: str) -> None:
    RUNS[mode]()
    gc.collect()
    gc.disable()
    try:
        result = RUNS[mode]()
        assert gc.collect() < 50
    finally:
        gc.enable()
    assert result.findings


def test_the_collector_is_as_it_was_and_so_is_what_it_knew() -> None:
    known = gc.get_freeze_count()
    with tamed(), tamed():
        assert not gc.isenabled()
        assert gc.get_freeze_count() > known
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0
