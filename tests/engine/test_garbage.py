"""A run leaves nothing for the collector: what stays would count as old, and stay for hours."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable

import pytest

import racebench as rb
from racebench.engine.garbage import Collector, tamed

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


class Ring:
    """What only the collector takes away."""

    def __init__(self) -> None:
        self.me = self


def test_the_collector_takes_rings_away_when_it_is_told_that_it_may() -> None:
    with tamed() as collector:
        for _ in range(40):
            ring = weakref.ref(Ring())
            assert ring() is not None
            for _ in range(64):
                # However far apart it has come to do it.
                collector.collect()
            assert ring() is None


def test_it_looks_less_often_where_there_is_nothing() -> None:
    with tamed():
        collector = Collector()
        collections = []
        gc.callbacks.append(lambda phase, info: collections.append(phase))
        try:
            for _ in range(64):
                collector.collect()
        finally:
            gc.callbacks.pop()
        assert 0 < collections.count("stop") < 16


def test_it_looks_at_once_again_where_there_is_much() -> None:
    with tamed():
        collector = Collector()
        for _ in range(64):
            collector.collect()
        for _ in range(65):
            rings = [weakref.ref(Ring()) for _ in range(200)]
            collector.collect()
        # However long the collections take.
        assert [ring() for ring in rings] == [None] * 200
