"""The machine that the enumerator runs: who can make a step, and the state after it."""

from __future__ import annotations

from typing import Any

from .flat import CONDITIONS, FIELDS, LOCKS, PLAIN, flat
from .handed import joinable
from .operations import LATE_OPERATIONS, OPERATIONS, lock_of
from .states import (
    ASLEEP,
    AT_ONCE,
    BROKEN,
    FILLING,
    GONE,
    LATE,
    NOBODY,
    WOKEN,
    Actor,
    Crash,
    Sketch,
    State,
    Step,
    put,
)


class Machine:
    """What the threads, interrupts and children of one ``Sketch`` can do; ``children`` has their indices.

    Who has begun to wait with a timeout may time out at any later time, also when it
    could go on by then; if ``strict`` only while it cannot.
    """

    def __init__(self, sketch: Sketch, strict: bool = False) -> None:
        self.sketch, self.strict = sketch, strict
        threads = [name for name, _ in sketch.threads]
        self.threads = len(threads)
        self.below = [None] * self.threads + [threads.index(thread) for _, thread, _ in sketch.interrupts]
        self.children = {name: len(self.below) + k for k, (name, _) in enumerate(sketch.children)}
        self.below += [None] * len(self.children)
        fences = bool(sketch.delayed)
        self.codes = [flat(block, False, fences) for _, block in sketch.threads]
        self.codes += [flat(block, True, fences) for _, _, block in sketch.interrupts]
        self.codes += [flat(block, False, fences, "end") for _, block in sketch.children]
        self.delayed = [FIELDS.index(field) for field in sketch.delayed]

    def first(self) -> State:
        n = len(self.codes)
        actors = [
            Actor(irqs=below is None, started=i not in self.children.values())
            for i, below in enumerate(self.below)
        ]
        return State(
            (0,) * len(FIELDS), tuple(self._settled(i, actor, []) for i, actor in enumerate(actors)),
            self._locks(), (), NOBODY, (), (), ((),) * len(CONDITIONS), frozenset(),
            self.sketch.count, (NOBODY,) * self.threads, (((),) * len(self.delayed),) * n,
            self.sketch.count, False, frozenset(), (FILLING, 0, NOBODY),
        )  # fmt: skip

    def _locks(self) -> tuple[tuple[int, int], ...]:
        return put(((NOBODY, 0),) * len(LOCKS), PLAIN, (GONE, 1) if self.sketch.shut else (NOBODY, 0))

    # -- who can go on

    def moves(self, state: State) -> list[tuple[tuple[int, int], bool]]:
        """Who can make a step, and whether only unasked: such a step need never come."""
        made = []
        for i, actor in enumerate(state.actors):
            if actor.ended or not actor.started:
                continue
            if self.ready(state, i, actor):
                made.append(((i, -1), actor.phase == ASLEEP and self.codes[i][actor.at][0] == "wait"))
            if self.late(state, i, actor):
                made.append(((i, -2), False))
        for i, buffers in enumerate(state.buffers):
            made += [((i, at), False) for at, values in enumerate(buffers) if values]
        return made

    def ready(self, state: State, i: int, actor: Actor) -> bool:
        """Whether ``i`` can make its next step: no handler runs in its place, and it is able to."""
        return self.present(state, i) and self.able(state, i, actor)

    def present(self, state: State, i: int) -> bool:
        return not (i < self.threads and state.running[i] != NOBODY)

    def late(self, state: State, i: int, actor: Actor) -> bool:
        """Whether ``i`` can time out."""
        op = self.codes[i][actor.at][0]
        if op not in LATE_OPERATIONS or actor.phase != ASLEEP or not self.present(state, i):
            return False
        if op == "btwait":
            return state.barrier[0] == FILLING and state.barrier[2] == NOBODY
        return op in ("twait", "etwait") or not (self.strict and self.able(state, i, actor))

    def able(self, state: State, i: int, actor: Actor) -> bool:
        op, *args = self.codes[i][actor.at]
        if op == "lock":
            return self.free(state.locks[args[0]], i, args[0])
        if op == "wait" and actor.phase == ASLEEP:
            return self.sketch.spurious and (i, args[0]) not in state.spent
        if op in ("wait", "twait") and actor.phase in (WOKEN, LATE):
            lock = lock_of(args[0])
            return self.free(state.locks[lock], i, lock)
        if op in ("timed", "ptimed", "btaken", "twait", "ewait", "etwait"):
            if actor.phase != ASLEEP:
                return True
            if op in ("timed", "ptimed"):
                lock = args[0] if op == "timed" else PLAIN
                return self.free(state.locks[lock], i, lock)
            return op == "btaken" and state.bounded > 0
        if op == "join" or (op == "tjoin" and actor.phase == ASLEEP):
            return joinable(self, state, i, args[0])
        if op in ("down", "bdown"):
            return (state.units if op == "down" else state.bounded) > 0
        if op in ("bwait", "btwait", "babort", "breset"):
            return state.barrier[2] == NOBODY and self._through(state.barrier[0], op, actor.phase)
        if op in ("rw_read", "rw_write"):
            return self._let_in(state, i, actor, op)
        if op == "until":
            return self.holds(state, i, args)
        if op == "fence":
            return not any(state.buffers[i])
        if op == "interrupt":
            below = self.below[i]
            assert below is not None
            quiet = state.running[below] == NOBODY and not any(state.buffers[below])
            return quiet and state.actors[below].irqs
        return True

    @staticmethod
    def _through(barrier: int, op: str, phase: int) -> bool:
        """Whether a barrier in such a state lets in who comes, and out who waits."""
        if op in ("babort", "breset"):
            return True
        return barrier in (FILLING, BROKEN) if phase == AT_ONCE else barrier != FILLING

    def free(self, lock: tuple[int, int], i: int, which: int) -> bool:
        """Whether ``i`` can take it; an RLock its holder can, and a handler over its holder."""
        holder, _ = lock
        return holder == NOBODY or (LOCKS[which] == "r" and holder in (i, self.below[i]))

    def _let_in(self, state: State, i: int, actor: Actor, op: str) -> bool:
        if self.sketch.fair and actor.phase == AT_ONCE:
            return True
        if op == "rw_write":
            return state.writer == NOBODY and not state.readers
        return state.writer == NOBODY and not self.ahead(state, i)

    @staticmethod
    def ahead(state: State, i: int) -> set[int]:
        """The waiting writers that the waiting reader ``i`` is behind."""
        return {one for reader, behind in state.queue if reader == i for one in behind & {*state.writers}}

    def load(self, state: State | Step, i: int, field: int) -> int:
        """What ``i`` reads: its own latest store, if that still waits."""
        if field in self.delayed:
            own = state.buffers[i][self.delayed.index(field)]
            if own:
                return own[-1]
        return state.memory[field]

    def holds(self, state: State, i: int, args: list[Any]) -> bool:
        kind = args[0]
        if kind == "unlocked":
            return state.locks[LOCKS.index(args[1])][0] == NOBODY
        value = {name: self.load(state, i, at) for at, name in enumerate(FIELDS)}
        if kind == "ge":
            return value[args[1]] >= int(args[2])
        if kind == "and":
            return bool(value[args[1]] and value[args[2]] <= 1)
        if kind == "or":
            return value[args[1]] >= 1 or value[args[2]] >= 1
        assert kind == "ref"
        return value[f"v{value['ref']}"] >= 1

    def waits_to_come(self, i: int, actor: Actor) -> bool:
        """Whether ``i`` is an interrupt that has not come, or a child that has not been started."""
        return not actor.started or (self.below[i] is not None and actor.at == 0)

    def waits_for(self, state: State, i: int, actor: Actor, strict: bool = False) -> set[int]:
        """Without whom ``i`` cannot go on: all of them have to move.  Empty if it can, or nobody owns it.

        ``strict``: nobody else can let it go on.
        """
        op, *args = self.codes[i][actor.at]
        under = {state.running[i]} - {NOBODY} if i < self.threads else set()
        if self.able(state, i, actor):
            return under
        lock = -1
        if op == "lock":
            lock = args[0]
        elif op in ("wait", "twait") and actor.phase in (WOKEN, LATE):
            lock = lock_of(args[0])
        if lock >= 0:
            return under if strict and lock == PLAIN else under | {state.locks[lock][0]}
        if op in ("bwait", "btwait", "babort", "breset"):
            return under | {state.barrier[2]}
        if op == "join":
            return under | {self.children[args[0]]}
        if op == "rw_write":
            return under | {state.writer, *state.readers}
        if op == "rw_read":
            return under | {state.writer} | self.ahead(state, i)
        return under

    # -- steps

    def step(self, state: State, who: tuple[int, int]) -> tuple[State, list[str]]:
        """The state after the step of ``who``, and the rules that it breaks; raises Crash."""
        i, buffer = who
        late = buffer == -2
        step = Step(state, i)
        if buffer >= 0:
            own = step.buffers[i]
            value, *rest = own[buffer]
            step.memory = put(step.memory, self.delayed[buffer], value)
            step.buffers = put(step.buffers, i, put(own, buffer, tuple(rest)))
            return step.state(), []
        actor = state.actors[i]
        op, *args = self.codes[i][actor.at]
        try:
            after = (LATE_OPERATIONS if late else OPERATIONS)[op](self, step, actor, *args)
            if after.phase == AT_ONCE:
                after = self._settled(i, after, step.broken)
        except Crash as crash:
            crash.broken = step.broken
            raise
        step.actors = put(step.actors, i, after)
        if after.ended and step.locks[PLAIN][0] == i:
            step.locks = put(step.locks, PLAIN, (GONE, 1))
        made = step.state()
        if after.ended and i in made.holders():
            step.broken.append("lock.leaked")
        return made, step.broken

    def _settled(self, i: int, actor: Actor, broken: list[str]) -> Actor:
        """``actor`` at its next step, or ended."""
        code = self.codes[i]
        while actor.at < len(code):
            op, *args = code[actor.at]
            if op == "jump":
                actor = actor._replace(at=args[0])
            elif op == "push":
                actor = actor._replace(at=actor.at + 1, guards=(*actor.guards, actor.irqs or not args[0]))
            elif op == "pop":
                on = actor.guards[-1]
                actor = actor._replace(at=actor.at + (1 if on else 2), guards=actor.guards[:-1])
            elif op == "ifseen":
                actor = actor._replace(at=actor.at + 1 if actor.seen[-1:] == (args[0],) else args[1])
            elif op == "crashseen":
                if actor.seen[-1:] == (args[0],):
                    raise Crash("crash.seen")
                actor = actor._replace(at=actor.at + 1)
            elif op == "failed":
                broken.append("program.error")
                actor = actor._replace(at=actor.at + 1, failed=True)
            elif op == "fence" and not actor.stored:
                actor = actor._replace(at=actor.at + 1)
            elif op == "irqs" and (args[0] == actor.irqs or i not in self.below):
                actor = actor._replace(at=actor.at + 1, irqs=args[0])
            else:
                return actor
        return actor._replace(ended=True)
