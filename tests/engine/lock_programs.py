"""Random small programs of locks and fields, and an enumerator of them that shares no code with an engine.

A program is one block a thread; a block is a tuple of statements:

("with", function, lock, block)   take the lock in that function, do the block, give it up
("try", function, lock, block)    the same if it is free, else nothing
("set", field, value)
("add", field)                    read it in one step, write one more in another
("if", field, value, block)       the block if the field has the value
("check", field, value)           the machine crashes if the field has the value
"""

from __future__ import annotations

import random
import types
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import racebench as rb

LOCKS, FIELDS, FUNCTIONS, TRIES = "abc", "xy", "fgh", "t"
Block = tuple[Any, ...]
Ring = tuple[str, ...]


@dataclass(frozen=True)
class Written:
    """A block for each thread, and the values of the fields that may not be there at the end."""

    blocks: tuple[Block, ...]
    wrong: tuple[int, int] | None


def written(seed: int, tries: bool = True) -> Written:
    rng = random.Random(seed)
    blocks = tuple(_block(rng, 3, 3, tries) for _ in range(rng.choice((2, 2, 3))))
    return Written(blocks, (rng.randrange(3), rng.randrange(3)) if rng.random() < 0.5 else None)


def _block(rng: random.Random, depth: int, longest: int, tries: bool) -> Block:
    return tuple(_statement(rng, depth, tries) for _ in range(rng.randint(1, longest)))


def _statement(rng: random.Random, depth: int, tries: bool) -> Block:
    kinds = ["set", "add"]
    if depth:
        kinds += ["with"] * 6 + ["try"] * tries + ["if", "check"]
    kind = rng.choice(kinds)
    if kind in ("with", "try"):
        function = rng.choice(FUNCTIONS if kind == "with" else TRIES)
        return kind, function, rng.choice(LOCKS), _block(rng, depth - 1, 2, tries)
    if kind == "if":
        return kind, rng.choice(FIELDS), rng.randrange(2), _block(rng, depth - 1, 2, tries)
    if kind == "check":
        return kind, rng.choice(FIELDS), 2
    return (kind, rng.choice(FIELDS)) if kind == "add" else (kind, rng.choice(FIELDS), rng.randint(1, 2))


# -- as a program


class Machine(rb.State):
    x = rb.shared(0, atomic=True)
    y = rb.shared(0, atomic=True)

    def __init__(self) -> None:
        self.a, self.b, self.c = rb.Lock("a"), rb.Lock("b"), rb.Lock("c")


def program(source: Written) -> rb.Program:
    def check(s: Machine, results: Any) -> Any:
        return rb.broken("end.wrong", "wrong") if (s.x, s.y) == source.wrong else None

    threads = {str(i): (lambda s, b=block: _run(s, b)) for i, block in enumerate(source.blocks)}
    return rb.Program("locks", setup=Machine, threads=threads, check=check)


def _run(s: Machine, block: Block) -> None:
    for kind, what, *more in block:
        if kind in ("with", "try"):
            _TAKES[what](s, kind, getattr(s, more[0]), more[1])
        elif kind == "set":
            setattr(s, what, more[0])
        elif kind == "add":
            setattr(s, what, getattr(s, what) + 1)
        elif kind == "if":
            if getattr(s, what) == more[0]:
                _run(s, more[1])
        else:
            rb.check_that(getattr(s, what) != more[0], f"crash.{what}", "crashed")


def _take(s: Machine, kind: str, lock: rb.Lock, block: Block) -> None:
    if kind == "with":
        with lock:
            _run(s, block)
    elif lock.acquire(blocking=False):
        _run(s, block)
        lock.release()


_TAKES = {
    name: types.FunctionType(_take.__code__.replace(co_name=name), globals(), name)
    for name in (*FUNCTIONS, *TRIES)
}


# -- changed by hand


def without(source: Written, function: str, lock: str) -> Written:
    """``source`` with each such acquisition left out: what was done under the lock is done anyway."""
    return Written(tuple(_without(block, function, lock) for block in source.blocks), source.wrong)


def _without(block: Block, function: str, lock: str) -> Block:
    changed: list[Any] = []
    for statement in block:
        inside = _without(statement[-1], function, lock) if isinstance(statement[-1], tuple) else None
        if statement[0] in ("with", "try") and statement[1:3] == (function, lock):
            changed += inside or ()
        else:
            changed.append(statement if inside is None else (*statement[:-1], inside))
    return tuple(changed)


def swapped(source: Written, outer: tuple[str, str], inner: tuple[str, str]) -> Written:
    """``source`` with ``inner`` taken before each ``outer``, and not again inside."""
    return Written(tuple(_swapped(block, outer, inner) for block in source.blocks), source.wrong)


def _swapped(block: Block, outer: tuple[str, str], inner: tuple[str, str]) -> Block:
    changed: list[Any] = []
    for statement in block:
        if statement[0] == "with" and statement[1:3] == outer:
            inside = _swapped(_without(statement[3], *inner), outer, inner)
            changed.append(("with", *inner, ((*statement[:3], inside),)))
        elif isinstance(statement[-1], tuple):
            changed.append((*statement[:-1], _swapped(statement[-1], outer, inner)))
        else:
            changed.append(statement)
    return tuple(changed)


