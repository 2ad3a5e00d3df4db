"""Noise: it makes free-running threads collide.

Under a GIL two threads hardly ever meet in the middle of an operation, so each batch of collisions runs
under one *setting*: a switch interval, and what a thread does after a number of steps.  The best setting
differs by program, Python build and machine, so it is learnt: time goes to the setting that breaks rules
fastest, the rest is shared out evenly.  Every signature has one vote, divided among the settings that
show it: a finding that each collision shows does not outvote a rare one.

``HOLD`` is the strongest: the thread that is ahead stops in mid-operation until another thread has come
to the same collision and gone a random number of steps into it, has passed it, or waits for a lock; then
the other thread is held in its turn.  It needs neither luck nor a sleep of the right length.  At most one
thread is held at a time, and never longer than ``HOLD_S``.
"""

from __future__ import annotations

import enum
import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from ...errors import ThreadAbort
from .gates import looks, passed
from .worker import Worker

HOLD_S = 0.002
PAUSE_S = 20e-6


class Jolt(enum.Enum):
    """What a thread does at a noisy step."""

    NONE = "none"
    YIELD = "yield"
    PAUSE = "pause"
    HOLD = "hold"


class Setting(NamedTuple):
    """One kind of noise: ``period`` is the mean number of steps between jolts."""

    jolt: Jolt
    period: int
    switch_interval_s: float

    def __str__(self) -> str:
        if self.jolt is Jolt.NONE:
            return f"no noise, switch interval {self.switch_interval_s * 1e6:.0f} us"
        return f"{self.jolt.value} every {self.period} steps"


SETTINGS = (
    Setting(Jolt.HOLD, 8, 5e-3),
    Setting(Jolt.HOLD, 24, 5e-3),
    Setting(Jolt.NONE, 1, 5e-3),
    Setting(Jolt.YIELD, 200, 5e-3),
    Setting(Jolt.NONE, 1, 5e-6),
    Setting(Jolt.PAUSE, 400, 5e-3),
    Setting(Jolt.HOLD, 3, 5e-3),
)


class Adviser:
    """Chooses the setting of each batch by the findings of the earlier batches.

    Owned by the coordinating thread.
    """

    def __init__(self, settings: Sequence[Setting] = SETTINGS) -> None:
        self.settings = settings
        self.seconds = [0.0] * len(settings)
        self.failures: list[Counter[str]] = [Counter() for _ in settings]
        self._all: Counter[str] = Counter()
        self._turn = 0

    def choose(self) -> int:
        """Return the index of the next setting: every other batch the best, else the least tried."""
        self._turn += 1
        best = max(range(len(self.settings)), key=self._rate)
        if self.failures[best] and self._turn % 2:
            return best
        return min(range(len(self.settings)), key=lambda i: (self.seconds[i], i))

    def _rate(self, i: int) -> float:
        votes = sum(n / self._all[signature] for signature, n in self.failures[i].items())
        return votes / self.seconds[i] if self.seconds[i] else 0.0

    def learn(self, i: int, seconds: float, failures: Counter[str]) -> None:
        """Note that a batch under setting ``i`` took ``seconds``; ``failures`` by signature."""
        self.seconds[i] += seconds
        self.failures[i] += failures
        self._all += failures


class Noise:
    """What workers do at noisy steps of the running batch.

    Lock order: ``_mutex`` is innermost.  ``held`` is written under it; the thread that takes a worker off
    ``held`` opens the worker's gate once.  A gate that is opened late, after the hold timed out, is drained
    when its owner is held again.
    """

    def __init__(self, workers: Sequence[Worker]) -> None:
        self.workers = workers
        self.setting = SETTINGS[0]
        self.held: Worker | None = None
        self.looks = looks(len(workers))
        self._mutex = threading.Lock()

    def refuel(self, me: Worker, rng: random.Random) -> None:
        me.fuel = int(rng.random() * 2 * self.setting.period) + 1

    def jolt(self, me: Worker) -> None:
        """Jolt ``me``, which has used up its fuel."""
        if me.aborted and me.obj is None:
            raise ThreadAbort
        self.refuel(me, me.rng)
        kind = self.setting.jolt
        if kind is Jolt.HOLD:
            self._hold(me)
        elif kind is Jolt.YIELD:
            time.sleep(0)
        elif kind is Jolt.PAUSE:
            time.sleep(PAUSE_S)

    def _hold(self, me: Worker) -> None:
        with self._mutex:
            held = self.held
            if held is not None and me.slot < held.slot:
                return
            if self._somebody_comes_to(me):
                me.hold_back.acquire(False)
                self.held = me
            else:
                self.held = None
        if held is not None:
            _open(held.hold_back)
        if self.held is me:
            passed(me.hold_back, self.looks, HOLD_S)
            # Seldom: a thread that has opened the gate has changed ``held`` before, and it would now
            # contend for the mutex.  No other thread makes it ``me`` again.
            if self.held is me:
                with self._mutex:
                    if self.held is me:
                        self.held = None

    def _somebody_comes_to(self, me: Worker) -> bool:
        # A loop, since this runs at every jolt, and a generator would cost more than the work itself.
        for w in self.workers:  # noqa: SIM110
            if w is not me and w.slot <= me.slot and w.awake:
                return True
        return False

    def let_go(self) -> None:
        """Let the held thread, if there is one, go on."""
        with self._mutex:
            held, self.held = self.held, None
        if held is not None:
            _open(held.hold_back)

    def pass_by(self, me: Worker, slot: int) -> None:
        """Change places with a thread that is held in ``slot`` or before, since ``me`` has ended ``slot``."""
        held = self.held
        if held is not None and held is not me and held.slot <= slot:
            self.let_go()
            me.fuel = 0


def _open(gate: threading.Lock) -> None:
    """Open a gate that may be open already."""
    try:
        gate.release()
    except RuntimeError:
        return
