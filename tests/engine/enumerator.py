"""An enumerator of small programs, to hold the engines against: it shares no code with them.

A program is data (``Sketch``), a state of it is a tuple, and a depth-first search
with a set of visited states goes through every state that can be reached.
Nothing is reduced and no schedule is remembered.

Each actor (a thread, an interrupt, a store buffer of one field) makes one step
at a time.  What a thread does between two steps nobody can see, so it is done
together with the step before: the state has each thread at its next step.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .machine import Machine
from .states import Actor, Crash, Sketch, State

Who = tuple[int, int]
"""An actor: the index of a thread or interrupt, and -1 or the index of a delayed field; -2: it times out."""

End = tuple[tuple[int, ...], tuple[tuple[str, tuple[int, ...]], ...]]
"""The fields, and of each thread and interrupt: what became of it, what it has recorded."""


class TooLarge(Exception):
    """The program has more states than were asked for."""


@dataclass(slots=True)
class Reached:
    """All that the executions of a program can come to.

    ``ends`` has the ends in which all have ended, and those in which some are "inside"
    for ever.  ``rules`` has the rules that are broken on the way; each kind of
    deadlock counts as "deadlock".  Where only sleepers can go on that may wake
    unasked, and need not, there is a rule to break but no end yet.
    """

    ends: set[End]
    rules: set[str]
    states: int = 0


def enumerated(sketch: Sketch, most: int = 20_000, preemptions: int | None = None) -> Reached:
    """What ``sketch`` can come to, with at most so many ``preemptions``; TooLarge beyond ``most`` states.

    A preemption is a step by another actor than the last, which could have gone on, not
    counting that it could have timed out.
    """
    machine = Machine(sketch, strict=preemptions is not None)
    reached = Reached(set(), set())
    first = (machine.first(), None, 0)
    seen: set[Any] = {first}
    stack: list[Any] = [first]
    while stack:
        state, last, used = stack.pop()
        moves = machine.moves(state)
        if not moves:
            reached.ends.add(end_of(machine, state))
        if all(unasked for _, unasked in moves):
            _stopped(machine, state, reached)
        going_on = any(who == last for who, _ in moves)
        for who, _ in moves:
            now, actor = used, (who[0], max(who[1], -1))
            if preemptions is not None and going_on and actor != last:
                now += 1
                if now > preemptions:
                    continue
            try:
                after, broken = machine.step(state, who)
            except Crash as crash:
                reached.rules.update((crash.rule, *crash.broken))
                if doomed(machine, state, strict=True):
                    reached.rules.add("deadlock")
                continue
            reached.rules.update(broken)
            entry = (after, None, 0) if preemptions is None else (after, actor, now)
            if entry not in seen:
                if len(seen) >= most:
                    raise TooLarge
                seen.add(entry)
                stack.append(entry)
    reached.states = len(seen)
    return reached


def _stopped(machine: Machine, state: State, reached: Reached) -> None:
    """This is the end if those who may wake unasked do not."""
    _, threads = end_of(machine, state)
    named = zip(machine.sketch.names, threads, strict=True)
    stuck = any(became == "inside" and name not in machine.sketch.daemons for name, (became, _) in named)
    explained = any(became == "raised" for became, _ in threads) or leaked(state)
    if doomed(machine, state, strict=True) or (stuck and (not explained or doomed(machine, state))):
        reached.rules.add("deadlock")


def end_of(machine: Machine, state: State) -> End:
    became = []
    for i, actor in enumerate(state.actors):
        if not actor.ended:
            what = "never" if machine.waits_to_come(i, actor) else "inside"
        else:
            what = "raised" if actor.failed else "ended"
        became.append((what, actor.seen))
    return state.memory, tuple(became)


def leaked(state: State) -> bool:
    """Whether a thread has ended with a lock."""
    return any(actor.ended and i in state.holders() for i, actor in enumerate(state.actors))


def doomed(machine: Machine, state: State, strict: bool = False) -> set[int]:
    """The actors that wait for one another: the largest set in which each waits for one of the set.

    ``strict``: and for what nobody else can give.
    """
    waits = {i: machine.waits_for(state, i, actor, strict) for i, actor in _inside(machine, state)}
    ring = set(waits)
    while True:
        left = {i for i in ring if waits[i] & ring}
        if left == ring:
            return ring
        ring = left


def _inside(machine: Machine, state: State) -> Iterator[tuple[int, Actor]]:
    for i, actor in enumerate(state.actors):
        if not actor.ended and not machine.waits_to_come(i, actor):
            yield i, actor
