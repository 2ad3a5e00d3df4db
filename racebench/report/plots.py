"""What a picture says better than a table: how a soak went, when failures came, what strategies covered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import ceil

from .stored import Pairs, Progress
from .text import count, duration
from .tree import Bars

_FEWEST, _MOST_SPANS = 3, 48


def soak(progress: Sequence[Progress]) -> Iterator[Bars]:
    """The rates of collisions and of failures over the time of a run that told enough of itself.

    What a cell did between two times that it was stored is taken to have come evenly.
    """
    told = [one for one in progress if one.until > one.since]
    if len(told) < 2 * _FEWEST:
        return
    first, last = min(one.since for one in told), max(one.until for one in told)
    spans = min(_MOST_SPANS, len(told) // 2)
    length = (last - first) / spans
    collisions, failures = [0.0] * spans, [0.0] * spans
    for one in told:
        begin, end = (one.since - first) / length, (one.until - first) / length
        for i in range(int(begin), min(spans, ceil(end))):
            share = (min(end, i + 1) - max(begin, i)) / (end - begin)
            collisions[i] += one.collisions * share / length
            failures[i] += one.failures * share / length
    ends = [duration(length * (i + 1)) for i in range(spans)]
    yield Bars("collisions a second, over time", list(zip(ends, collisions, strict=True)))
    if any(failures):
        yield Bars("failed collisions a second, over time", list(zip(ends, failures, strict=True)))


def first_failures(findings: Pairs) -> Iterator[Bars]:
    """How many executions it took until each finding, in powers of two: of those found under control."""
    after = [f.finding.after for _, f in findings if f.finding.mode in ("verify", "explore")]
    after = [n for n in after if n > 0]
    if len(after) < _FEWEST:
        return
    most = max(n.bit_length() for n in after)
    bars = []
    for bits in range(1, most + 1):
        low, high = 1 << (bits - 1), (1 << bits) - 1
        label = count(low) if low == high else f"{count(low)}-{count(high)}"
        bars.append((label, float(sum(n.bit_length() == bits for n in after))))
    yield Bars("findings by the executions that each took", bars)


def coverage(classes: Mapping[str, int]) -> Iterator[Bars]:
    """The classes of schedules that each strategy was first to find."""
    if len(classes) > 1 and any(classes.values()):
        yield Bars(
            "classes of schedules found first, by strategy", [(n, float(v)) for n, v in classes.items()]
        )
