"""Lock classes that are taken in both orders: a hang that may be possible.

Edges go from a lock that is held to the one that is wanted, as in Linux'
lockdep; a cycle counts when, as in Goodlock (Havelund 2000), its edges come
from different threads and no lock is held for two of them.  One that a common
lock guards is told as guarded.  A trylock is never wanted, but it is held.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..findings import Alarm
from ..trace import Execution, Kind, LockEdge
from .held import EXCLUSIVE, SHARED, Held

RULE = "lock_order.inversion"

_WANTS = {Kind.ACQUIRE: EXCLUSIVE, Kind.ACQUIRE_WRITE: EXCLUSIVE, Kind.ACQUIRE_READ: SHARED}
_MOST_EDGES = 400


def detect(execution: Execution) -> list[Alarm]:
    """An alarm for each cycle of lock classes in ``execution``."""
    edges = edges_of(execution)
    return rings(edges) if edges else []


def edges_of(execution: Execution) -> list[LockEdge]:
    """Each nested acquisition once; locks that threads still waited for count as wanted."""
    held = Held(execution.threads)
    found: dict[tuple[str, str, str], LockEdge] = {}
    # An interrupt has its locks on top of those of the thread below it, as one processor.
    below: dict[int, Any] = {}
    for n, (actor, op, obj) in enumerate(execution.steps):
        if op.is_field:
            continue
        if op.kind is Kind.INTERRUPT:
            below[actor.index] = obj.task
        actor = below.get(actor.index, actor)
        holding = held.of[actor.index]
        if holding and op.kind in _WANTS:
            _want(found, execution, n, actor.name, holding, obj, _WANTS[op.kind])
        held.apply(n, actor.index, op.kind, obj)
    for k, (actor, op, obj) in enumerate(execution.blocked):
        actor = below.get(actor.index, actor)
        holding = held.of[actor.index]
        if holding and op.kind in _WANTS:
            at = len(execution.steps) + k
            _want(found, execution, at, actor.name, holding, obj, _WANTS[op.kind])
    return list(found.values())


def _want(
    found: dict[tuple[str, str, str], LockEdge],
    execution: Execution,
    n: int,
    thread: str,
    holding: Sequence[tuple[Any, int, bool]],
    wanted: Any,
    mode: bool,
) -> None:
    if any(lock is wanted for lock, _, _ in holding):
        return
    others: frozenset[tuple[str, bool]] | None = None
    name = wanted.label()
    for lock, taken, held_mode in holding:
        key = (thread, lock.label(), name)
        if key in found or len(found) >= _MOST_EDGES:
            continue
        if others is None:
            others = frozenset((held.label(), m) for held, _, m in holding)
        found[key] = LockEdge(
            thread, (lock.cls, lock.label()), (wanted.cls, name), others, held_mode, mode,
            taken, n, execution.place(taken), execution.place(n),
        )  # fmt: skip


def rings(edges: Sequence[LockEdge]) -> list[Alarm]:
    """An alarm for each ring of lock classes among ``edges``; unguarded ones first."""
    if not _may_close({(e.held[0], e.wanted[0]) for e in edges}):
        return []
    found: dict[str, Alarm] = {}
    for ring in _cycles(edges):
        alarm = _alarm(ring)
        known = found.get(alarm.signature)
        if known is None or (known.guarded, known.steps[-1:]) > (alarm.guarded, alarm.steps[-1:]):
            found[alarm.signature] = alarm
    return sorted(found.values(), key=lambda a: (a.guarded, a.signature))


def _may_close(pairs: set[tuple[str, str]]) -> bool:
    """Whether the class graph has a cycle at all; most executions end here."""
    left = set(pairs)
    while left:
        heads = {a for a, _ in left}
        dead = {(a, b) for a, b in left if b not in heads}
        if not dead:
            return True
        left -= dead
    return False


def _cycles(edges: Sequence[LockEdge]) -> Iterator[list[LockEdge]]:
    """Rings of edges of different threads, each thread once, from its least thread on."""
    by_held: dict[str, list[LockEdge]] = {}
    for edge in edges:
        by_held.setdefault(edge.held[0], []).append(edge)

    def walk(path: list[LockEdge]) -> Iterator[list[LockEdge]]:
        first, last = path[0], path[-1]
        if len(path) > 1 and _meets(last, first) and _sound(path):
            yield list(path)
        for edge in by_held.get(last.wanted[0], ()):
            new = edge.thread > first.thread and all(edge.thread != e.thread for e in path)
            if new and _meets(last, edge):
                path.append(edge)
                yield from walk(path)
                path.pop()

    for edge in edges:
        yield from walk([edge])


def _meets(a: LockEdge, b: LockEdge) -> bool:
    """Whether waiting as ``a`` does can be for what ``b`` holds: one class, not both sharing."""
    return a.wanted[0] == b.held[0] and (a.wanted_mode or b.held_mode)


def _sound(ring: Sequence[LockEdge]) -> bool:
    """Two instances of one class nested are an order only among the instances themselves."""
    if all(edge.held[0] != edge.wanted[0] for edge in ring):
        return True
    return _instances(ring)


def _instances(ring: Sequence[LockEdge]) -> bool:
    return all(a.wanted == b.held for a, b in zip(ring, _rotated(ring), strict=True))


def _rotated(ring: Sequence[LockEdge]) -> list[LockEdge]:
    return [*ring[1:], ring[0]]


def _gates(ring: Sequence[LockEdge]) -> list[str]:
    """Locks that two threads of the ring hold, not both sharing: they keep it open."""
    gates = set[str]()
    for i, a in enumerate(ring):
        for b in ring[i + 1 :]:
            gates |= {n for n, how in a.others for m, other in b.others if n == m and (how or other)}
    return sorted(gates)


def _alarm(ring: list[LockEdge]) -> Alarm:
    start = min(range(len(ring)), key=lambda i: (ring[i].held[0], ring[i].thread))
    ring = ring[start:] + ring[:start]
    gates = _gates(ring)
    classes = [edge.held[0] for edge in ring]
    story = "; ".join(_told(edge) for edge in ring)
    if gates:
        story += f"; never both at once: {', '.join(gates)} is held for each"
    same = _instances(ring)
    evidence = {
        "ring": [
            {
                "thread": e.thread,
                "holds": [{"lock": e.held[1], "class": e.held[0], "site": e.taken_site}],
                "wants": {"lock": e.wanted[1], "class": e.wanted[0], "site": e.wanted_site},
            }
            for e in ring
        ],
        "instances": "the same locks" if same else "other locks of the same classes",
        "guarded_by": gates,
    }
    steps = tuple(sorted({n for e in ring for n in (e.taken, e.at) if n >= 0}))
    signature = f"{RULE}: {' -> '.join([*classes, classes[0]])}"
    return Alarm(RULE, signature, story, steps, evidence, bool(gates))


def _told(edge: LockEdge) -> str:
    where = f" ({edge.wanted_site})" if edge.wanted_site else ""
    taken = f" ({edge.taken_site})" if edge.taken_site else ""
    return f"{edge.thread} takes {edge.wanted[1]}{where} with {edge.held[1]} held{taken}"
