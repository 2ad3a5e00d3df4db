"""Happens-before over one execution, and its races: which steps can come in the other order.

A race is a pair of conflicting steps of different threads (see ``relation``) with nothing ordered between
them, which another schedule can reverse.  A step that is always possible races with the last step on each
of its keys that it conflicts with.  A step that has a guard (a take, a wait) cannot come before the step
that made it possible: a release and the take that it lets in have no other order.  Such a step looks
further back, to the last moment at which it was possible: a take that follows a release races with the
take before that.  A step that is still impossible when the execution ends looks back in the same way.

Reversed, the step comes after all that does not happen after its partner.  If that would leave it
impossible, because some thread holds its lock there, or is in an interrupt, then the steps that make it
impossible are left out, with all that follows from them (``reversal``).  Where a guard cannot be known
without being tried (a predicate or a barrier, before its thread came to it) the reversal is proposed as
not sure, and the search tries it: a wakeup tree must hold nothing that is impossible, since sequences
taken for equivalent would be lost with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ...primitives import ops
from ...trace import Kind
from ..control.task import Task
from . import guards
from .event import NOTIFIES, TRIED, Event, Key, State
from .relation import Relation
from .uses import Processor, Uses

Race = tuple[int, list[int], bool]
"""The step to come after, the steps to come before; whether that order is surely possible."""


class PartialOrder:
    """The happens-before order of one execution; grows step by step, and reports races.

    ``before[i]`` has a bit for step ``i`` and for each step that happens before it.
    """

    def __init__(self, relation: Relation, threads: int) -> None:
        self.events: list[Event] = []
        self.before: list[int] = []
        self.last = [0] * threads
        self._arrived = [0] * threads
        self._states: list[State] = []
        self._now: State = None
        self._ready: list[Sequence[Task]] = []
        self._uses: dict[Key, Uses] = {}
        # An interrupt waits for its thread's stores, which are not kept here.
        self._buffered = relation.buffered
        self._by_thread = {proc: Processor(key) for proc, key in relation.cpus.items()}
        self._by_key = {cpu.key: cpu for cpu in self._by_thread.values()}

    def add(self, event: Event, state: State, ready: Sequence[Task], races: bool = False) -> list[Race]:
        """Append ``event``; return its races if ``races`` is set.

        Before it the state was ``state``, and the tasks ``ready`` could move.
        """
        uses, proc, index = self._uses, event.proc, len(self.events)
        own, others = self.last[proc], 0
        for key in event.reads:
            use = uses.get(key)
            if use is None:
                use = uses[key] = Uses()
            others |= use.before_write
        for key in event.writes:
            use = uses.get(key)
            if use is None:
                use = uses[key] = Uses()
            others |= use.before_write | use.before_reads
        found = _NO_RACES
        # All steps that it conflicts with are among `others`: most often they already happen before its
        # thread's last step.  Where interrupts come it conflicts with more than its keys say.
        if races and (others & ~own or self._by_thread):
            found = self.races_of(event, state)
        self.last[proc] = before = own | others | 1 << index
        self.events.append(event)
        self._states.append(state)
        self._ready.append(ready)
        self.before.append(before)
        self._arrived[proc] = index + 1
        for key in event.reads:
            use = uses[key]
            use.reads.append(index)
            use.before_reads |= before
        for key in event.writes:
            use = uses[key]
            use.writes.append(index)
            use.before_write = before
            # Steps after this write come after those reads too: the reads are no longer needed.
            use.before_reads = 0
            use.reads.clear()
        if event.rare:
            self._rare(event, index)
        if self._by_thread:
            self._follow(event, index)
        return found

    def _rare(self, event: Event, index: int) -> None:
        """Order the sleepers' next steps after a notification; a read-write lock remembers all its steps."""
        if event.kind in NOTIFIES:
            for woken, _ in self._states[index]:
                self.last[woken] |= self.before[index]
                if event.kind is Kind.START:
                    self._arrived[woken] = index + 1
            return
        for key in (*event.reads, *event.writes):
            self._uses[key].all.append(index)

    def _follow(self, event: Event, index: int) -> None:
        """Update the processors."""
        if event.kind is Kind.INTERRUPT or event.kind is Kind.RETURN:
            cpu = self._by_key[event.writes[0]]
            cpu.came.append(index)
            if event.kind is Kind.INTERRUPT:
                cpu.open = index
            return
        own = self._by_thread.get(event.proc)
        if own is not None:
            if not own.masked:
                own.open = index
            if event.kind is Kind.IRQS_OFF or event.kind is Kind.IRQS_ON:
                own.masked = event.kind is Kind.IRQS_OFF

    def after(self, e: int, i: int) -> bool:
        """Return whether step ``i`` is step ``e`` or happens after it."""
        return bool(self.before[i] >> e & 1)

    def started(self, proc: int) -> int:
        """Return the step that has started thread ``proc``; -1 if it was there from the beginning."""
        for i, event in enumerate(self.events):
            if event.kind is Kind.START and any(woken == proc for woken, _ in self._states[i]):
                return i
        return -1

    # -- races

    def races_of(self, event: Event, state: State) -> list[Race]:
        """Return the races of ``event``, which comes next or never; ``state`` is the present state."""
        self._now = state
        if event.guard is None and not self._by_thread:
            before = self._stored(event, self.last[event.proc])
            return self._plain(event.reads, event.writes, event, before)
        return list(self._rarer(event))

    def _rarer(self, event: Event) -> Iterator[Race]:
        """Yield the races of a step that has a guard, or of any step where interrupts come."""
        kind, before = event.kind, self.last[event.proc]
        if kind is Kind.RETURN or kind is Kind.INTERRUPT:
            # Besides the processor only a sleeper that wakes spuriously does not commute with them.
            # Whether the processor lets them come has to be tried.
            yield from ((i, steps, False) for i, steps, _ in self._plain(event.reads, (), event, before))
        if kind is Kind.RETURN:
            return
        if kind is Kind.INTERRUPT:
            at = self._by_key[event.writes[0]].open
            if at >= 0:
                yield at, self._others(at), not self._buffered
            return
        if self._by_thread:
            cpu = self._by_thread.get(event.proc)
            if cpu is not None and cpu.came:
                races = self._with_interrupt(cpu, event, before)
                yield from races
                if any(sure for _, _, sure in races):
                    # Its other races exist as well where the interrupt has not come yet.
                    if self.events[cpu.came[-1]].kind is not Kind.RETURN:
                        return
                    before |= self._uses[cpu.key].before_write
        guard = event.guard
        if guard is None:
            yield from self._plain(event.reads, event.writes, event, self._stored(event, before))
            return
        if event.op is ops.JOIN:
            yield from self._joined(event, guard, before)
        elif event.op in TRIED:
            yield from self._awaited(event, guard, before)
        else:
            yield from self._guarded(event, guard, before)
        if len(event.reads) + len(event.writes) > 1:
            reads = tuple(key for key in event.reads if key != guard)
            writes = tuple(key for key in event.writes if key != guard)
            yield from self._plain(reads, writes, event, before)

    def _stored(self, event: Event, before: int) -> int:
        """Return ``before`` and the steps of store buffers that ``event`` cannot come before."""
        if event.op.drains:
            return before | self._of(event.reads[0]).before_write
        if event.kind is Kind.FENCE:
            return before | self._of(event.writes[0]).before_reads
        return before

    def _of(self, key: Key) -> Uses:
        return self._uses.get(key) or _NONE

    def _plain(
        self, reads: tuple[Key, ...], writes: tuple[Key, ...], event: Event, before: int
    ) -> list[Race]:
        """Return the last step on each key that ``event`` could come before, with no other such between."""
        candidates: list[int] = []
        uses = self._uses
        # Of the writes of a key only the last one: the earlier writes happen before it, so to come before
        # one of them is to come before the last one first, which is a race of its own.
        for key in reads:
            use = uses.get(key)
            if use is not None:
                candidates += use.writes[-1:]
        for key in writes:
            use = uses.get(key)
            if use is not None:
                candidates += use.writes[-1:]
                candidates += use.reads
        if len(candidates) > 1:
            candidates = sorted(set(candidates), reverse=True)
        races: list[Race] = []
        # From the latest back: a candidate that happens before another one is handled at the other's race.
        for i in candidates:
            if not before >> i & 1:
                before |= self.before[i]
                found = self.reversal(i, event)
                if found is not None:
                    races.append((i, found[0], found[1] and event.op not in TRIED))
        return races

    def _guarded(self, event: Event, guard: Key, before: int) -> Iterator[Race]:
        """Look back on ``guard`` to the last step before which ``event`` was possible."""
        use = self._of(guard)
        met = False
        # Readers are not ordered among themselves: the step may come before any of them.
        order = use.writes
        if guard in event.writes:
            order = use.all if event.rare else use.writes + use.reads
        for i in reversed(order):
            writes = guard in self.events[i].writes
            if before >> i & 1:
                # We come after this write, and so after all earlier steps on the guard as well.
                if writes:
                    break
                continue
            # After the first step that it can come before, only readers are of interest: they are not ordered
            # among themselves, but each of them is later than the next write back.
            found = None if met and writes else self.reversal(i, event)
            if found is not None:
                met = True
                yield i, *found
            if met and writes:
                break

    def _awaited(self, event: Event, guard: Key, before: int) -> Iterator[Race]:
        """Yield the last write before which ``event`` was possible, and later ones where that is unknown."""
        proc, arrived = event.proc, self._arrived[event.proc]
        for i in reversed(self._of(guard).writes):
            if before >> i & 1:
                return
            # If the thread was there at step i, the engine had evaluated its predicate: see `ready`.
            known = i >= arrived and not self._suspended(proc, i)
            possible = known and any(task.index == proc for task in self._ready[i])
            if possible or not known:
                found = self.reversal(i, event)
                if found is not None:
                    yield i, found[0], possible and found[1]
            if possible:
                return

    def _joined(self, event: Event, guard: Key, before: int) -> Iterator[Race]:
        """Yield the starts of a thread before which ``event``, which joins it, could come, and fail."""
        for i in reversed(self._of(guard).writes):
            if before >> i & 1:
                return
            found = self.reversal(i, event) if self.events[i].kind is Kind.START else None
            if found is not None:
                yield i, found[0], False

    def _with_interrupt(self, cpu: Processor, event: Event, before: int) -> list[Race]:
        """Return the races of a thread's step with the interrupts that came since the thread's last step.

        A handler may have taken what the step needs, so that it is possible only before an earlier one.
        Where a thread hangs nothing else reverses that: all are looked at, until it is surely possible.
        """
        races: list[Race] = []
        for came in reversed(cpu.came):
            if before >> came & 1:
                break
            found = self.reversal(came, event) if self.events[came].kind is Kind.INTERRUPT else None
            if found is None:
                continue
            steps, sure = found
            if event.kind is not Kind.WAIT_UNTIL:
                races.append((came, steps, sure and event.op not in TRIED))
            else:
                # The predicate was not evaluated meanwhile: it may be true after any part of these steps.
                cuts = [i for i in self._of(event.reads[0]).writes if i in steps]
                parts = [[j for j in steps if not self.before[j] >> cut & 1] for cut in cuts]
                races += [(came, part, False) for part in (*parts, steps)]
            if races[-1][2]:
                break
        return races

    # -- reversals

    def rest(self, e: int, steps: Sequence[int], at: int) -> list[int]:
        """Return the steps after ``at`` that happen after none of those from ``e`` on except ``steps``."""
        left_out = (1 << at) - (1 << e)
        for i in steps:
            left_out &= ~(1 << i)
        return [i for i in range(at + 1, len(self.before)) if not self.before[i] & left_out]

    def _others(self, e: int) -> list[int]:
        """Return the steps after ``e`` that do not happen after it."""
        before = self.before
        return [i for i in range(e + 1, len(before)) if not before[i] >> e & 1]

    def taken_away(self, at: int, event: Event, past: int) -> tuple[int, list[int], bool] | None:
        """Return the race of ``event`` with step ``at``, which took it away.

        ``past`` has the steps that came before its thread's next step at that time.  If a handler ran in the
        thread's place when ``at`` came, ``event`` can only have come before a handler.
        """
        found = self.reversal(at, event, past)
        if found is not None:
            return at, *found
        for came in reversed(self._by_thread[event.proc].came if self._by_thread else []):
            if came < at and self.events[came].kind is Kind.INTERRUPT and not past >> came & 1:
                found = self.reversal(came, event, past, at)
                if found is not None:
                    return came, *found
        return None

    def reversal(
        self, e: int, event: Event, past: int | None = None, without: int | None = None
    ) -> tuple[list[int], bool] | None:
        """Return the steps after ``e`` to be made before ``event``, and then ``e``; None if it cannot be.

        The second value: whether these are simply all that do not happen after ``e``.  ``past`` is what comes
        before ``event`` in any case, if that is not all that its thread has done; ``without`` is a step to be
        left out, with what follows from it.
        """
        steps, all_of_them = self._others(e), True
        if past is None:
            past = self.last[event.proc]
        if without is not None:
            steps = [i for i in steps if not self.before[i] >> without & 1]
        if event.guard is None and not self._by_thread:
            return steps, True
        while True:
            blocker = self._blocker(event, e, steps)
            if blocker is None:
                return steps, all_of_them
            # It comes before step e, or the thread needs it to get here at all: it cannot be left out.
            if blocker < 0 or past >> blocker & 1:
                return None
            all_of_them = False
            # All that happens after the blocker is left out too, so the rest can still be executed; and each
            # turn removes at least one step, so the loop ends.
            steps = [i for i in steps if not self.before[i] >> blocker & 1]

    def _blocker(self, event: Event, e: int, steps: list[int]) -> int | None:
        """Return what keeps ``event`` from coming after ``steps``, which follow what is before ``e``.

        It is the last of the steps that do; -1 if one before ``e`` does; None if none does.
        """
        events, states = self.events, self._states
        found: list[int] = []
        if self._by_thread and event.proc in self._by_thread:
            found = guards.handler(_there(reversed(self._by_thread[event.proc].came), e, steps), events)
        known = event.op not in TRIED or event.op is ops.ENTER_READ
        if not found and event.guard is not None and known:
            use = self._of(event.guard)
            if event.kind is Kind.ACQUIRE:
                first = states[use.writes[0]] if use.writes else self._now
                found = guards.holder(_there(reversed(use.writes), e, steps), events, states, first)
            elif event.kind is Kind.DOWN:
                # A semaphore that no step has used yet is as it was at first.
                first, _ = states[use.writes[0]] if use.writes else self._now
                found = guards.taker(_there(use.writes, e, steps), states, first)
            else:
                writing = event.kind is Kind.ACQUIRE_WRITE
                found = guards.readers_and_writer(_there(use.all, e, steps), events, writing)
        if not found:
            return None
        return max(found) if min(found) > e else -1

    def _suspended(self, proc: int, i: int) -> bool:
        """Return whether an interrupt ran on the thread's processor when step ``i`` came."""
        cpu = self._by_thread.get(proc)
        if cpu is None:
            return False
        last = next((at for at in reversed(cpu.came) if at < i), None)
        return last is not None and self.events[last].kind is Kind.INTERRUPT


def _there(indices: Iterable[int], e: int, steps: list[int]) -> Iterator[int]:
    """Yield those of ``indices`` that are made where all steps before ``e``, and then ``steps``, are made."""
    return (i for i in indices if i < e or i in steps)


_NONE = Uses()
_NO_RACES: list[Race] = []
