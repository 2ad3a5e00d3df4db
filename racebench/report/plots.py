"""Plots: the course of a soak, the times of first failures, the strategies' coverage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import ceil, floor, log10

from ..records import Cell, Progress
from .text import counted, duration
from .tree import Bars

_FEWEST, _MOST_SPANS = 3, 48


def soak(progress: Sequence[Progress]) -> Iterator[Bars]:
    """The rates of collisions and failures over time, if the run has stored enough progress.

    The progress of a cell between two entries is taken to be even.
    """
    timed = [one for one in progress if one.until > one.since]
    if len(timed) < 2 * _FEWEST:
        return
    first, last = min(one.since for one in timed), max(one.until for one in timed)
    spans = min(_MOST_SPANS, len(timed) // 2)
    length = (last - first) / spans
    collisions, failures = [0.0] * spans, [0.0] * spans
    for one in timed:
        begin, end = (one.since - first) / length, (one.until - first) / length
        for i in range(int(begin), min(spans, ceil(end))):
            share = (min(end, i + 1) - max(begin, i)) / (end - begin)
            collisions[i] += one.collisions * share / length
            failures[i] += one.failures * share / length
    ends = [duration(length * (i + 1)) for i in range(spans)]
    yield Bars("collisions a second, over time", list(zip(ends, collisions, strict=True)))
    if any(failures):
        yield Bars("failed collisions a second, over time", list(zip(ends, failures, strict=True)))


def first_failures(cells: Sequence[Cell]) -> Iterator[Bars]:
    """For each mode, the number of cells by the time to their first failure, in powers of ten."""
    for mode, of, said in (("stress", 1000.0, _seconds), ("explore", 1.0, _executions)):
        firsts = [cell.modes[mode].first_failure for cell in cells if mode in cell.modes]
        powers = [max(0, floor(log10(first * of))) for first in firsts if first and first * of > 0]
        if len(powers) >= _FEWEST:
            span = range(min(powers), max(powers) + 1)
            bars = [(f"up to {said(10 ** (power + 1))}", float(powers.count(power))) for power in span]
            yield Bars(f"{mode}: cells by the time to the first failure", bars)


def _seconds(milliseconds: int) -> str:
    return duration(milliseconds / 1000)


def _executions(n: int) -> str:
    return counted(n, "execution")


def coverage(classes: Mapping[str, int]) -> Iterator[Bars]:
    """The classes of schedules that each strategy was the first to find."""
    if len(classes) > 1 and any(classes.values()):
        yield Bars(
            "classes of schedules found first, by strategy", [(n, float(v)) for n, v in classes.items()]
        )
