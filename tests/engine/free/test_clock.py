"""The clock of a free run, and how long its timeouts really take."""

from __future__ import annotations

import random

import pytest

from racebench.engine.free.clock import Clock, patience, shortened


def test_a_timeout_is_short_and_a_longer_one_longer() -> None:
    real = [shortened(seconds) for seconds in (0, 1e-4, 1e-3, 0.1, 1, 60, 86_400)]
    assert real == sorted(set(real))
    assert real[0] == 0
    assert real[-1] < 0.01


def test_some_come_at_once() -> None:
    rng = random.Random(0)
    waits = [patience(1, rng) for _ in range(200)]
    assert set(waits) == {0.0, shortened(1)}
    assert 20 < waits.count(0.0) < 80


def test_all_of_a_wait_has_gone_by_after_it() -> None:
    clock = Clock(lambda: False)
    before = clock.now()
    clock.passed(3_600)
    clock.passed(-1)
    assert clock.now() - before == pytest.approx(3_600, abs=60)
