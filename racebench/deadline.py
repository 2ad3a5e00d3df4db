"""A time by which something must be over, and what is done when it is not.

The engines have a watchdog for the threads of a program.  This is for what it
does not see: a ``setup`` or ``check`` that never returns, in the thread that
runs the engine.  That thread is interrupted as by Ctrl-C, which the engines
turn into a result with all that is known; so nothing found is lost, and the
process goes on.
"""

from __future__ import annotations

import _thread
import signal
import threading
from types import TracebackType
from typing import Self

from .engine.standing import standing


class Deadline:
    """``with Deadline(seconds):`` interrupts the main thread if the block is not over by then.

    Use it inside ``Stop.on_signals``, in the main thread; in any other thread
    it does nothing.  ``stands`` is empty, or says where every thread stood
    when the time was up.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.stands = ""
        self._over = threading.Event()
        self._watcher: threading.Thread | None = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            name = "racebench-deadline"
            self._watcher = threading.Thread(target=self._watch, name=name, daemon=True)
            self._watcher.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._over.set()
        if self._watcher is not None:
            self._watcher.join()

    def _watch(self) -> None:
        if self._over.wait(self.seconds):
            return
        # Say where all stand before the interrupt moves them.
        self.stands = standing()
        main = threading.main_thread()
        if hasattr(signal, "pthread_kill") and main.ident is not None:
            signal.pthread_kill(main.ident, signal.SIGINT)
        else:
            _thread.interrupt_main()
