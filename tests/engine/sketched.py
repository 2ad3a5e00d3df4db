"""A ``Sketch`` as a program that RaceBench runs, with what came of each execution."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import racebench as rb
from racebench.primitives.locks import PlainLock

from .enumerator import End
from .flat import FIELDS, Block
from .operations import PARTIES
from .states import Sketch

FAIR = "fair" in inspect.signature(rb.RWLock).parameters
SPURIOUS = "spurious" in inspect.signature(rb.Condition).parameters


class Node(rb.State):
    v = rb.shared(0)


class Memory(rb.State):
    """What the threads share; subclasses have the fields x and y."""

    x: int
    y: int
    ref: Any = rb.shared(None)

    def __init__(self, sketch: Sketch) -> None:
        self.nodes = Node(), Node()
        self.ref = self.nodes[0]
        self.a, self.b, self.r = rb.Lock("a"), rb.Lock("b"), rb.RLock("r")
        self.p = PlainLock("p")
        if sketch.shut:
            self.p.acquire()
        # Only what this RaceBench knows: the sketch asks for nothing else.
        fair: dict[str, Any] = {"fair": sketch.fair} if FAIR else {}
        unasked: dict[str, Any] = {"spurious": sketch.spurious} if SPURIOUS else {}
        self.rw = rb.RWLock("rw", **fair)
        self.sem = rb.Semaphore(sketch.count, "sem")
        self.ca = rb.Condition(self.a, "ca", **unasked)
        self.cr = rb.Condition(self.r, "cr", **unasked)
        self.cp = rb.Condition(self.p, "cp", **unasked)
        self.bounded = rb.BoundedSemaphore(sketch.count, "bounded")
        self.event, self.value = rb.Event("event"), rb.Atomic(0, "value")
        self.barrier = rb.Barrier(PARTIES, (lambda: _inc(self, "x")) if sketch.acts else None, cls="barrier")
        self.children = Children(sketch, self)


class Children:
    """The threads that a program starts, by name; each ``inner`` one is made when it is first spoken of."""

    def __init__(self, sketch: Sketch, state: Memory) -> None:
        self._sketch, self._state = sketch, state
        self.functions: dict[str, Callable[[Any], None]] = {}
        self._made: dict[str, rb.Thread] = {}

    def __getitem__(self, name: str) -> rb.Thread:
        made = self._made.get(name)
        if made is None:
            function, daemon = self.functions[name], name in self._sketch.daemons
            made = rb.Thread(target=function, args=(self._state,), name=name, daemon=daemon)
            self._made[name] = made
        return made


@functools.cache
def _memory(delayed: tuple[str, ...]) -> type[Memory]:
    class Fields(Memory):
        x = rb.shared(0, delayed="x" in delayed)
        y = rb.shared(0, delayed="y" in delayed)

    return Fields


class Own:
    """What one thread of the latest execution came to; nobody else writes there."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.became, self.crashed = "never", False
        self.seen: list[int] = []


class Probe:
    """What the latest execution of a sketched program came to; no step is made for it."""

    def __init__(self, sketch: Sketch) -> None:
        self.sketch = sketch
        self.state: Any = None
        self.of = {name: Own() for name in sketch.names}
        # Made before the run: setup has to find the class.
        self._memory = _memory(sketch.delayed)

    def setup(self) -> Memory:
        for own in self.of.values():
            own.clear()
        self.state = self._memory(self.sketch)
        for name, block in self.sketch.children:
            self.state.children.functions[name] = self.function(name, block)
            if name not in self.sketch.inner:
                self.state.children[name]
        return self.state  # type: ignore[no-any-return]

    def end(self) -> End | None:
        """As the enumerator tells it; None after a crash, which leaves no end."""
        if any(own.crashed for own in self.of.values()):
            return None
        s = self.state
        values = s.x, s.y, s.nodes.index(s.ref), s.nodes[0].v, s.nodes[1].v, s.value.load()
        assert len(values) == len(FIELDS)
        owned = [self.of[name] for name in self.sketch.names]
        return values, tuple((own.became, tuple(own.seen)) for own in owned)

    def function(self, name: str, block: Block) -> Callable[[Any], None]:
        own = self.of[name]

        def run(s: Memory) -> None:
            own.became = "inside"
            try:
                _run(s, block, own)
            except RuntimeError:
                own.became = "raised"
                raise
            own.became = "ended"

        return run


def program_of(sketch: Sketch, order: tuple[str, ...] | None = None) -> tuple[rb.Program, Probe]:
    """``sketch`` with its threads in such an order of names."""
    probe = Probe(sketch)
    threads = dict(sketch.threads)
    functions = {name: probe.function(name, threads[name]) for name in order or threads}
    interrupts = {name: (thread, probe.function(name, block)) for name, thread, block in sketch.interrupts}
    daemons = set(sketch.daemons) & functions.keys()
    return rb.Program("sketch", probe.setup, functions, interrupts=interrupts, daemons=daemons), probe


