"""Lock classes that are taken in both orders: a possible deadlock.

Edges go from a lock that is held to a lock that is wanted, as in Linux'
lockdep; a cycle counts when, as in Goodlock (Havelund 2000), its edges come
from different threads and no lock is held for two of them.  A cycle that a common
lock guards is reported as guarded.  A trylock is never wanted, but it is held.  Two
edges, one of which always ends before the other begins, make no cycle: see
``happens_before``.

Readers do not wait for readers, but at a fair read-write lock they wait behind a
writer that waits for them.  So at such a lock two shared edges make part of a cycle,
and a reader that takes the lock again is a cycle by itself.  Both need a waiting
writer: a thread outside the cycle, a different one for each such place, that no lock
keeps from waiting at that moment.  Lockdep has the same for locks whose readers are
not recursive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ..findings import Alarm
from ..trace import NOTHING, Execution, Kind, LockEdge, Op
from .happens_before import HappensBefore
from .locksets import EXCLUSIVE, SHARED, Holding, Locksets
from .survey import survey

RULE = "lock_order.inversion"

WANTS = {
    Kind.ACQUIRE: EXCLUSIVE,
    Kind.ACQUIRE_WRITE: EXCLUSIVE,
    Kind.ACQUIRE_READ: SHARED,
    Kind.REQUEST_WRITE: EXCLUSIVE,
    Kind.REQUEST_READ: SHARED,
}
_MOST_EDGES = 400


def detect(execution: Execution) -> list[Alarm]:
    """An alarm for each cycle of lock classes in ``execution``."""
    known = survey(execution)
    pairs = _nested(execution) if known is None else known.nested
    return rings(_Edges(execution).found()) if _may_close(pairs) else []


def _wanted(
    execution: Execution, step: Callable[[int, Any, Op, Any], None] | None = None
) -> Iterator[tuple[int, Any, Any, bool, Holding]]:
    """Each lock that is wanted: the step, by whom, the lock, the mode, and what the thread holds then.

    Locks for which threads still wait at the end count too.  An interrupt's locks count as held
    by the thread that it interrupts: it is one processor.  ``step`` is called for each step before.
    """
    held, below = Locksets(execution.threads), dict[int, Any]()
    for n, (by, op, obj) in enumerate(execution.steps):
        if op.kind is Kind.INTERRUPT:
            below[by.index] = obj.task
        if step is not None:
            step(below.get(by.index, by).index, by, op, obj)
        if op.is_field:
            continue
        actor = below.get(by.index, by)
        if op.kind in WANTS:
            yield n, actor, obj, WANTS[op.kind], held.of[actor.index]
        held.apply(n, actor.index, op.kind, obj)
    for k, (by, op, obj) in enumerate(execution.blocked):
        if op.kind in WANTS:
            actor = below.get(by.index, by)
            yield len(execution.steps) + k, actor, obj, WANTS[op.kind], held.of[actor.index]


def _nested(execution: Execution) -> set[tuple[str, str]]:
    """The pairs (class held, class wanted); most executions need no more than these."""
    return {
        (lock.cls, wanted.cls)
        for _, _, wanted, mode, holding in _wanted(execution)
        if not _has(holding, wanted, mode)
        for lock, _, _ in holding
    }


def _has(holding: Holding, wanted: Any, mode: bool) -> bool:
    """Whether the thread holds ``wanted`` already, so that this is no edge: no wait, or it hangs alone."""
    for lock, _, how in holding:
        if lock is wanted and (mode or how or not getattr(wanted, "fair", False)):
            return True
    return False


class _Edges:
    """Collects each nested acquisition, once for each different past of its thread.

    The past has two clocks: by hand-overs alone, and with all reads.
    """

    def __init__(self, execution: Execution) -> None:
        self._execution = execution
        self._pasts = HappensBefore(execution.threads, False), HappensBefore(execution.threads, True)
        self._found: dict[Any, LockEdge] = {}
        self._latest: dict[Any, int] = {}

    def found(self) -> list[LockEdge]:
        for wanted in _wanted(self._execution, self._step):
            self._want(*wanted)
        return [edge._replace(latest=self._latest[key]) for key, edge in self._found.items()]

    def _step(self, i: int, by: Any, op: Op, obj: Any) -> None:
        for past in self._pasts:
            past.step(i, by, op, obj)

    def _want(self, n: int, actor: Any, wanted: Any, mode: bool, holding: Holding) -> None:
        fair = getattr(wanted, "fair", False)
        if not holding and not (fair and mode):
            return
        if _has(holding, wanted, mode):
            return
        i = actor.index
        known, seen = (past.known(i) for past in self._pasts)
        # A wait at the end of the execution is a step that was not made, so count it here.
        made = known[i] + (n >= len(self._execution.steps))
        others = frozenset((held.label(), m) for held, _, m in holding)
        name, place = wanted.label(), self._execution.place
        outer = [(lock.cls, lock.label(), taken, how, lock) for lock, taken, how in holding]
        for cls, label, taken, how, lock in outer or [(*NOTHING, -1, True, None)]:
            fresh = _those("made_in_thread", lock, wanted)
            orders = seen if fresh else known
            key = (
                actor.name,
                label,
                name,
                mode and fair,
                known[:i],
                known[i + 1 :],
                orders[:i],
                orders[i + 1 :],
            )
            self._latest[key] = made
            if key not in self._found and len(self._found) < _MOST_EDGES:
                self._found[key] = LockEdge(
                    actor.name, (cls, label), (wanted.cls, name), others, how, mode,
                    taken, n, place(taken) if taken >= 0 else "", place(n), fair, i, known, -1, seen, fresh,
                    _those("unnamed", lock, wanted),
                )  # fmt: skip


def _those(which: str, *locks: Any) -> frozenset[str]:
    """The labels of those ``locks`` whose attribute ``which`` is true."""
    return frozenset([lock.label() for lock in locks if getattr(lock, which, False)])


def rings(edges: Sequence[LockEdge]) -> list[Alarm]:
    """An alarm for each ring of lock classes among ``edges``; unguarded ones first."""
    if not _may_close({(e.held[0], e.wanted[0]) for e in edges}):
        return []
    found: dict[str, Alarm] = {}
    writers = [edge for edge in edges if edge.fair and edge.wanted_mode]
    for ring in _cycles(edges):
        back = _held_back(ring, writers)
        if back is None:
            continue
        alarm = _alarm(ring, back)
        known = found.get(alarm.signature)
        if known is None or (known.guarded, known.steps[-1:]) > (alarm.guarded, alarm.steps[-1:]):
            found[alarm.signature] = alarm
    return sorted(found.values(), key=lambda a: (a.guarded, a.signature))


def _may_close(pairs: set[tuple[str, str]]) -> bool:
    """Whether the class graph has a cycle at all; in most executions it has none."""
    left = set(pairs)
    while left:
        heads = {a for a, _ in left}
        dead = {(a, b) for a, b in left if b not in heads}
        if not dead:
            return True
        left -= dead
    return False


def _cycles(edges: Sequence[LockEdge]) -> Iterator[list[LockEdge]]:
    """Rings of edges of different threads, each thread once, starting with the smallest thread name.

    A reader that takes the lock again is a ring by itself.
    """
    yield from ([edge] for edge in edges if edge.held == edge.wanted)
    by_held: dict[str, list[LockEdge]] = {}
    edges = [edge for edge in edges if edge.held != edge.wanted and edge.held != NOTHING]
    for edge in edges:
        by_held.setdefault(edge.held[0], []).append(edge)

    def walk(path: list[LockEdge]) -> Iterator[list[LockEdge]]:
        first, last = path[0], path[-1]
        if len(path) > 1 and _meets(last, first) and _sound(path):
            yield list(path)
        for edge in by_held.get(last.wanted[0], ()):
            new = edge.thread > first.thread and not any(_apart(edge, e) for e in path)
            if new and _meets(last, edge):
                path.append(edge)
                yield from walk(path)
                path.pop()

    for edge in edges:
        yield from walk([edge])


def _meets(a: LockEdge, b: LockEdge) -> bool:
    """Whether ``a`` can wait for the lock that ``b`` holds: the same class, and not both shared.

    For a fair lock also if both are shared: see ``_held_back``.  A lock that was made in a
    thread matches only itself, because other threads may not know it; so does a lock without
    a name, because nobody has said that such locks are of one kind.
    """
    if a.wanted != b.held and (a.wanted[1] in a.fresh | a.unnamed or b.held[1] in b.fresh | b.unnamed):
        return False
    return a.wanted[0] == b.held[0] and (a.wanted_mode or b.held_mode or a.fair)


def _apart(a: LockEdge, b: LockEdge) -> bool:
    """Whether the two never wait at once: the same thread, or one must end before the other can begin."""
    if a.thread == b.thread:
        return True
    if not a.known or not b.known:
        return False
    if b.known[a.number] >= a.latest or a.known[b.number] >= b.latest:
        return True
    fresh = a.fresh & b.fresh
    return bool(fresh) and (b.seen[a.number] >= a.latest or a.seen[b.number] >= b.latest)


def _held_back(ring: Sequence[LockEdge], writers: Sequence[LockEdge]) -> dict[str, LockEdge] | None:
    """The writers that hold back the readers of ``ring`` that nothing else blocks; None if one has none."""
    found: dict[str, LockEdge] = {}
    waiting = {edge.wanted[0] for edge in ring if edge.wanted_mode}
    needy = [
        edge
        for edge, holder in zip(ring, _rotated(ring), strict=True)
        if not (edge.wanted_mode or holder.held_mode or edge.wanted[0] in waiting)
    ]

    def give(at: int) -> bool:
        if at == len(needy):
            return True
        busy = [*ring, *found.values()]
        for writer in writers:
            free = writer.wanted[0] == needy[at].wanted[0] and all(
                not _apart(writer, edge) and not _gates([writer, edge]) for edge in busy
            )
            if free:
                found[needy[at].thread] = writer
                if give(at + 1):
                    return True
                del found[needy[at].thread]
        return False

    return found if give(0) else None


def _sound(ring: Sequence[LockEdge]) -> bool:
    """Nesting two instances of one class is an order only between those very instances."""
    if all(edge.held[0] != edge.wanted[0] for edge in ring):
        return True
    return _instances(ring)


def _instances(ring: Sequence[LockEdge]) -> bool:
    return all(a.wanted == b.held for a, b in zip(ring, _rotated(ring), strict=True))


def _rotated(ring: Sequence[LockEdge]) -> list[LockEdge]:
    return [*ring[1:], ring[0]]


def _gates(ring: Sequence[LockEdge]) -> list[str]:
    """Locks that two threads of the ring hold, not both shared: they make the ring impossible."""
    gates = set[str]()
    for i, a in enumerate(ring):
        for b in ring[i + 1 :]:
            gates |= {n for n, how in a.others for m, other in b.others if n == m and (how or other)}
    return sorted(gates)


def _alarm(ring: list[LockEdge], back: dict[str, LockEdge]) -> Alarm:
    start = min(range(len(ring)), key=lambda i: (ring[i].held[0], ring[i].thread))
    ring = ring[start:] + ring[:start]
    gates = _gates(ring)
    classes = [edge.held[0] for edge in ring]
    story = "; ".join(_told(edge) for edge in ring)
    for reader, writer in back.items():
        where = f" ({writer.wanted_site})" if writer.wanted_site else ""
        story += f"; {writer.thread}, waiting to write {writer.wanted[1]}{where}, holds {reader} back"
    if gates:
        story += f"; never both at once: {', '.join(gates)} is held for each"
    same = _instances(ring)
    evidence = {
        "ring": [entry for e in ring for entry in _entries(e, back.get(e.thread))],
        "instances": "the same locks" if same else "other locks of the same classes",
        "guarded_by": gates,
    }
    steps = tuple(sorted({n for e in (*ring, *back.values()) for n in (e.taken, e.at) if n >= 0}))
    signature = f"{RULE}: {' -> '.join([*classes, classes[0]])}"
    return Alarm(RULE, signature, story, steps, evidence, bool(gates))


def _entries(edge: LockEdge, writer: LockEdge | None) -> list[dict[str, Any]]:
    """A ring's edge for a report, and the writer that holds back its reader."""
    wants = {"lock": edge.wanted[1], "class": edge.wanted[0], "site": edge.wanted_site}
    held = {"lock": edge.held[1], "class": edge.held[0], "site": edge.taken_site}
    entries: list[dict[str, Any]] = [{"thread": edge.thread, "holds": [held], "wants": wants}]
    if writer is not None:
        wants = {"lock": writer.wanted[1], "class": writer.wanted[0], "site": writer.wanted_site}
        entries.append({"thread": writer.thread, "holds": [], "wants": wants})
    return entries


def _told(edge: LockEdge) -> str:
    where = f" ({edge.wanted_site})" if edge.wanted_site else ""
    taken = f" ({edge.taken_site})" if edge.taken_site else ""
    return f"{edge.thread} takes {edge.wanted[1]}{where} with {edge.held[1]} held{taken}"
