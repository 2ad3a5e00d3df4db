"""What numbers in a result claim: held against exact binomials."""

from __future__ import annotations

import math

import pytest

from racebench.findings import interval, miss_bound


@pytest.mark.parametrize("tries", [1, 2, 3, 4, 5, 10, 59, 100, 1_000, 31_415, 10**6])
def test_the_miss_bound_holds_and_is_hardly_above_the_exact_one(tries: int) -> None:
    bound = miss_bound(tries, 0)
    assert bound is not None
    # If the probability were that high, no failure in so many tries has a probability below 5 %.
    assert (1 - bound) ** tries <= 0.05
    exact = 1 - 0.05 ** (1 / tries)
    assert exact <= bound <= 1.0
    assert tries < 30 or bound < 1.06 * exact


@pytest.mark.parametrize(("tries", "failures"), [(0, 0), (1, 1), (1_000_000, 1)])
def test_without_tries_or_with_failures_there_is_no_miss_bound(tries: int, failures: int) -> None:
    assert miss_bound(tries, failures) is None


def _coverage(tries: int, p: float) -> float:
    """The probability that the interval of ``tries`` has ``p`` in it."""
    covered = 0.0
    for hits in range(tries + 1):
        low, high = interval(hits, tries)
        if low <= p <= high:
            covered += math.comb(tries, hits) * p**hits * (1 - p) ** (tries - hits)
    return covered


@pytest.mark.parametrize("tries", [1, 2, 5, 10, 30, 100, 300])
def test_the_interval_covers_95_of_100_on_average_and_80_at_worst(tries: int) -> None:
    evenly = [_coverage(tries, n / 100) for n in range(1, 100)]
    assert sum(evenly) / len(evenly) >= 0.945
    few = [_coverage(tries, hits / tries / 20) for hits in range(1, 120) if hits / 20 < tries]
    assert min(evenly + few) >= 0.79