def _run(s: Any, block: Block, own: Own) -> None:
    for kind, *args in block:
        if kind in _AROUND:
            with _AROUND[kind](s, *args[:-1]):
                _run(s, args[-1], own)
        elif kind == "if":
            if getattr(s, args[0]) > 0:
                _run(s, args[1], own)
        elif kind == "some":
            _run(s, args[0], own)
        elif kind == "ifseen":
            if own.seen[-1:] == [args[0]]:
                _run(s, args[1], own)
        elif kind == "crashseen":
            if own.seen[-1:] == [args[0]]:
                own.crashed = True
                rb.check_that(False, "crash.seen", "hit")
        elif kind in ("timed", "btaken"):
            lock = getattr(s, args[0]) if kind == "timed" else s.bounded
            got = lock.acquire(timeout=1)
            own.seen.append(int(got))
            if got:
                _run(s, args[-1], own)
                if kind == "timed":
                    lock.release()
        elif kind in ("try", "trydown"):
            lock = getattr(s, args[0]) if kind == "try" else s.sem
            got = lock.acquire(blocking=False)
            own.seen.append(int(got))
            if got:
                _run(s, args[-1], own)
                lock.release()
        elif kind == "crash":
            value = getattr(s, args[0])
            own.crashed = own.crashed or value == args[1]
            rb.check_that(value != args[1], f"crash.{args[0]}", "hit")
        elif kind in _RECORDED:
            own.seen.append(int(_RECORDED[kind](s, *args)))
        else:
            _PLAIN[kind](s, *args)


_AROUND: dict[str, Callable[..., AbstractContextManager[Any]]] = {
    "lock": getattr,
    "irq": lambda s, name: getattr(s, name).irq(),
    "irqsave": lambda s, name: getattr(s, name).irqsave(),
    "sem": lambda s: s.sem,
    "rw_read": lambda s: s.rw.read(),
    "rw_write": lambda s: s.rw.write(),
}

_RECORDED: dict[str, Callable[..., Any]] = {
    "read": getattr,
    "locked": lambda s, name: getattr(s, name).locked(),
    "wait": lambda s, name: getattr(s, name).wait(),
    "twait": lambda s, name: getattr(s, name).wait(timeout=1),
    "bup": lambda s, n: _bounded_up(s.bounded, n),
    "ewait": lambda s: s.event.wait(),
    "etwait": lambda s: s.event.wait(timeout=1),
    "eis": lambda s: s.event.is_set(),
    "bwait": lambda s: _barrier_wait(s.barrier, None),
    "btwait": lambda s: _barrier_wait(s.barrier, 1),
    "bbroken": lambda s: s.barrier.broken,
    "bwaiting": lambda s: s.barrier.n_waiting,
    "aload": lambda s: s.value.load(),
    "aadd": lambda s, n: s.value.fetch_add(n),
    "acas": lambda s, old, new: s.value.compare_exchange(old, new),
    "start": lambda s, name: _allowed(s.children[name].start),
    "join": lambda s, name: _allowed(s.children[name].join),
    "tjoin": lambda s, name: _allowed(s.children[name].join, 1),
    "ptry": lambda s: s.p.acquire(blocking=False),
    "ptimed": lambda s: s.p.acquire(timeout=1),
    "prelease": lambda s: _allowed(s.p.release),
    "alive": lambda s, name: s.children[name].is_alive(),
}


def _bounded_up(semaphore: rb.BoundedSemaphore, n: int) -> bool:
    try:
        semaphore.release(n)
    except ValueError:
        return False
    return True


def _allowed(operation: Callable[..., Any], *args: Any) -> bool:
    try:
        operation(*args)
    except RuntimeError:
        return False
    return True


def _barrier_wait(barrier: rb.Barrier, timeout: float | None) -> int:
    try:
        return barrier.wait(timeout)
    except rb.BrokenBarrierError:
        return -1


def _inc(s: Any, field: str) -> None:
    setattr(s, field, getattr(s, field) + 1)


def _raise(s: Any, field: str, value: int) -> None:
    if getattr(s, field) == value:
        raise RuntimeError("hit")


def _until(s: Any, form: str, *args: Any) -> None:
    rb.wait_until(functools.partial(_PREDICATES[form], s, *args))


_PREDICATES: dict[str, Callable[..., Any]] = {
    "ge": lambda s, f, v: getattr(s, f) >= v,
    "and": lambda s, f, g: getattr(s, f) and getattr(s, g) <= 1,
    "or": lambda s, f, g: getattr(s, f) >= 1 or getattr(s, g) >= 1,
    "unlocked": lambda s, name: not getattr(s, name).locked(),
    "ref": lambda s: s.ref.v >= 1,
}

_PLAIN: dict[str, Callable[..., Any]] = {
    "write": setattr,
    "inc": _inc,
    "raise": _raise,
    "until": _until,
    "point": lambda s, at: setattr(s, "ref", s.nodes[at]),
    "setv": lambda s, at, value: setattr(s.nodes[at], "v", value),
    "take": lambda s, name: getattr(s, name).acquire(),
    "release": lambda s, name: getattr(s, name).release(),
    "ptake": lambda s: s.p.acquire(),
    "down": lambda s: s.sem.acquire(),
    "up": lambda s: s.sem.release(),
    "rw_unread": lambda s: s.rw.release_read(),
    "rw_unwrite": lambda s: s.rw.release_write(),
    "notify": lambda s, name: getattr(s, name).notify(),
    "notify_all": lambda s, name: getattr(s, name).notify_all(),
    "off": lambda s: rb.irqs_off(),
    "on": lambda s: rb.irqs_on(),
    "mb": lambda s: rb.smp_mb(),
    "bdown": lambda s: s.bounded.acquire(),
    "eset": lambda s: s.event.set(),
    "eclear": lambda s: s.event.clear(),
    "babort": lambda s: s.barrier.abort(),
    "breset": lambda s: s.barrier.reset(),
    "astore": lambda s, value: s.value.store(value),
}
