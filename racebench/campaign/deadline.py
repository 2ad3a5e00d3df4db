"""A time by which something must be over, and what is done when it is not.

The engines have a watchdog for the threads of a program.  This is for what it
does not see: a ``setup`` or ``check`` that never returns, in the thread that
runs the engine.  That thread is interrupted as by Ctrl-C, which the engines
turn into a result with all that is known; so nothing found is lost, and the
process goes on.  The work on findings may run into the same, so it is
interrupted again and again until the block is over.  Against a program that
heeds no interrupt only the end of the process helps, which is others' business.
"""

from __future__ import annotations

import _thread
import itertools
import signal
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from ..engine.standing import standing, where_main_is
from .stop import Stop

_SLACK_S = 30.0
_AGAIN_S = 10.0
_TRIES = 3
_TICK_S = 1.0
_SIGNAL_S = 1.0


def allowed_s(seconds: float) -> float:
    """By when what has a budget of ``seconds`` must be over, whatever happens in it."""
    return _SLACK_S + 3 * seconds


class Deadline:
    """``with Deadline(seconds, stop):`` interrupts the main thread if the block is not over by then.

    None is never.  Until the block is over ``stop.outlived`` says what
    happened; ``stands`` says where every thread stood when the time was up,
    and is empty if it was not.  ``stuck`` is told the same once no interrupt
    helps, in another thread; the block does not end before it returns.  Outside
    ``stop.on_signals``, or in any other thread than the main one, nothing is done.
    """

    def __init__(
        self, seconds: float | None, stop: Stop, stuck: Callable[[str], None] = lambda said: None
    ) -> None:
        self.seconds, self._stop, self._stuck = seconds, stop, stuck
        self.stands = ""
        self._over = threading.Event()
        self._watcher: threading.Thread | None = None

    def __enter__(self) -> Self:
        here = threading.current_thread() is threading.main_thread()
        if self.seconds is not None and here and signal.getsignal(signal.SIGINT) == self._stop.ask:
            name = "racebench-deadline"
            self._watcher = threading.Thread(target=self._watch, args=(self.seconds,), name=name, daemon=True)
            self._watcher.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._over.set()
        if self._watcher is None:
            return
        # A block that comes back while it is told to be stuck waits here.
        self._watcher.join()
        # A signal on its way must not be taken for somebody's wish.  One that the
        # program has caught with a handler of its own never arrives.
        until = time.monotonic() + _SIGNAL_S
        while not self._stop.past(lost=time.monotonic() > until):
            time.sleep(0.001)

    def _watch(self, seconds: float) -> None:
        # Ticks, not the clock: one that runs on while we are stopped, by Ctrl-Z say, must not count.
        while seconds > 0:
            tick = min(_TICK_S, seconds)
            if self._over.wait(tick):
                return
            seconds -= tick
        # Say where all stand before the interrupt moves them.
        self.stands = standing()
        late = f"no end within {self.seconds:.3g} s"
        where = where_main_is()
        for tries in itertools.count(1):
            if self._over.is_set():
                return
            self._stop.due(f"{late}: interrupted in {where}. Mend what never returns.")
            interrupt_main()
            self._over.wait(_AGAIN_S)
            if tries == _TRIES and not self._over.is_set():
                self._stuck(f"{late}, and no heed of an interrupt: it is in {where_main_is()}")


def interrupt_main() -> None:
    """SIGINT for the main thread, from another."""
    main = threading.main_thread()
    if hasattr(signal, "pthread_kill") and main.ident is not None:
        signal.pthread_kill(main.ident, signal.SIGINT)
    else:
        _thread.interrupt_main()
