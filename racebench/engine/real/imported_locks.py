"""Locks that a module, a class or a descriptor made before the run, and that the program uses.

The program's threads get one of our locks in place of such a lock, a new one in each execution
(in the free run: in each collision); all other threads get the lock itself.
"""

from __future__ import annotations

import _thread
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from ...primitives import RLock, runtime
from ...primitives.locks import PlainLock

_KINDS: dict[type, type] = {_thread.LockType: PlainLock, type(threading.RLock()): RLock}
_MOST = 10_000


class ImportedLock:
    """Stands for ``real``, which is called ``name``.

    ``_ours`` by execution: under control one thread runs at a time; in the free run
    ``setdefault`` decides between two threads that come at once.
    """

    def __init__(self, real: Any, name: str) -> None:
        self.real, self.name = real, name
        self._ours: dict[Any, Any] = {}

    def _lock(self) -> Any:
        if not runtime.inside():
            return self.real
        now: Any = runtime.current
        key = now.execution()
        found = self._ours.get(key)
        if found is None:
            if len(self._ours) > _MOST:
                self._ours.clear()
            made = now.without_numbers(lambda: _KINDS[type(self.real)](self.name))
            made.__dict__.update(_rb_id=("imported", self.name), _rb_serial="")
            found = self._ours.setdefault(key, made)
        return found

    def acquire(self, *args: Any, **how: Any) -> bool:
        return bool(self._lock().acquire(*args, **how))

    def release(self) -> None:
        self._lock().release()

    def locked(self) -> bool:
        return bool(self._lock().locked())

    def __enter__(self) -> bool:
        return bool(self._lock().__enter__())

    def __exit__(self, *exc: Any) -> None:
        self._lock().__exit__(*exc)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lock(), name)


@contextmanager
def locks_replaced(holders: list[tuple[Any, str]]) -> Iterator[None]:
    """Replace the locks in each of ``holders`` (an object, and its name in words) in this block."""
    with ExitStack() as undo:
        for holder, called in holders:
            for name, value in list(vars(holder).items()):
                if type(value) in _KINDS:
                    _replace(undo, holder, name, value, f"{called}.{name}")
                elif (
                    isinstance(holder, type)
                    and hasattr(type(value), "__get__")
                    and hasattr(value, "__dict__")
                ):
                    # A descriptor with a lock of its own, as functools.cached_property had one.
                    for inner, lock in list(vars(value).items()):
                        if type(lock) in _KINDS:
                            _replace(undo, value, inner, lock, f"{called}.{name}.{inner}")
        yield


def _replace(undo: ExitStack, holder: Any, name: str, real: Any, called: str) -> None:
    setattr(holder, name, ImportedLock(real, called))
    undo.callback(setattr, holder, name, real)
