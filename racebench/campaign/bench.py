"""Measure this machine: figures, and bars, which are ratios of figures of one round.

All parts are measured in rounds, one after another, so that a machine that is busy for a
while slows all figures that are compared.  A figure is the median of its rounds.  A figure
that varied by more than ``SPREAD`` is measured again, as long as there is time.  A bar is a
ratio within a round; the median of these ratios has to meet it.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..records.encoding import has_gil
from .probes import PARTS, Round

Say = Callable[[str], None]

SPREAD = 0.15
ROUNDS = 3
SECONDS = 34.0
"""After this time no part is measured again; a part that has begun is finished."""


@dataclass(frozen=True)
class Bar:
    """A limit on a figure: at most ``most`` if that is set, else at least ``least``.

    If it ``says`` a unit, it is the figure ``times`` another one of the same round, or ``over`` it.
    """

    key: str
    least: float = 0.0
    most: float = 0.0
    says: str = ""
    times: str = ""
    over: str = ""

    def ratio(self, figures: Round) -> float:
        factor = figures[self.times] if self.times else 1.0
        return figures[self.key] * factor / (figures[self.over] if self.over else 1.0)

    def met(self, value: float) -> bool:
        return value <= self.most if self.most else value >= self.least


_DETECT_US = 300.0 if has_gil() else 1_000.0

BARS = (
    Bar("explore.random.per_s", 27_000, says="x handover", times="floor.handover_us"),
    Bar("explore.pct.per_s", 45_000, says="x handover", times="floor.handover_us"),
    Bar("verify.per_s", 0.7, says="of random", over="explore.random.per_s"),
    Bar("stress.per_s", 4, says="x naive", over="stress.naive_per_s"),
    Bar("stress.efficiency", 0.45),
    Bar("stress.overhead", 0.75),
    Bar("stress.first_failure_ms", most=20),
    Bar("deadlock.detect_us", most=_DETECT_US),
    Bar("deadlock.per_s", 100),
    Bar("jobs.scaling", 1.6),
)


@dataclass(frozen=True)
class Measured:
    """``rounds`` hold the figures that were measured together.

    ``busy`` is the share of the processors that other processes used in the meantime.
    """

    rounds: tuple[Round, ...]
    busy: float | None

    def figures(self) -> dict[str, float | None]:
        """The median of each figure by its key in ``bench --json``; None if it could not be measured."""
        keys = dict.fromkeys(key for figures in self.rounds for key in figures)
        found: dict[str, float | None] = {key: _median(self._values(key)) for key in keys}
        return {**found, "machine.busy": self.busy}

    def spread(self, key: str) -> float:
        """The distance between the smallest and the largest value of a figure, divided by the median."""
        values = self._values(key)
        middle = _median(values)
        return (max(values) - min(values)) / middle if middle else 0.0

    def bars(self) -> dict[str, tuple[str, bool]]:
        """For each figure that has a bar: the measured value and the bar in words, and whether it is met."""
        verdicts = {}
        for bar in BARS:
            ratios = []
            for figures in self.rounds:
                try:
                    ratios.append(bar.ratio(figures))
                except (KeyError, ZeroDivisionError):
                    # Not measured in this round.
                    continue
            value = _median(ratios)
            limit = f"<= {bar.most:,g}" if bar.most else f">= {bar.least:,g}"
            shown = (
                "" if value is None or not bar.says else f"{value:,.{0 if value >= 100 else 2}f} {bar.says}, "
            )
            verdicts[bar.key] = shown + limit, value is not None and bar.met(value)
        return verdicts

    def _values(self, key: str) -> list[float]:
        return [figures[key] for figures in self.rounds if key in figures]


def _median(values: Iterable[float]) -> float | None:
    values = list(values)
    return statistics.median(values) if values else None


def measure(
    say: Say = lambda text: None,
    parts: Mapping[str, Callable[[Round], None]] = PARTS,
    clock: Callable[[], float] = time.perf_counter,
) -> Measured:
    """Measure all figures of ``parts``; ``say`` gets what is measured next, ``clock`` gives seconds."""
    others, started = Others(clock), clock()
    rounds: list[Round] = []
    keys: dict[str, set[str]] = {}

    def run(names: Iterable[str]) -> None:
        figures: Round = {}
        rounds.append(figures)
        for name in names:
            known = set(figures)
            parts[name](figures)
            keys[name] = figures.keys() - known

    def result() -> Measured:
        return Measured(tuple(rounds), others.share())

    for n in range(ROUNDS):
        say(f"round {n + 1} of {ROUNDS}")
        run(parts)
    while clock() - started < SECONDS:
        known = result()
        again = [name for name in parts if any(known.spread(key) > SPREAD for key in keys[name])]
        if not again:
            break
        say(f"again, since it varied: {', '.join(again)}")
        # The ratios to the floors need the floors of the same round.
        run(dict.fromkeys((next(iter(parts)), *again)))
    return result()


class Others:
    """Measures how much other processes use the processors in the meantime."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._started, self._before = clock(), _all_and_own()

    def share(self) -> float | None:
        """The share of all processors that other processes used; None where the system does not tell."""
        now = _all_and_own()
        if now is None or self._before is None:
            return None
        everybody, own = (late - early for late, early in zip(now, self._before, strict=True))
        seconds = (self._clock() - self._started) * (os.cpu_count() or 1)
        return min(1.0, max(0.0, (everybody - own) / seconds))


def _all_and_own() -> tuple[float, float] | None:
    """Seconds that all processors were busy, and seconds used by this process and its children."""
    try:
        user, nice, system, _, _, *rest = map(int, Path("/proc/stat").read_text("ascii").split()[1:8])
        ticks = user + nice + system + sum(rest)
        return ticks / os.sysconf("SC_CLK_TCK"), sum(os.times()[:4])
    except (OSError, ValueError):
        return None
