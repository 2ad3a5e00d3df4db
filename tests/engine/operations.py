"""What each operation does: (machine, step, actor, arguments) -> the actor after it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import handed
from .flat import CONDITIONS, FIELDS, LOCKS
from .states import (
    ASLEEP,
    AT_ONCE,
    BROKEN,
    DRAINING,
    FILLING,
    LATE,
    NOBODY,
    QUEUED,
    RESETTING,
    WOKEN,
    Actor,
    Crash,
    Step,
    gone_on,
    put,
)  # fmt: skip

if TYPE_CHECKING:
    from .machine import Machine

PARTIES = 2
_ATOM = FIELDS.index("atom")


def lock_of(condition: int) -> int:
    return LOCKS.index(CONDITIONS[condition][1])


def _read(machine: Machine, step: Step, actor: Actor, field: int) -> Actor:
    return gone_on(actor, machine.load(step, step.i, field))


def _fetch(machine: Machine, step: Step, actor: Actor, field: int) -> Actor:
    return gone_on(actor, kept=machine.load(step, step.i, field) + 1)


def _store(machine: Machine, step: Step, actor: Actor, field: int, value: int) -> Actor:
    if field not in machine.delayed:
        step.memory = put(step.memory, field, value)
        return gone_on(actor, kept=0)
    own, at = step.buffers[step.i], machine.delayed.index(field)
    step.buffers = put(step.buffers, step.i, put(own, at, (*own[at], value)))
    return gone_on(actor, kept=0, stored=True)


def _store_kept(machine: Machine, step: Step, actor: Actor, field: int) -> Actor:
    return _store(machine, step, actor, field, actor.kept)


def _if(machine: Machine, step: Step, actor: Actor, field: int, otherwise: int) -> Actor:
    return gone_on(actor) if machine.load(step, step.i, field) > 0 else actor._replace(at=otherwise)


def _crash(machine: Machine, step: Step, actor: Actor, field: int, value: int) -> Actor:
    if machine.load(step, step.i, field) == value:
        raise Crash(f"crash.{FIELDS[field]}")
    return gone_on(actor)


def _raise(machine: Machine, step: Step, actor: Actor, field: int, value: int, to: int) -> Actor:
    return actor._replace(at=to) if machine.load(step, step.i, field) == value else gone_on(actor)


def _lock(machine: Machine, step: Step, actor: Actor, lock: int) -> Actor:
    holder, depth = step.locks[lock]
    step.locks = put(step.locks, lock, (step.i if holder == NOBODY else holder, depth + 1))
    return gone_on(actor)


def _try(machine: Machine, step: Step, actor: Actor, lock: int, otherwise: int) -> Actor:
    if not machine.free(step.locks[lock], step.i, lock):
        return gone_on(actor, 0)._replace(at=otherwise)
    return _lock(machine, step, actor, lock)._replace(seen=(*actor.seen, 1))


def _unlock(machine: Machine, step: Step, actor: Actor, lock: int) -> Actor:
    holder, depth = step.locks[lock]
    again = LOCKS[lock] == "r" and holder == machine.below[step.i] and depth > 1
    if holder == step.i or again:
        step.locks = put(step.locks, lock, (holder, depth - 1) if depth > 1 else (NOBODY, 0))
    else:
        step.misuse()
    return gone_on(actor)


def _locked(machine: Machine, step: Step, actor: Actor, lock: int) -> Actor:
    return gone_on(actor, int(step.locks[lock][0] != NOBODY))


def _wait(machine: Machine, step: Step, actor: Actor, condition: int) -> Actor:
    lock = lock_of(condition)
    if actor.phase == ASLEEP:
        rest = tuple(i for i in step.sleepers[condition] if i != step.i)
        step.sleepers = put(step.sleepers, condition, rest)
        step.spent |= {(step.i, condition)}
        return actor._replace(phase=WOKEN)
    if actor.phase in (WOKEN, LATE):
        # Who is late is on the list until now, unless a notification was wasted on it.
        rest = tuple(i for i in step.sleepers[condition] if i != step.i)
        step.sleepers = put(step.sleepers, condition, rest)
        step.locks = put(step.locks, lock, (step.i, actor.kept))
        return gone_on(actor, int(actor.phase == WOKEN), kept=0)
    holder, depth = step.locks[lock]
    if holder != step.i:
        step.misuse()
        return gone_on(actor, 0)
    step.locks = put(step.locks, lock, (NOBODY, 0))
    step.sleepers = put(step.sleepers, condition, (*step.sleepers[condition], step.i))
    return actor._replace(phase=ASLEEP, kept=depth)


def _notify(machine: Machine, step: Step, actor: Actor, condition: int, most: int) -> Actor:
    if step.locks[lock_of(condition)][0] != step.i:
        step.misuse()
        return gone_on(actor)
    asleep = step.sleepers[condition]
    for i in asleep[:most]:
        if step.actors[i].phase == ASLEEP:
            step.actors = put(step.actors, i, step.actors[i]._replace(phase=WOKEN))
    step.sleepers = put(step.sleepers, condition, asleep[most:])
    return gone_on(actor)


def _down(machine: Machine, step: Step, actor: Actor) -> Actor:
    step.units -= 1
    return gone_on(actor)


def _try_down(machine: Machine, step: Step, actor: Actor, otherwise: int) -> Actor:
    if not step.units:
        return gone_on(actor, 0)._replace(at=otherwise)
    step.units -= 1
    return gone_on(actor, 1)


def _up(machine: Machine, step: Step, actor: Actor) -> Actor:
    step.units += 1
    return gone_on(actor)


# -- with a timeout


def _late(machine: Machine, step: Step, actor: Actor, *where: int) -> Actor:
    """The block that it guards, if there is one, is skipped."""
    return gone_on(actor, 0)._replace(at=where[-1])


def _timed(machine: Machine, step: Step, actor: Actor, lock: int, otherwise: int) -> Actor:
    if not machine.free(step.locks[lock], step.i, lock):
        return actor._replace(phase=ASLEEP)
    return _lock(machine, step, actor, lock)._replace(seen=(*actor.seen, 1))


def _late_wait(machine: Machine, step: Step, actor: Actor, condition: int) -> Actor:
    return actor._replace(phase=LATE)


def _bounded_taken(machine: Machine, step: Step, actor: Actor, otherwise: int) -> Actor:
    if not step.bounded:
        return actor._replace(phase=ASLEEP)
    step.bounded -= 1
    return gone_on(actor, 1)


def _bounded_down(machine: Machine, step: Step, actor: Actor) -> Actor:
    step.bounded -= 1
    return gone_on(actor)


def _bounded_up(machine: Machine, step: Step, actor: Actor, n: int) -> Actor:
    if step.bounded + n > machine.sketch.count:
        return gone_on(actor, 0)
    step.bounded += n
    return gone_on(actor, 1)


def _event_wait(machine: Machine, step: Step, actor: Actor) -> Actor:
    if actor.phase == WOKEN or step.flag:
        return gone_on(actor, 1)
    step.hopeful |= {step.i}
    return actor._replace(phase=ASLEEP)


def _late_event(machine: Machine, step: Step, actor: Actor) -> Actor:
    step.hopeful -= {step.i}
    return gone_on(actor, 0)


def _event_set(machine: Machine, step: Step, actor: Actor) -> Actor:
    for i in step.hopeful:
        step.actors = put(step.actors, i, step.actors[i]._replace(phase=WOKEN))
    step.flag, step.hopeful = True, frozenset()
    return gone_on(actor)


def _event_clear(machine: Machine, step: Step, actor: Actor) -> Actor:
    step.flag = False
    return gone_on(actor)


def _event_is(machine: Machine, step: Step, actor: Actor) -> Actor:
    return gone_on(actor, int(step.flag))


# -- barriers, after the text of ``threading.Barrier``; broken is recorded as -1


def _barrier_wait(machine: Machine, step: Step, actor: Actor, after: int) -> Actor:
    state, count, acting = step.barrier
    if actor.phase == ASLEEP:
        _leave(step, state)
        return gone_on(actor, actor.kept if state == DRAINING else -1, kept=0)._replace(at=after)
    if state == BROKEN:
        return gone_on(actor, -1)._replace(at=after)
    if count + 1 < PARTIES:
        step.barrier = state, count + 1, acting
        return actor._replace(phase=ASLEEP, kept=count)
    if machine.sketch.acts:
        step.barrier = state, count + 1, step.i
        return gone_on(actor)
    step.barrier = state, count + 1, acting
    _leave(step, DRAINING)
    return gone_on(actor, count)._replace(at=after)


def _leave(step: Step, state: int) -> None:
    _, count, _ = step.barrier
    if count == 1 and state in (RESETTING, DRAINING):
        state = FILLING
    step.barrier = state, count - 1, NOBODY


def _acted(machine: Machine, step: Step, actor: Actor) -> Actor:
    _leave(step, DRAINING)
    return gone_on(actor, PARTIES - 1)


def _late_barrier(machine: Machine, step: Step, actor: Actor, after: int) -> Actor:
    _leave(step, BROKEN)
    return gone_on(actor, -1, kept=0)._replace(at=after)


def _barrier_abort(machine: Machine, step: Step, actor: Actor) -> Actor:
    step.barrier = BROKEN, *step.barrier[1:]
    return gone_on(actor)


def _barrier_reset(machine: Machine, step: Step, actor: Actor) -> Actor:
    state, count, acting = step.barrier
    if not count:
        state = FILLING
    elif state in (FILLING, BROKEN):
        state = RESETTING
    step.barrier = state, count, acting
    return gone_on(actor)


def _barrier_broken(machine: Machine, step: Step, actor: Actor) -> Actor:
    return gone_on(actor, int(step.barrier[0] == BROKEN))


def _barrier_waiting(machine: Machine, step: Step, actor: Actor) -> Actor:
    state, count, _ = step.barrier
    return gone_on(actor, count if state == FILLING else 0)


# -- atomic values


def _add(machine: Machine, step: Step, actor: Actor, value: int) -> Actor:
    old = step.memory[_ATOM]
    step.memory = put(step.memory, _ATOM, old + value)
    return gone_on(actor, old)


def _compare(machine: Machine, step: Step, actor: Actor, old: int, new: int) -> Actor:
    same = step.memory[_ATOM] == old
    if same:
        step.memory = put(step.memory, _ATOM, new)
    return gone_on(actor, int(same))


def _rw_read(machine: Machine, step: Step, actor: Actor) -> Actor:
    if machine.sketch.fair and actor.phase == AT_ONCE and (step.writer != NOBODY or step.writers):
        behind = frozenset({*step.writers, step.writer} - {NOBODY})
        step.queue = tuple(sorted((*step.queue, (step.i, behind)), key=lambda one: one[0]))
        return actor._replace(phase=QUEUED)
    step.queue = tuple(one for one in step.queue if one[0] != step.i)
    step.readers = tuple(sorted((*step.readers, step.i)))
    return gone_on(actor)


def _rw_write(machine: Machine, step: Step, actor: Actor) -> Actor:
    taken = step.writer != NOBODY or step.readers or step.writers
    if machine.sketch.fair and actor.phase == AT_ONCE and taken:
        step.writers = tuple(sorted((*step.writers, step.i)))
        return actor._replace(phase=QUEUED)
    step.writers = tuple(i for i in step.writers if i != step.i)
    step.writer = step.i
    return gone_on(actor)


def _rw_unread(machine: Machine, step: Step, actor: Actor) -> Actor:
    if step.i not in step.readers:
        step.misuse()
        return gone_on(actor)
    at = step.readers.index(step.i)
    step.readers = step.readers[:at] + step.readers[at + 1 :]
    return gone_on(actor)


def _rw_unwrite(machine: Machine, step: Step, actor: Actor) -> Actor:
    if step.writer != step.i:
        step.misuse()
        return gone_on(actor)
    step.writer = NOBODY
    # It may come to wait again: a reader is behind what it waits for now, not behind that.
    step.queue = tuple((reader, behind - {step.i}) for reader, behind in step.queue)
    return gone_on(actor)


def _until(machine: Machine, step: Step, actor: Actor, *predicate: Any) -> Actor:
    return gone_on(actor)


def _irqs(machine: Machine, step: Step, actor: Actor, on: bool) -> Actor:
    return gone_on(actor, irqs=on)


def _fence(machine: Machine, step: Step, actor: Actor) -> Actor:
    return gone_on(actor, stored=False)


def _runs(machine: Machine, step: Step, on: int) -> None:
    below = machine.below[step.i]
    assert below is not None
    step.running = put(step.running, below, on)


def _interrupt(machine: Machine, step: Step, actor: Actor) -> Actor:
    _runs(machine, step, step.i)
    return gone_on(actor)


def _return(machine: Machine, step: Step, actor: Actor) -> Actor:
    _runs(machine, step, NOBODY)
    return gone_on(actor)


OPERATIONS: dict[str, Callable[..., Actor]] = {
    "read": _read, "fetch": _fetch, "store": _store, "store_kept": _store_kept, "if": _if, "crash": _crash,
    "raise": _raise, "lock": _lock, "try": _try, "unlock": _unlock, "locked": _locked, "wait": _wait,
    "notify": _notify, "down": _down, "try_down": _try_down, "up": _up, "rw_read": _rw_read,
    "rw_write": _rw_write, "rw_unread": _rw_unread, "rw_unwrite": _rw_unwrite, "until": _until,
    "timed": _timed, "twait": _wait, "btaken": _bounded_taken, "bdown": _bounded_down, "bup": _bounded_up,
    "ewait": _event_wait, "etwait": _event_wait, "eset": _event_set, "eclear": _event_clear, "eis": _event_is,
    "bwait": _barrier_wait, "btwait": _barrier_wait, "acted": _acted, "babort": _barrier_abort,
    "breset": _barrier_reset, "bbroken": _barrier_broken, "bwaiting": _barrier_waiting,
    "aadd": _add, "acas": _compare,
    **handed.OPERATIONS,
    "irqs": _irqs, "fence": _fence, "interrupt": _interrupt, "return": _return,
}  # fmt: skip

LATE_OPERATIONS: dict[str, Callable[..., Actor]] = {
    "timed": _late, "btaken": _late, "twait": _late_wait, "etwait": _late_event, "btwait": _late_barrier,
    **handed.LATE_OPERATIONS,
}  # fmt: skip
"""What each of them does that ends by its timeout."""
