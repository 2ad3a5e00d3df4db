"""Random sketches of programs, smaller ones of the same kind, and a sketch as Python to read."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

from .enumerator import Reached, TooLarge, enumerated
from .flat import Block
from .sketched import FAIR, SPURIOUS
from .started import with_children, without
from .states import Sketch

KINDS = ("plain", "interrupts", "delayed", "both", "timed", "timed both", "threads", "threads timed")
_DEEPEST = 3

_THEMES: dict[str, dict[str, int]] = {
    "locks": {"lock": 5, "take": 1, "release": 1, "locked": 1},
    "again": {"lock": 5, "try": 2},
    "try": {"try": 4, "lock": 2, "locked": 1},
    "condition": {"waits": 6, "wakes": 6, "wait": 1, "notify": 1, "lock": 1},
    "semaphore": {"sem": 3, "down": 2, "up": 2, "trydown": 3},
    "rw": {"rw_read": 5, "rw_write": 4, "rw_unread": 1},
    "until": {"until": 6, "write": 3},
    "ref": {"ref": 5, "point": 4, "setv": 5},
    "crash": {"crash": 3, "crashseen": 3},
    "raise": {"raise": 3},
    "open": {"ptake": 4, "prelease": 5, "ptry": 2, "plain": 1, "pwaits": 2, "pwakes": 2},
}
"""What a program may be about: the statements, and how often each is drawn."""

_TIMED: dict[str, dict[str, int]] = {
    "timed": {"timed": 5, "lock": 3, "locked": 1},
    "late": {"waits": 5, "wakes": 6, "twait": 2, "notify": 1, "timed": 1},
    "event": {"ewait": 3, "etwait": 3, "eset": 4, "eclear": 2, "eis": 1},
    "barrier": {"bwait": 5, "btwait": 4, "babort": 1, "breset": 1, "bbroken": 1, "bwaiting": 1},
    "bounded": {"btaken": 4, "bdown": 2, "bup": 4},
    "open late": {"ptake": 2, "ptimed": 5, "prelease": 5, "pwaits": 1, "pwakes": 2},
    "atomic": {"aload": 1, "astore": 1, "aadd": 3, "acas": 3},
}
"""The same of the kinds that are timed, which have one or two of these."""

_ALWAYS = {"read": 2, "write": 3, "inc": 1, "if": 1, "ifseen": 1}
_SLEEPING = ("waits", "wakes")
_OPEN = ("plain", "pwaits", "pwakes")
_AROUND = ("lock", "irq", "irqsave", "try", "if", "ifseen", "sem", "trydown", "rw_read", "rw_write") + (
    *("timed", "btaken"),
)


class _Author:
    """Draws the blocks of one program, all about the same few themes."""

    def __init__(self, rng: random.Random, interrupts: bool, delayed: bool, timed: bool) -> None:
        self.rng, self.timed = rng, timed
        themes = rng.sample(list(_THEMES), rng.choice((0, 0, 1) if timed else (1, 2, 2, 3)))
        if timed:
            themes += rng.sample(list(_TIMED), rng.choice((1, 1, 2)))
        self.weights = dict(_ALWAYS)
        for theme in themes:
            for kind, weight in (_TIMED | _THEMES)[theme].items():
                self.weights[kind] = self.weights.get(kind, 0) + weight
        if interrupts:
            self.weights.update({"off": 1, "on": 1, "irq": 2, "irqsave": 2})
        if delayed:
            self.weights["mb"] = 2
        self.locks = "rrra" if "again" in themes else rng.choice(("ab", "aar", "abr", "a"))
        self.condition = rng.choice("ar")
        self.roles = (
            ["waits", "waits", "wakes"] if {"condition", "late"} & {*themes} and rng.random() < 0.7 else []
        )
        rng.shuffle(self.roles)
        self.left = 0

    def thread(self, statements: int) -> Block:
        """A block of about so many statements, those inside others counted."""
        self.left = statements
        made: Block = ()
        if self.roles:
            made = (self._sleeping(self.roles.pop()),)
        while self.left > 0:
            made += self._block(0, ())
        return made

    def _block(self, depth: int, held: tuple[str, ...]) -> Block:
        made = []
        for _ in range(self.rng.choice((1, 2, 2, 3))):
            if self.left <= 0:
                break
            self.left -= 1
            made.append(self._statement(depth, held))
        return tuple(made)

    def _statement(self, depth: int, held: tuple[str, ...]) -> tuple[Any, ...]:
        rng = self.rng
        weights = dict(self.weights)
        if {"wait", "twait"} & weights.keys() and set(held) & {"a", "r"}:
            weights.update(wait=4, notify=6)
            if self.timed:
                weights.update(twait=8)
        if depth == _DEEPEST:
            weights = {kind: weight for kind, weight in weights.items() if kind not in _AROUND + _SLEEPING}
        [kind] = rng.choices(list(weights), list(weights.values()))
        if kind in _OPEN:
            return self._open(kind)
        if kind in _SLEEPING:
            return self._sleeping(kind)
        if kind in ("lock", "irq", "irqsave", "try", "timed"):
            lock = rng.choice(self.locks)
            return kind, lock, self._block(depth + 1, (*held, lock))
        if kind == "if":
            return kind, rng.choice("xy"), self._block(depth + 1, held)
        if kind == "ifseen":
            return kind, rng.choice((0, 1)), self._block(depth + 1, held)
        if kind in _AROUND:
            return kind, self._block(depth + 1, held)
        return self._simple(kind, held)

    def _sleeping(self, kind: str) -> tuple[Any, ...]:
        """A thread that waits for a condition, or wakes others; with the re-entrant lock at depth 1 or 2."""
        rng = self.rng
        lock = self.condition
        self.left -= 2
        wait = rng.choice(("wait", "twait", "twait")) if self.timed else "wait"
        call = (wait if kind == "waits" else rng.choice(("notify", "notify", "notify_all")), f"c{lock}")
        shown = rng.choice((("inc", "x"), ("write", "x", rng.choice((1, 2))), ("read", "x")))
        inner: Block = (call, shown) if kind == "waits" else rng.choice(((call,), (shown, call)))
        if lock == "r" and rng.random() < 0.5:
            inner = (*rng.choice(((), (("read", "x"),))), ("lock", "r", inner))
        return "lock", lock, inner

    def _open(self, kind: str) -> tuple[Any, ...]:
        """About the plain lock, and the condition over it: with the lock, unless another one releases it."""
        if kind == "plain":
            return self.rng.choice((("locked", "p"), ("until", "unlocked", "p")))
        call = self.rng.choice(("notify", "notify", "notify_all"))
        if kind == "pwaits":
            call = self.rng.choice(("wait", "twait")) if self.timed else "wait"
        return "some", (("ptake",), (call, "cp"), ("prelease",))

    def _simple(self, kind: str, held: tuple[str, ...]) -> tuple[Any, ...]:
        rng = self.rng
        if kind in ("read", "inc"):
            return kind, rng.choice("xxy")
        if kind in ("write", "crash", "raise"):
            return kind, rng.choice("xxy"), rng.choice((1, 1, 2, 0) if kind != "write" else (1, 1, 2, 2, 0))
        if kind == "crashseen":
            return kind, rng.choice((0, 1, 1))
        if kind in ("take", "release", "locked"):
            return kind, rng.choice(self.locks)
        if kind in ("wait", "twait", "notify"):
            own = [name for name in held if name in "ar"] or ["a", "r"]
            name = rng.choice(("notify", "notify", "notify_all")) if kind == "notify" else kind
            return name, f"c{rng.choice(own)}"
        if kind == "until":
            return self._until()
        if kind == "ref":
            return "until", "ref"
        if kind == "point":
            return kind, rng.choice((1, 1, 0))
        if kind == "setv":
            return kind, rng.choice((0, 1)), rng.choice((1, 1, 0))
        if kind in ("bup", "astore", "aadd"):
            return kind, rng.choice((1, 1, 2))
        if kind == "acas":
            return kind, rng.choice((0, 0, 1)), rng.choice((1, 2))
        if kind == "rw_unread":
            return (rng.choice(("rw_unread", "rw_unwrite")),)
        return (kind,)

    def _until(self) -> tuple[Any, ...]:
        rng = self.rng
        form = rng.choice(("ge", "and", "or", "or", "unlocked"))
        if form == "ge":
            return "until", form, rng.choice("xy"), rng.choice((1, 1, 2))
        if form == "unlocked":
            return "until", form, rng.choice(self.locks)
        return "until", form, *rng.choice(("xy", "yx"))


def drawn(kind: str, seed: int) -> Sketch:
    """A random program: ``kind`` is one of KINDS."""
    rng = random.Random(f"{kind} {seed}")
    timed, both = "timed" in kind, kind.endswith("both")
    with_interrupts, with_delays = kind == "interrupts" or both, kind == "delayed" or both
    author = _Author(rng, with_interrupts, with_delays, timed)
    if kind.startswith("threads"):
        made = with_children(rng, author.thread)
        return replace(made, fair=FAIR and rng.random() < 0.7, shut=rng.random() < 0.3)
    n, m = rng.choice(((2, 0), (2, 0), (3, 0)))
    if with_interrupts:
        n, m = rng.choice(((1, 1), (1, 2), (2, 1), (2, 1), (2, 2), (3, 1)))
    size = {2: 7, 3: 5, 4: 4}[n + m]
    names = [f"t{i}" for i in range(n)]
    threads = tuple((name, author.thread(rng.randint(size // 2, size))) for name in names)
    interrupts = tuple(
        (f"irq{i}", rng.choice(names), author.thread(rng.randint(1, size - 1))) for i in range(m)
    )
    delayed = rng.choice((("x",), ("x", "y"), ("x", "y"))) if with_delays else ()
    return Sketch(
        threads, interrupts, delayed, rng.choice((0, 1, 1, 2)),
        fair=FAIR and rng.random() < 0.7, spurious=SPURIOUS and rng.random() < 0.3,
        acts=timed and rng.random() < 0.4, shut=rng.random() < 0.3,
    )  # fmt: skip


def candidates(kind: str, seed: int, most: int) -> Iterator[tuple[Sketch, Reached]]:
    """Random programs of at most ``most`` states, with what they come to; the first is that of ``seed``."""
    for again in range(1_000):
        sketch = drawn(kind, seed * 1_000 + again)
        with suppress(TooLarge):
            yield sketch, enumerated(sketch, most)


# -- smaller ones


def smaller(sketch: Sketch) -> Iterator[Sketch]:
    """The programs with one thing less than ``sketch``, the largest cuts first."""
    for i in range(len(sketch.threads) if len(sketch.threads) > 1 else 0):
        name = sketch.threads[i][0]
        threads = sketch.threads[:i] + sketch.threads[i + 1 :]
        yield replace(
            sketch, threads=threads, interrupts=tuple(one for one in sketch.interrupts if one[1] != name)
        )
    for i in range(len(sketch.interrupts)):
        yield replace(sketch, interrupts=sketch.interrupts[:i] + sketch.interrupts[i + 1 :])
    for name, _ in sketch.children:
        yield without(sketch, name)
    for field in sketch.delayed:
        yield replace(sketch, delayed=tuple(one for one in sketch.delayed if one != field))
    for part in ("inner", "daemons"):
        for name in getattr(sketch, part):
            rest = tuple(one for one in getattr(sketch, part) if one != name)
            yield replace(sketch, **{part: rest})  # type: ignore[arg-type]
    for part in ("fair", "spurious", "acts", "shut"):
        if getattr(sketch, part):
            yield replace(sketch, **{part: False})  # type: ignore[arg-type]
    if sketch.count != 1:
        yield replace(sketch, count=1)
    for i, (name, block) in enumerate(sketch.threads):
        for less in _smaller_blocks(block):
            yield replace(sketch, threads=(*sketch.threads[:i], (name, less), *sketch.threads[i + 1 :]))
    for i, (name, thread, block) in enumerate(sketch.interrupts):
        for less in _smaller_blocks(block):
            changed = (*sketch.interrupts[:i], (name, thread, less), *sketch.interrupts[i + 1 :])
            yield replace(sketch, interrupts=changed)
    for i, (name, block) in enumerate(sketch.children):
        for less in _smaller_blocks(block):
            yield replace(sketch, children=(*sketch.children[:i], (name, less), *sketch.children[i + 1 :]))


def _smaller_blocks(block: Block) -> Iterator[Block]:
    for i, statement in enumerate(block):
        before, after = block[:i], block[i + 1 :]
        yield before + after
        *head, last = statement
        if isinstance(last, tuple):
            yield before + last + after
            for less in _smaller_blocks(last):
                yield (*before, (*head, less), *after)
        elif statement[0] == "inc":
            yield (*before, ("write", statement[1], 1), *after)
            yield (*before, ("read", statement[1]), *after)


def shrunk(sketch: Sketch, wrong: Callable[[Sketch], bool]) -> Sketch:
    """The smallest program found from ``sketch`` down for which ``wrong`` still holds."""
    while True:
        for less in smaller(sketch):
            if wrong(less):
                sketch = less
                break
        else:
            return sketch


# -- to read


def as_python(sketch: Sketch) -> str:
    """``sketch`` as a reader would write it."""
    lines = [f"# delayed: {', '.join(sketch.delayed) or 'nothing'}; semaphore: {sketch.count}"]
    if sketch.daemons:
        lines.append(f"# daemons: {', '.join(sketch.daemons)}")
    if sketch.fair or sketch.spurious or sketch.acts or sketch.shut:
        parts = "fair", "spurious", "acts", "shut"
        lines.append("# " + " ".join(f"{part}={getattr(sketch, part)}" for part in parts))
    for name, block in sketch.threads:
        lines += [f"def {name}(s):", *_lines(block, 1)]
    for name, thread, block in sketch.interrupts:
        lines += [f"def {name}(s):  # comes to {thread}", *_lines(block, 1)]
    for name, block in sketch.children:
        made = "by who starts it" if name in sketch.inner else "in setup"
        lines += [f"def {name}(s):  # is started, made {made}", *_lines(block, 1)]
    return "\n".join(lines)


def _lines(block: Block, depth: int) -> list[str]:
    made = []
    for kind, *args in block:
        inner = isinstance(args[-1], tuple) if args else False
        text = _TEXTS[kind]
        if kind == "until":
            text, args = f"rb.wait_until(lambda: {_PREDICATES[args[0]]})", args[1:]
        made.append("    " * depth + text.format(*args))
        if inner:
            made += _lines(args[-1], depth + 1)
            if kind in _RELEASES:
                made.append("    " * (depth + 1) + _RELEASES[kind].format(*args))
    return made or ["    " * depth + "pass"]


_RELEASES = {"try": "s.{0}.release()", "timed": "s.{0}.release()", "trydown": "s.sem.release()"}
_PREDICATES = {
    "ge": "s.{0} >= {1}",
    "and": "s.{0} and s.{1} <= 1",
    "or": "s.{0} >= 1 or s.{1} >= 1",
    "unlocked": "not s.{0}.locked()",
    "ref": "s.ref.v >= 1",
}
_TEXTS = {
    "read": "seen.append(s.{0})",
    "write": "s.{0} = {1}",
    "inc": "s.{0} += 1",
    "if": "if s.{0} > 0:",
    "ifseen": "if seen[-1:] == [{0}]:",
    "crashseen": 'rb.check_that(seen[-1:] != [{0}], "crash.seen", "hit")',
    "crash": 'rb.check_that(s.{0} != {1}, "crash.{0}", "hit")',
    "raise": 'if s.{0} == {1}: raise RuntimeError("hit")',
    "point": "s.ref = s.nodes[{0}]",
    "setv": "s.nodes[{0}].v = {1}",
    "lock": "with s.{0}:",
    "irq": "with s.{0}.irq():",
    "irqsave": "with s.{0}.irqsave():",
    "try": "if s.{0}.acquire(blocking=False):",
    "take": "s.{0}.acquire()",
    "some": "if True:",
    "ptake": "s.p.acquire()",
    "ptry": "seen.append(s.p.acquire(blocking=False))",
    "ptimed": "seen.append(s.p.acquire(timeout=1))",
    "prelease": "seen.append(succeeds(s.p.release))",
    "release": "s.{0}.release()",
    "locked": "seen.append(s.{0}.locked())",
    "sem": "with s.sem:",
    "down": "s.sem.acquire()",
    "up": "s.sem.release()",
    "trydown": "if s.sem.acquire(blocking=False):",
    "rw_read": "with s.rw.read():",
    "rw_write": "with s.rw.write():",
    "rw_unread": "s.rw.release_read()",
    "rw_unwrite": "s.rw.release_write()",
    "wait": "seen.append(s.{0}.wait())",
    "notify": "s.{0}.notify()",
    "notify_all": "s.{0}.notify_all()",
    "off": "rb.irqs_off()",
    "on": "rb.irqs_on()",
    "mb": "rb.smp_mb()",
    "until": "",
    "timed": "if s.{0}.acquire(timeout=1):",
    "btaken": "if s.bounded.acquire(timeout=1):",
    "bdown": "s.bounded.acquire()",
    "bup": "s.bounded.release({0})",
    "twait": "seen.append(s.{0}.wait(timeout=1))",
    "ewait": "seen.append(s.event.wait())",
    "etwait": "seen.append(s.event.wait(timeout=1))",
    "eset": "s.event.set()",
    "eclear": "s.event.clear()",
    "eis": "seen.append(s.event.is_set())",
    "bwait": "seen.append(s.barrier.wait())",
    "btwait": "seen.append(s.barrier.wait(timeout=1))",
    "babort": "s.barrier.abort()",
    "breset": "s.barrier.reset()",
    "bbroken": "seen.append(s.barrier.broken)",
    "bwaiting": "seen.append(s.barrier.n_waiting)",
    "aload": "seen.append(s.value.load())",
    "astore": "s.value.store({0})",
    "aadd": "seen.append(s.value.fetch_add({0}))",
    "acas": "seen.append(s.value.compare_exchange({0}, {1}))",
    "start": "seen.append(succeeds(s.{0}.start))",
    "join": "seen.append(succeeds(s.{0}.join))",
    "tjoin": "seen.append(succeeds(s.{0}.join, 1))",
    "alive": "seen.append(s.{0}.is_alive())",
}
