"""Random small programs, and brute force over all their interleavings."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import racebench as rb
from racebench.detect import detect
from racebench.engine.control.scheduler import Scheduler
from racebench.engine.search.classes import class_of
from racebench.engine.search.evidence import executions_of
from racebench.engine.search.preemption_bound import PreemptionBounded

Statement = tuple[Any, ...]
MakeProgram = Callable[[int, set[Any]], rb.Program]


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


@dataclass(frozen=True)
class Forced:
    """What brute force meets: rules that are broken or that a detector sees broken, classes of executions."""

    rules: set[str]
    classes: int


def brute_force(program: rb.Program, most: int) -> Forced | None:
    """All interleavings of ``program``; None beyond ``most``."""
    rules: set[str] = set()
    classes: set[int] = set()
    with Scheduler(program, looks=False) as scheduler:
        search = PreemptionBounded(scheduler, 10_000)
        while True:
            outcome = search.execute()
            assert outcome is not None
            classes.add(class_of(outcome.log, len(scheduler.tasks)))
            rules.update(fault.rule for fault in outcome.faults)
            for execution in executions_of(scheduler, outcome):
                rules.update(alarm.rule for alarm in detect(execution) if not alarm.guarded)
            if not search.advance():
                return Forced(rules, len(classes))
            if search.executions >= most:
                return None


FEW = 600
"""So many interleavings brute force goes through at each run of the tests; a soak goes further."""


def _numbers(text: str) -> frozenset[int]:
    return frozenset(map(int, text.split()))


# By family, the seeds whose programs have more than FEW: nothing comes of trying them.
LARGE: dict[str, frozenset[int]] = {
    "plain": _numbers(
        "3 5 6 10 17 19 21 24 27 29 30 35 51 53 62 65 68 70 81 87 91 93 95 98 102 105 106 112 113"
        " 114 118 124 130 131 135 136 145 147 151 160 161 162 166 168 186 189 194 211 219 230 237"
        " 244 246 252 255 263"
    ),
    "rich": _numbers(
        "9 10 14 16 27 30 33 37 38 41 48 49 50 53 65 66 68 72 74 75 76 81 84 85 86 87 95 99 103 106"
        " 110 111 116 118 129 130 135 137 142 145 147 148 151 155 157 160 161 163 164 171 178 182"
        " 184 188 193 202 207 208 211 213 214 223 224 230 236 241 249 253 256 263 268"
    ),
    "interrupted": _numbers(
        "0 5 6 9 10 11 17 19 24 26 27 29 30 33 34 35 37 38 47 50 53 56 58 60 61 62 65 69 74 81 84 94 95 98"
    ),
    "interrupted rich": _numbers(
        "5 6 9 10 12 16 17 19 20 24 26 27 30 33 35 37 38 41 45 47 48 50 53 56 58 62 68 69 74 75 81"
        " 88 92 93 94 95 96 98 99"
    ),
    "delayed interrupted": _numbers(
        "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 18 20 22 23 24 25 26 27 28 30 31 32 33 34 35 38 39"
        " 40 41 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59"
    ),
    "delayed": _numbers(
        "1 3 4 5 6 9 10 11 12 13 14 16 20 24 26 27 32 33 35 38 40 43 44 45 48 50 51 53 56 57 58 59"
    ),
}


def agreed(family: str, make: MakeProgram, seeds: range, most: int, optimal: bool = False) -> int:
    """Hold ``verify`` against brute force: the same ends and rules; how many programs were compared.

    ``make`` gives the program of a seed, which adds its ends to a set.  ``optimal``:
    with one execution for each class, too.
    """
    compared = 0
    for seed in seeds:
        if most <= FEW and seed in LARGE[family]:
            continue
        all_ends: set[Any] = set()
        forced = brute_force(make(seed, all_ends), most)
        if forced is None:
            assert most > FEW, f"{family} {seed} has more than {most} interleavings"
            continue
        ends: set[Any] = set()
        result = rb.verify(make(seed, ends))
        assert result.complete
        assert {f.rule for f in result.findings} == forced.rules, seed
        assert ends == all_ends, seed
        if optimal:
            assert (result.executions, result.stats["redundant"]) == (forced.classes, 0), seed
        compared += 1
    return compared
