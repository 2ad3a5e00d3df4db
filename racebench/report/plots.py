"""What a picture says better than a table: how a soak went, when failures came, what strategies covered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from math import ceil

from .stored import Pairs, Progress
from .text import count, duration
from .tree import Bars

_FEWEST, _MOST_SPANS = 3, 48


def soak(progress: Sequence[Progress]) -> Iterator[Bars]:
    """The rate of collisions, and how many failed, over the time of a run that told enough of itself."""
    if len(progress) < 2 * _FEWEST or progress[-1].at <= progress[0].at:
        return
    spans = min(_MOST_SPANS, len(progress) // 2)
    first, length = progress[0].at, (progress[-1].at - progress[0].at) / spans
    collisions, failures = [0.0] * spans, [0.0] * spans
    for before, now in pairwise(progress):
        # What a visit did is told at its end.
        span = min(spans, max(1, ceil((now.at - first) / length))) - 1
        collisions[span] += (now.collisions - before.collisions) / length
        failures[span] += now.failures - before.failures
    ends = [duration(length * (i + 1)) for i in range(spans)]
    yield Bars("collisions a second, over time", list(zip(ends, collisions, strict=True)))
    if any(failures):
        yield Bars("failed collisions, over time", list(zip(ends, failures, strict=True)))


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
