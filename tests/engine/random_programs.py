"""Random small programs, and brute force over all their interleavings."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import racebench as rb
from racebench.detect import detect
from racebench.engine.control.scheduler import Scheduler
from racebench.engine.search.bounded import Bounded
from racebench.engine.search.evidence import executions_of

Statement = tuple[Any, ...]


class Shared(rb.State):
    x = rb.shared(0)
    y = rb.shared(0)

    def __init__(self) -> None:
        self.a = rb.Lock("a")
        self.b = rb.Lock("b")
        self.rw = rb.RWLock("rw")
        self.sem = rb.Semaphore(1, "sem")
        self.cond = rb.Condition(self.a, "cond")


FIELDS = ("x", "y")


def _block(rng: random.Random, depth: int, budget: int, rich: bool) -> list[Statement]:
    made: list[Statement] = []
    for _ in range(rng.randint(1, budget)):
        kinds = ["read", "write", "inc", "lock", "if"]
        if rich:
            kinds += ["rw_read", "rw_write", "sem", "until", "crash", "try", "notify", "wait"]
        kind = rng.choice(kinds)
        field = rng.choice(FIELDS)
        if kind in ("lock", "if", "rw_read", "rw_write", "sem", "try") and depth < 2:
            name = rng.choice("ab") if kind in ("lock", "try") else field
            made.append((kind, name, _block(rng, depth + 1, 2, rich)))
        elif kind in ("until", "crash"):
            made.append((kind, field, rng.randint(0, 2)))
        elif kind in ("notify", "wait") and depth == 0:
            made.append((kind,))
        else:
            made.append((kind if kind in ("read", "inc") else "write", field, rng.randint(1, 3)))
    return made


def _run(s: Shared, block: list[Statement], seen: list[int]) -> None:
    for statement in block:
        kind = statement[0]
        if kind == "read":
            seen.append(getattr(s, statement[1]))
        elif kind == "write":
            setattr(s, statement[1], statement[2])
        elif kind == "inc":
            setattr(s, statement[1], getattr(s, statement[1]) + 1)
        elif kind == "if":
            if getattr(s, statement[1]) > 0:
                _run(s, statement[2], seen)
        elif kind == "until":
            rb.wait_until(lambda f=statement[1], v=statement[2]: getattr(s, f) >= v)
        elif kind == "crash":
            rb.check_that(getattr(s, statement[1]) != statement[2], f"crash.{statement[1]}", "hit")
        elif kind == "off":
            rb.irqs_off()
        elif kind == "on":
            rb.irqs_on()
        elif kind in ("notify", "wait"):
            with s.cond:
                s.cond.notify() if kind == "notify" else s.cond.wait()
        elif kind == "try":
            lock = getattr(s, statement[1])
            if lock.acquire(blocking=False):
                _run(s, statement[2], seen)
                lock.release()
        else:
            guard = {
                "lock": lambda n=statement[1]: getattr(s, n),
                "irq": lambda n=statement[1]: getattr(s, n).irq(),
                "irqsave": lambda n=statement[1]: getattr(s, n).irqsave(),
                "rw_read": s.rw.read,
                "rw_write": s.rw.write,
                "sem": lambda: s.sem,
            }[kind]()
            with guard:
                _run(s, statement[2], seen)


def _thread(block: list[Statement]) -> Callable[[Shared], tuple[int, ...]]:
    def run(s: Shared) -> tuple[int, ...]:
        seen: list[int] = []
        _run(s, block, seen)
        return tuple(seen)

    return run


def random_program(seed: int, rich: bool, ends: set[Any]) -> rb.Program:
    """A program of 2 or 3 threads; each execution's end state is added to ``ends``."""
    rng = random.Random(seed)
    n = rng.choice((2, 2, 3))
    blocks = [_block(rng, 0, 3 if n == 2 else 2, rich) for _ in range(n)]

    def check(s: Shared, results: dict[str, Any]) -> None:
        ends.add((s.x, s.y, tuple(results.values())))

    return rb.Program(f"random{seed}", Shared, {f"t{i}": _thread(b) for i, b in enumerate(blocks)}, check)


def _masked(rng: random.Random, block: list[Statement]) -> list[Statement]:
    """``block`` with interrupts off in places."""
    made: list[Statement] = []
    for statement in block:
        if rng.random() < 0.25:
            made.append((rng.choice(("off", "off", "on")),))
        if statement[0] == "lock" and rng.random() < 0.6:
            made.append((rng.choice(("irq", "irqsave")), *statement[1:]))
        else:
            made.append(statement)
    return made


def interrupted_program(seed: int, rich: bool, ends: set[Any]) -> rb.Program:
    """1 to 3 threads and interrupts that come to one or two of them."""
    rng = random.Random(seed)
    n, m = rng.choice(((1, 1), (1, 2), (2, 1), (2, 1), (2, 2), (3, 1)))
    small = 3 if n + m == 2 else 2
    threads = {f"t{i}": _thread(_masked(rng, _block(rng, 0, small, rich))) for i in range(n)}
    interrupts: dict[str, Any] = {}
    last: dict[str, list[Any]] = {}
    for i in range(m):
        handler = _thread(_masked(rng, _block(rng, 0, 2 if n < 3 else 1, rich)))

        # Each handler has a list of its own: what threads share must be declared.
        mine: list[Any] = last.setdefault(f"irq{i}", [])

        def kept(s: Shared, handler: Any = handler, mine: list[Any] = mine) -> None:
            mine.append(handler(s))

        interrupts[f"irq{i}"] = (f"t{rng.randrange(n)}", kept)

    def setup() -> Shared:
        for mine in last.values():
            mine.clear()
        return Shared()

    def check(s: Shared, results: dict[str, Any]) -> None:
        ends.add((s.x, s.y, tuple(results.values()), tuple(sorted(sum(last.values(), [])))))

    return rb.Program(f"interrupted{seed}", setup, threads, check, interrupts=interrupts)


def brute_force(program: rb.Program, most: int) -> set[str] | None:
    """The rules that any interleaving breaks or any detector sees broken; None beyond ``most``."""
    rules: set[str] = set()
    with Scheduler(program) as scheduler:
        search = Bounded(scheduler, 10_000)
        while True:
            outcome = search.execute()
            assert outcome is not None
            rules.update(event.rule for event in outcome.events)
            for execution in executions_of(scheduler, outcome):
                rules.update(alarm.rule for alarm in detect(execution) if not alarm.guarded)
            if not search.advance():
                return rules
            if search.executions >= most:
                return None
