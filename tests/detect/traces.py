"""Short hand-written executions for detectors."""

from __future__ import annotations

import re

from racebench.trace import Execution, Kind, Op, Site

_KINDS = {kind.value: kind for kind in Kind}


class Thread:
    def __init__(self, index: int, name: str) -> None:
        self.index, self.name = index, name


class Thing:
    """A lock (``rank``, ``desc[64]``), a condition over one, or an object with fields.

    ``rw!`` is a fair read-write lock, ``node@a#1`` a lock that thread a made, and
    ``sem2`` a semaphore that starts at 2, ``sem1<`` one that is bounded by that.
    """

    recursive, strict = False, True

    def __init__(self, name: str) -> None:
        self.name, self.cls = name, re.split(r"[\[@]", name)[0]
        self.fair, self.made_in_thread = name.endswith("!"), "@" in name
        self.initial = int(name[3:].rstrip("<") or 0) if name.startswith("sem") else 0
        self.most = self.initial if name.endswith("<") else None

    def label(self) -> str:
        return self.name


class Drain(Thread):
    """The buffer of ``source``'s stores to one field."""

    def __init__(self, index: int, source: Thread) -> None:
        super().__init__(index, f"{source.name}'s stores")
        self.source = source


class Condition(Thing):
    lock: Thing


class Trace:
    """Builds an Execution from lines ``thread op object``; ``~`` marks an atomic field.

    ``until x.flag y.flag`` waits for a predicate that reads those fields.
    ``up2 sem0`` raises it twice in one.  ``store x.f`` goes to a's buffer for that field, and
    ``drain x.f`` out of it.
    """

    def __init__(self, *lines: str, sites: bool = False) -> None:
        self.threads: dict[str, Thread] = {}
        self.things: dict[str, Thing] = {}
        self.steps = [self._step(line) for line in lines if not line.startswith("blocked")]
        self.blocked = [self._step(line.partition(" ")[2]) for line in lines if line.startswith("blocked")]
        self.sites = [Site("f", "x.py", n) for n in range(len(self.steps))] if sites else ()

    def _step(self, line: str) -> tuple[Thread, Op, object]:
        who, kind, *objects = line.split()
        thread = self.threads.setdefault(who, Thread(len(self.threads), who))
        if kind == "until":
            predicate = Thing("wait_until")
            predicate.reads = [self._field(Kind.READ, name) for name in objects]  # type: ignore[attr-defined]
            return thread, Op(Kind.WAIT_UNTIL), predicate
        if kind == "drain":
            op, thing = self._field(Kind.WRITE, objects[0])
            op.drains = op.apart = True
            buffer = self.threads.setdefault(f"{who} {objects[0]}", Drain(len(self.threads), thread))
            return buffer, op, thing
        if kind in ("read", "write", "store", "update"):
            op, thing = self._field(_KINDS[kind], objects[0])
            return thread, op, thing
        thing = self.thing(objects[0])
        if kind in ("wait", "notify", "wake"):
            # "wait changed:lock" is a condition and its lock.
            name, _, lock = objects[0].partition(":")
            condition = self.things.setdefault(name, Condition(name))
            condition.lock = self.thing(lock)  # type: ignore[attr-defined]
            thing = condition
        op = Op(_KINDS[kind.rstrip("0123456789")])
        op.times = int(kind[2:] or 1) if kind.startswith("up") and kind != "update" else 1
        return thread, op, thing

    def _field(self, kind: Kind, name: str) -> tuple[Op, Thing]:
        owner, _, field = name.rpartition(".")
        return Op(kind, field.rstrip("~"), field.endswith("~")), self.thing(owner)

    def thing(self, name: str) -> Thing:
        return self.things.setdefault(name, Thing(name))

    @property
    def execution(self) -> Execution:
        return Execution(len(self.threads), self.steps, self.blocked, self.sites)


def nested(*threads: str) -> Execution:
    """``"vcpu0: rank > desc"``: each thread takes its locks one inside the other, then drops all."""
    lines: list[str] = []
    for text in threads:
        name, _, locks = text.partition(": ")
        order = locks.split(" > ")
        lines += [f"{name} acquire {lock}" for lock in order]
        lines += [f"{name} release {lock}" for lock in reversed(order)]
    return Trace(*lines).execution
