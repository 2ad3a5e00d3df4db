"""Read-write locks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ..trace import Op
from . import ops
from .primitive import Primitive, insiders


class Guard:
    """One side of a read-write lock, as a context manager."""

    __slots__ = ("_enter", "_leave")

    def __init__(self, enter: Callable[[], Any], leave: Callable[[], Any]) -> None:
        self._enter, self._leave = enter, leave

    def __enter__(self) -> bool:
        self._enter()
        return True

    def __exit__(self, *exc: object) -> None:
        self._leave()


class RWLock(Primitive):
    """Many readers or one writer.

    ``fair``, as in Xen and Linux: a writer that waits holds new readers back.  When a
    reader arrives, it notes the writers that hold the lock or wait for it, and enters once
    all of these have left and no writer holds the lock; so a reader that takes the lock again
    while a writer waits for it to leave waits for ever.  Which of several waiting
    writers is next is not fixed.  ``fair=False``: readers enter whenever no
    writer holds it, and a writer whenever no other thread does.
    """

    kind = "rwlock"

    def __init__(self, cls: str | None = None, index: int | str | None = None, *, fair: bool = True) -> None:
        super().__init__(cls, index)
        self.fair = fair
        # `wanting` are the writers that wait.  `behind`, for a fair lock: for each reader that waits, the
        # writers that must leave before it enters; a writer that comes back later is not among them.
        self.readers: list[Any] = []
        self.writer: Any = None
        self.wanting: list[Any] = []
        self.behind: dict[Any, list[Any]] = {}

    def acquire_read(self) -> bool:
        return self._enter(ops.ENTER_READ if self.fair else ops.ACQUIRE_READ, ops.ASK_READ)

    def acquire_write(self) -> bool:
        return self._enter(ops.ACQUIRE_WRITE, ops.ASK_WRITE)

    def _enter(self, op: Op, ask: Op) -> bool:
        me = self._block(op, self._let_in, op, ask if self.fair else None)
        me.hold(self)
        return True

    def release_read(self) -> None:
        self._step(ops.RELEASE_READ, self._leave_read)

    def release_write(self) -> None:
        self._step(ops.RELEASE_WRITE, self._leave_write)

    def read(self) -> Guard:
        """``with lock.read():`` shares it with other readers."""
        return Guard(self.acquire_read, self.release_read)

    def write(self) -> Guard:
        """``with lock.write():`` holds it alone."""
        return Guard(self.acquire_write, self.release_write)

    # -- the machine

    def ready_for(self, me: Any) -> bool:
        """Asking is always possible; the lock decides the outcome, and so the name of the step."""
        op = me.op
        if op is ops.ASK_READ or op is ops.REQUEST_READ:
            me.op = ops.REQUEST_READ if self._writers() else ops.ASK_READ
        elif op is ops.ASK_WRITE or op is ops.REQUEST_WRITE:
            me.op = ops.REQUEST_WRITE if self.readers or self._writers() else ops.ASK_WRITE
        elif op is ops.ACQUIRE_READ:
            return self.writer is None
        elif op is ops.ENTER_READ:
            return self.writer is None and not self.behind.get(me, self.wanting)
        elif op is ops.ACQUIRE_WRITE:
            return self.writer is None and not self.readers
        return True

    def owners_for(self, me: Any) -> Iterable[Any]:
        holder = () if self.writer is None else insiders(self.writer)
        if me.op is ops.ENTER_READ:
            return dict.fromkeys((*holder, *insiders(*self.behind.get(me, ()))))
        if self.writer is not None or me.op is not ops.ACQUIRE_WRITE:
            return holder
        # Sorted by thread: the order in which readers entered is no difference between executions.
        return sorted(insiders(*self.readers), key=lambda reader: reader.index)

    def _writers(self) -> list[Any]:
        """The threads that hold the lock for writing, or wait for that."""
        return list(self.wanting) if self.writer is None else [self.writer, *self.wanting]

    def enlist(self, me: Any) -> None:
        if me.op is ops.ACQUIRE_WRITE or me.op is ops.REQUEST_WRITE:
            self.wanting.append(me)
        else:
            self.behind[me] = self._writers()

    def quit(self, me: Any, _: None = None) -> None:
        self.behind.pop(me, None)
        if me in self.wanting:
            self.wanting.remove(me)
            self._gone(me)

    def _let_in(self, me: Any, op: Op) -> Any:
        self.behind.pop(me, None)
        if op is not ops.ACQUIRE_WRITE:
            self.readers.append(me)
            return me
        if me in self.wanting:
            self.wanting.remove(me)
        self.writer = me
        return me

    def _leave_read(self, me: Any, _: None) -> None:
        if me not in self.readers:
            self._misuse(me)
            return
        self.readers.remove(me)
        me.drop(self)

    def _leave_write(self, me: Any, _: None) -> None:
        if self.writer is not me:
            self._misuse(me)
            return
        self.writer = None
        self._gone(me)
        me.drop(self)

    def _gone(self, writer: Any) -> None:
        """Remove ``writer`` from the writers for which readers wait."""
        for writers in self.behind.values():
            if writer in writers:
                writers.remove(writer)

    def abandon(self, me: Any, _: None = None) -> None:
        """``me`` ended without releasing: let the other threads continue."""
        if self.writer is me:
            self._leave_write(me, None)
        else:
            self._leave_read(me, None)
