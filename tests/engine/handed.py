"""What threads do to one another: starts, joins, a lock that anybody may release. See ``operations``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .flat import PLAIN
from .states import ASLEEP, NOBODY, Actor, State, Step, gone_on, put

if TYPE_CHECKING:
    from .machine import Machine

# -- threads that are started: an operation that fails is recorded as 0


def joinable(machine: Machine, state: State | Step, i: int, child: str) -> bool:
    """Whether ``i`` need not wait for ``child``: it has ended, or there is nothing to wait for."""
    actor = state.actors[machine.children[child]]
    return actor.ended or not actor.started or machine.children[child] == i


def _start(machine: Machine, step: Step, actor: Actor, child: str) -> Actor:
    at = machine.children[child]
    if step.actors[at].started:
        return gone_on(actor, 0)
    step.actors = put(step.actors, at, step.actors[at]._replace(started=True))
    return gone_on(actor, 1)


def _join(machine: Machine, step: Step, actor: Actor, child: str) -> Actor:
    if not joinable(machine, step, step.i, child):
        return actor._replace(phase=ASLEEP)
    return gone_on(actor, int(step.actors[machine.children[child]].ended))


def _late_join(machine: Machine, step: Step, actor: Actor, child: str) -> Actor:
    return gone_on(actor, 1)


def _alive(machine: Machine, step: Step, actor: Actor, child: str) -> Actor:
    other = step.actors[machine.children[child]]
    return gone_on(actor, int(other.started and not other.ended))


def _end(machine: Machine, step: Step, actor: Actor) -> Actor:
    return gone_on(actor)


# -- the plain lock


def _try_plain(machine: Machine, step: Step, actor: Actor) -> Actor:
    if step.locks[PLAIN][0] != NOBODY:
        return gone_on(actor, 0)
    step.locks = put(step.locks, PLAIN, (step.i, 1))
    return gone_on(actor, 1)


def _timed_plain(machine: Machine, step: Step, actor: Actor) -> Actor:
    if step.locks[PLAIN][0] != NOBODY:
        return actor._replace(phase=ASLEEP)
    return _try_plain(machine, step, actor)


def _late_plain(machine: Machine, step: Step, actor: Actor) -> Actor:
    return gone_on(actor, 0)


def _release_plain(machine: Machine, step: Step, actor: Actor) -> Actor:
    if step.locks[PLAIN][0] == NOBODY:
        return gone_on(actor, 0)
    step.locks = put(step.locks, PLAIN, (NOBODY, 0))
    return gone_on(actor, 1)


OPERATIONS: dict[str, Callable[..., Actor]] = {
    "start": _start, "join": _join, "tjoin": _join, "alive": _alive, "end": _end,
    "ptry": _try_plain, "ptimed": _timed_plain, "prelease": _release_plain,
}  # fmt: skip

LATE_OPERATIONS: dict[str, Callable[..., Actor]] = {"tjoin": _late_join, "ptimed": _late_plain}
