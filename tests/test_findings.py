"""What numbers in a result claim: held against exact binomials."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

import racebench as rb
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


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({}, ["no answer: the budget ended first. Give it more."]),
        ({"interrupted": True}, ["no answer: it was interrupted"]),
        ({"stats": {"unseen": ("a", "b")}}, ["no answer: a; b"]),
        ({"verdict": rb.Verdict.CLEAN}, []),
    ],
)
def test_a_result_without_an_answer_says_why(how: Any, said: list[str]) -> None:
    result = replace(rb.Result(rb.Verdict.UNKNOWN, False, 1, 1.0, ()), **how)
    first = f"<Result {result.verdict.name} after 1 execution: 0 findings>"
    assert str(result).splitlines() == [first, *said]


def test_the_engines_are_listed_before_they_are_imported() -> None:
    """In a process of its own: here somebody has imported them."""
    code = "import sys, racebench as rb; print(*dir(rb)); sys.exit('racebench.modes' in sys.modules)"
    listed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert set(rb.__all__) <= set(listed.split())
