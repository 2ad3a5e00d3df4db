"""Measure how long a process has had to do something, whatever else the machine does.

A deadline in wall-clock time would end a child that waits only because the machine is
busy.  A deadline in CPU time would never end a child that waits for ever.  So all time
counts except the time in which the process was ready to run and no processor was free.
A blocked process is charged as by a clock; a spinning one (in C with the GIL held, say)
for the time that it ran.  At least a twentieth of the time always counts: some threads
of a process that waits for ever may poll in vain, and each of them waits for a processor
again and again.  So such a process is late after a bounded time too.

Linux gives both numbers for each thread, and the process need not do anything for it.
Elsewhere all processes are assumed to wait alike: by the load and the number of processors.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

_NS = 1e-9
_LEAST = 0.05


class _Sum(NamedTuple):
    """Seconds in which a thread ran, and in which it was ready to run and did not."""

    ran: float
    waited: float


_NOTHING = _Sum(0.0, 0.0)


class Meter:
    """Measures the time of one process that counts."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._last = _read(pid)

    def lap(self, elapsed: float) -> float:
        """Of the ``elapsed`` seconds since the last lap, return those that count."""
        last, self._last = self._last, _read(self._pid)
        if last is None or self._last is None:
            return elapsed * max(_LEAST, 1 / _crowd())
        # The numbers of a thread that has ended are gone.  So subtract thread by thread: in the
        # difference of two sums an ended thread would hide the time that the others waited.
        pairs = [(now, _earlier(now, last.get(task, _NOTHING))) for task, now in self._last.items()]
        ran = sum(now.ran - then.ran for now, then in pairs)
        waited = sum(now.waited - then.waited for now, then in pairs)
        # Several threads may have waited at once while another ran: ``elapsed - waited`` may be too low.
        return min(elapsed, max(ran, elapsed - waited, elapsed * _LEAST))


def _earlier(now: _Sum, then: _Sum) -> _Sum:
    """The same thread's earlier numbers; nothing if another thread had its id then."""
    return then if then.ran <= now.ran and then.waited <= now.waited else _NOTHING


def _read(pid: int) -> dict[str, _Sum] | None:
    """The numbers of Linux for each thread of ``pid``; None elsewhere, or if the process is gone."""
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
