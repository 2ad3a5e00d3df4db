"""A ``Sketch`` as a program that RaceBench runs, with what came of each execution."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import racebench as rb

from .enumerator import End
from .flat import FIELDS, Block
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
        # Only what this RaceBench knows: the sketch asks for nothing else.
        fair: dict[str, Any] = {"fair": sketch.fair} if FAIR else {}
        unasked: dict[str, Any] = {"spurious": sketch.spurious} if SPURIOUS else {}
        self.rw = rb.RWLock("rw", **fair)
        self.sem = rb.Semaphore(sketch.count, "sem")
        self.ca = rb.Condition(self.a, "ca", **unasked)
        self.cr = rb.Condition(self.r, "cr", **unasked)


@functools.cache
def _memory(delayed: tuple[str, ...]) -> type[Memory]:
    class Fields(Memory):
        x = rb.shared(0, delayed="x" in delayed)
        y = rb.shared(0, delayed="y" in delayed)

    return Fields


class Probe:
    """What the latest execution of a sketched program came to; no step is made for it."""

    def __init__(self, sketch: Sketch) -> None:
        self.sketch = sketch
        self.state: Any = None
        # Made before the run: setup has to find the class.
        self._memory = _memory(sketch.delayed)

    def setup(self) -> Memory:
        self.crashed = False
        self.became: dict[str, str] = {}
        self.seen: dict[str, list[int]] = {name: [] for name in self.sketch.names}
        self.state = self._memory(self.sketch)
        return self.state  # type: ignore[no-any-return]

    def end(self) -> End | None:
        """As the enumerator tells it; None after a crash, which leaves no end."""
        if self.crashed:
            return None
        s = self.state
        values = s.x, s.y, s.nodes.index(s.ref), s.nodes[0].v, s.nodes[1].v
        assert len(values) == len(FIELDS)
        return values, tuple(
            (self.became.get(name, "never"), tuple(self.seen[name])) for name in self.sketch.names
        )

    def function(self, name: str, block: Block) -> Callable[[Any], None]:
        def run(s: Memory) -> None:
            self.became[name] = "inside"
            try:
                _run(s, block, self.seen[name], self)
            except RuntimeError:
                self.became[name] = "raised"
                raise
            self.became[name] = "ended"

        return run


def program_of(sketch: Sketch, order: tuple[str, ...] | None = None) -> tuple[rb.Program, Probe]:
    """``sketch`` with its threads in such an order of names."""
    probe = Probe(sketch)
    threads = dict(sketch.threads)
    functions = {name: probe.function(name, threads[name]) for name in order or threads}
    interrupts = {name: (thread, probe.function(name, block)) for name, thread, block in sketch.interrupts}
    return rb.Program("sketch", probe.setup, functions, interrupts=interrupts), probe


def _run(s: Any, block: Block, seen: list[int], probe: Probe) -> None:
    for kind, *args in block:
        if kind in _AROUND:
            with _AROUND[kind](s, *args[:-1]):
                _run(s, args[-1], seen, probe)
        elif kind == "if":
            if getattr(s, args[0]) > 0:
                _run(s, args[1], seen, probe)
        elif kind == "ifseen":
            if seen[-1:] == [args[0]]:
                _run(s, args[1], seen, probe)
        elif kind == "crashseen":
            if seen[-1:] == [args[0]]:
                probe.crashed = True
                rb.check_that(False, "crash.seen", "hit")
        elif kind in ("try", "trydown"):
            lock = getattr(s, args[0]) if kind == "try" else s.sem
            got = lock.acquire(blocking=False)
            seen.append(int(got))
            if got:
                _run(s, args[-1], seen, probe)
                lock.release()
        elif kind == "crash":
            value = getattr(s, args[0])
            probe.crashed = probe.crashed or value == args[1]
            rb.check_that(value != args[1], f"crash.{args[0]}", "hit")
        elif kind in _RECORDED:
            seen.append(int(_RECORDED[kind](s, *args)))
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
}


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
    "down": lambda s: s.sem.acquire(),
    "up": lambda s: s.sem.release(),
    "rw_unread": lambda s: s.rw.release_read(),
    "rw_unwrite": lambda s: s.rw.release_write(),
    "notify": lambda s, name: getattr(s, name).notify(),
    "notify_all": lambda s, name: getattr(s, name).notify_all(),
    "off": lambda s: rb.irqs_off(),
    "on": lambda s: rb.irqs_on(),
    "mb": lambda s: rb.smp_mb(),
}
