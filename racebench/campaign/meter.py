"""How long a process has had to do something, whatever else the machine does.

A deadline in wall clock ends a child that a busy machine keeps waiting.  One in CPU
time never ends a child that waits for ever.  So what counts is all time but that in
which the process was ready to run and no processor was free: blocked, it counts as on
a clock; spinning, in C with the GIL held say, by what it ran.  A twentieth counts in
any case, for of a process that waits for good some threads may look about in vain, and
each of them waits for its turn: it is late in bounded time too.

Linux tells both, thread by thread, and of a process that does nothing to tell it.
Elsewhere all processes are taken to wait alike: by the load and the processors.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

_NS = 1e-9
_LEAST = 0.05


class _Sum(NamedTuple):
    """Seconds that a thread ran, and was ready to run and did not."""

    ran: float
    waited: float


_NOTHING = _Sum(0.0, 0.0)


class Meter:
    """The time of one process, as far as it counts."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._last = _read(pid)

    def lap(self, elapsed: float) -> float:
        """Of the ``elapsed`` seconds since the last lap those that count."""
        last, self._last = self._last, _read(self._pid)
        if last is None or self._last is None:
            return elapsed * max(_LEAST, 1 / _crowd())
        # A thread that has ended takes what it had with it; but only its own, for what the others
        # waited must not count because a thread of theirs ends at each execution.
        pairs = [(now, _earlier(now, last.get(task, _NOTHING))) for task, now in self._last.items()]
        ran = sum(now.ran - then.ran for now, then in pairs)
        waited = sum(now.waited - then.waited for now, then in pairs)
        # Several threads may have waited at once, beside one that ran.
        return min(elapsed, max(ran, elapsed - waited, elapsed * _LEAST))


def _earlier(now: _Sum, then: _Sum) -> _Sum:
    """What the same thread had then: nothing if its number was another's."""
    return then if then.ran <= now.ran and then.waited <= now.waited else _NOTHING


def _read(pid: int) -> dict[str, _Sum] | None:
    """What Linux has counted for each thread of ``pid``; None elsewhere, or if it is gone."""
    sums: dict[str, _Sum] = {}
    with suppress(OSError, ValueError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(FileNotFoundError):
                one, other, _ = (task / "schedstat").read_text(encoding="ascii").split()
                sums[task.name] = _Sum(int(one) * _NS, int(other) * _NS)
        return sums if any(one.ran for one in sums.values()) else None
    return None


def _crowd() -> float:
    """How many processes share one processor: at least 1."""
    load = 0.0
    with suppress(OSError, AttributeError):
        load = os.getloadavg()[0]
    return max(1.0, load / (os.cpu_count() or 1))