# -- enumerated


@dataclass
class Reached:
    """The rules that some order breaks, with the fewest preemptions, and the rings of locks that hang."""

    rules: dict[str, int] = field(default_factory=dict)
    rings: set[Ring] = field(default_factory=set)


@dataclass(frozen=True)
class _State:
    at: tuple[int, ...]
    kept: tuple[int, ...]
    owners: tuple[tuple[str, int], ...] = ()
    fields: tuple[int, int] = (0, 0)


class Enumerator:
    """Goes through every state that the threads of a program can come to."""

    def __init__(self, source: Written) -> None:
        self.codes = [list(_flat(block)) for block in source.blocks]
        self.wrong = source.wrong

    def first(self) -> _State:
        return _State((0,) * len(self.codes), (0,) * len(self.codes))

    def able(self, state: _State) -> list[int]:
        return [i for i, op in self._offers(state) if op[0] != "lock" or op[1] not in dict(state.owners)]

    def _offers(self, state: _State) -> Iterator[tuple[int, Any]]:
        for i, code in enumerate(self.codes):
            if state.at[i] < len(code):
                yield i, code[state.at[i]]

    def step(self, state: _State, i: int) -> _State | str:
        """The state after thread ``i`` has made its step, or the rule that it crashed with."""
        kind, what, *more = self.codes[i][state.at[i]]
        owners, fields, kept, to = dict(state.owners), list(state.fields), list(state.kept), state.at[i] + 1
        if kind == "unlock":
            del owners[what]
        elif kind == "try" and what in owners:
            to = more[0]
        elif kind in ("lock", "try"):
            owners[what] = i
        else:
            which = FIELDS.index(what)
            value = fields[which]
            if kind == "check" and value == more[0]:
                return f"crash.{what}"
            if kind == "if" and value != more[0]:
                to = more[1]
            if kind == "read":
                kept[i] = value
            if kind in ("set", "write"):
                fields[which] = more[0] if kind == "set" else kept[i] + 1
                kept[i] = 0
        at = (*state.at[:i], to, *state.at[i + 1 :])
        return _State(at, tuple(kept), tuple(sorted(owners.items())), (fields[0], fields[1]))

    def rings(self, state: _State) -> Iterator[Ring]:
        """The locks wanted around each ring of threads that wait for one another, from the least on."""
        owners = dict(state.owners)
        wants = {i: op[1] for i, op in self._offers(state) if op[0] == "lock" and op[1] in owners}
        for start in wants:
            ring: list[str] = []
            thread = start
            while thread in wants and len(ring) <= len(wants):
                ring.append(wants[thread])
                thread = owners[wants[thread]]
                if thread == start:
                    yield min(tuple(ring[k:] + ring[:k]) for k in range(len(ring)))
                    break

    def reached(self) -> Reached:
        """What can be reached; a preemption is a step by another thread than the last, which could go on."""
        reached = Reached()
        queue = deque([(self.first(), -1, 0)])
        seen: set[Any] = set()
        while queue:
            state, last, used = queue.popleft()
            if (state, last) in seen:
                continue
            seen.add((state, last))
            able = self.able(state)
            for ring in self.rings(state):
                reached.rings.add(ring)
                reached.rules.setdefault("deadlock.self" if len(ring) == 1 else "deadlock.cycle", used)
            if not any(True for _ in self._offers(state)) and state.fields == self.wrong:
                reached.rules.setdefault("end.wrong", used)
            for i in able:
                preempts = last in able and i != last
                after = self.step(state, i)
                if isinstance(after, str):
                    reached.rules[after] = min(used + preempts, reached.rules.get(after, used + preempts))
                elif preempts:
                    queue.append((after, i, used + 1))
                else:
                    queue.appendleft((after, i, used))
        return reached

    def preemptions(self, schedule: Any) -> int:
        """How many are in ``schedule``."""
        state, last, count = self.first(), -1, 0
        for n, (thread, _, _) in enumerate(schedule):
            i, able = int(thread), self.able(state)
            assert i in able
            count += last in able and i != last
            after = self.step(state, i)
            if isinstance(after, str):
                assert n == len(schedule) - 1
                break
            state, last = after, i
        return count


def _flat(block: Block, base: int = 0) -> list[Any]:
    code: list[Any] = []
    for kind, what, *more in block:
        here = base + len(code)
        if kind == "with":
            code += [("lock", more[0]), *_flat(more[1], here + 1), ("unlock", more[0])]
        elif kind in ("try", "if"):
            end = [("unlock", more[0])] if kind == "try" else []
            inside = [*_flat(more[1], here + 1), *end]
            head = (kind, more[0]) if kind == "try" else (kind, what, more[0])
            code += [(*head, here + 1 + len(inside)), *inside]
        elif kind == "add":
            code += [("read", what), ("write", what)]
        else:
            code.append((kind, what, *more))
    return code
