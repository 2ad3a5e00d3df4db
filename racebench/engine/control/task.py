"""A thread under control, with its processor and the buffers of its stores.

All of it belongs to the floor holder, between executions to the controlling thread.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from types import CodeType
from typing import Any

from ...primitives.ops import ACQUIRE, INTERRUPT, SUSPENDED
from ...trace import Kind, Op, Site
from ..member import Member
from ..stuck import CPU


class Task(Member):
    """One thread of the program.

    ``op`` and ``obj`` are its offer; ``ready``: the offer can be met now; ``blocked`` is the offer that
    was still unmet when the execution ended.
    ``cpu`` is the processor on which interrupts come to it, None if none can; ``onto`` is the processor that
    an interrupt's own task comes to.
    ``buffer`` has its stores to delayed fields, if the program has any; ``fifo`` is the buffer whose steps
    the task of a store buffer makes.  ``asked`` says how many sleepers it is about to wake, ``roused`` on
    which conditions it woke spuriously, ``late`` how many steps it made after it was told to end.
    A ``child`` is started by another thread of the program, and lives from then on; ``runs`` is its Thread
    object.
    ``first`` is its first offer, if that is known: an operation, and the number of an object; ``fresh``:
    this offer stands in for the thread in the present execution; ``varies``: it was not always the same.
    ``ident`` is the id of its OS thread, 0 while the overseer looks at it; after the overseer has set it
    ``out``, ``back`` is released once it has unwound.
    """

    __slots__ = (
        "aborted", "alive", "asked", "back", "baton", "blocked", "buffer", "child", "clock", "cpu", "daemon",
        "fifo", "first", "fresh", "function", "held", "ident", "index", "irqs", "late", "name", "obj", "onto",
        "op", "out", "ready", "result", "roused", "runs", "thread", "varies",
    )  # fmt: skip

    def __init__(
        self, index: int, name: str, function: Any, *, daemon: bool = False, child: bool = False
    ) -> None:
        self.index, self.name, self.function = index, name, function
        self.daemon, self.child = daemon, child
        self.baton = threading.Lock()
        self.baton.acquire()
        self.back = threading.Lock()
        self.back.acquire()
        self.thread: threading.Thread | None = None
        self.ident = 0
        self.clock: int | None = None
        self.out = False
        self.cpu: Cpu | None = None
        self.onto: Cpu | None = None
        self.buffer: Buffer | None = None
        self.fifo: Fifo | None = None
        self.held: list[tuple[Any, CodeType, int]] = []
        self.roused: set[Any] = set()
        self.first: tuple[Op, int] | None = None
        self.varies = False
        self.reset()

    def reset(self) -> None:
        self.op: Op = ACQUIRE
        self.obj: Any = None
        self.ready = self.aborted = self.fresh = False
        self.blocked: tuple[Op, Any] | None = None
        self.alive, self.irqs = not self.child, True
        self.result: Any = None
        self.asked: int | None = None
        if self.child:
            self.function = None
        self.runs: Any = None
        self.late = 0
        self.roused.clear()
        self.held.clear()

    @property
    def below(self) -> Task | None:
        """For an interrupt: the thread that it comes to."""
        return None if self.onto is None else self.onto.task

    @property
    def source(self) -> Task | None:
        """For a store buffer: the thread whose stores it has."""
        return None if self.fifo is None else self.fifo.buffer.task

    @property
    def handling(self) -> tuple[str, int]:
        """The name of the interrupt that this task is, "" for a thread; 0, since it took all its locks."""
        return ("" if self.onto is None else self.name), 0

    def offer(self) -> tuple[Op, Any]:
        """Return its offer, or the one that it makes again once the handler in its place has returned."""
        if self.suspended and self.cpu is not None and self.cpu.saved is not None:
            return self.cpu.saved
        return self.op, self.obj

    @property
    def suspended(self) -> bool:
        """Whether a handler runs in this thread's place."""
        return self.op is SUSPENDED


class Cpu:
    """The processor of a thread that an interrupt can come to.

    ``handler`` is the interrupt that runs on it, ``saved`` the offer of the thread that is suspended
    meanwhile; ``watched``: that offer waits for a predicate.
    """

    __slots__ = ("_rb_id", "handler", "saved", "task", "watched")

    cls = CPU

    def __init__(self, task: Task) -> None:
        self.task = task
        self._rb_id = ("cpu", task.index)
        self.reset()

    def reset(self) -> None:
        self.handler: Task | None = None
        self.saved: tuple[Op, Any] | None = None
        self.watched = False

    def label(self) -> str:
        return self.task.name

    name = property(label)

    def ready_for(self, task: Task) -> bool:
        if task.op is INTERRUPT:
            victim = self.task
            if victim.buffer is not None and victim.buffer.pending:
                return False
            # After a thread has crashed, no interrupt comes on its processor.
            return victim.irqs and self.handler is None and not victim.aborted
        return task.op is not SUSPENDED

    def owners_for(self, task: Task) -> Iterable[Task]:
        return (self.handler,) if task.op is SUSPENDED and self.handler is not None else ()


class Buffer:
    """The stores of one thread: ``pending`` values are on the way to the fields of ``fifos``.

    ``stored``: the thread has stored since its last fence.
    """

    __slots__ = ("_rb_id", "fifos", "pending", "stored", "task")

    cls = "stores"

    def __init__(self, task: Task) -> None:
        self.task = task
        self._rb_id = (self.cls, task.index)
        self.fifos: list[Fifo] = []
        self.reset()

    def reset(self) -> None:
        self.pending, self.stored = 0, False

    def label(self) -> str:
        return f"{self.task.name}'s stores"

    name = property(label)

    def ready_for(self, task: Task) -> bool:
        return not self.pending

    def owners_for(self, task: Task) -> Iterable[Task]:
        return ()


class Fifo:
    """The stores of one thread to one delayed field of one object.

    ``into`` and ``op`` are the object, as it is in this execution, and the WRITE.
    ``made`` and ``done`` count stores and WRITEs in this execution; in a recorded execution ``places`` has
    the place of each store.
    """

    __slots__ = ("actor", "buffer", "done", "field", "into", "made", "op", "places", "values")

    def __init__(self, actor: Task, buffer: Buffer, field: str) -> None:
        self.actor, self.buffer, self.field = actor, buffer, field
        self.op = Op(Kind.WRITE, field, drains=True)
        self.values: deque[Any] = deque()
        self.places: deque[tuple[Site, str]] = deque()
        self.into: Any = None
        self.made = self.done = 0

    def reset(self) -> None:
        self.values.clear()
        self.places.clear()
        self.made = self.done = 0
        actor = self.actor
        actor.op, actor.obj, actor.ready, actor.alive = self.op, None, False, False
