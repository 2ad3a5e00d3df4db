"""A lock held with interrupts on that an interrupt handler also takes: one processor can hang.

As in Linux' lockdep (irq-safe and irq-unsafe): the two uses need not have overlapped
to be reported.  Locks are compared by class; a trylock in the handler never
waits, and a recursive lock admits its own processor again.  If both uses are shared,
a fair read-write lock hangs too, if a writer on another processor waits in between.
"""

from __future__ import annotations

from typing import Any

from ..findings import Alarm
from ..primitives import RLock
from ..trace import Execution, Kind
from .lock_order import WANTS
from .locksets import Locksets

RULE = "lock_order.inversion"

Use = tuple[Any, Any, bool, int, int]
"""(actor, lock, mode, step that takes or wants it, step from which interrupts can come)."""


def detect(execution: Execution) -> list[Alarm]:
    """An alarm for each lock class used in both ways in ``execution``."""
    if not any(op.nested for _, op, _ in execution.steps):
        return []
    return _Run(execution).go()


class _Run:
    def __init__(self, execution: Execution) -> None:
        self.execution = execution
        self.held = Locksets(execution.threads)
        self.below: dict[int, int] = {}
        self.masked: set[int] = set()
        self.on: dict[tuple[int, str], list[Use]] = {}
        self.within: dict[tuple[int, str], list[Use]] = {}
        self.gates: dict[tuple[int, int], frozenset[Any]] = {}
        # By class: the processors that write a fair lock, and the locks that they hold then.
        self.writers: dict[str, list[tuple[int, frozenset[Any]]]] = {}

    def go(self) -> list[Alarm]:
        for n, (actor, op, obj) in enumerate(self.execution.steps):
            if not op.is_field:
                self._step(n, actor, op.kind, obj)
        for k, (actor, op, obj) in enumerate(self.execution.blocked):
            self._want(len(self.execution.steps) + k, actor, op.kind, obj)
        found: dict[str, Alarm] = {}
        for key, within in self.within.items():
            for use in within:
                for other in self.on.get(key, ()):
                    if use[2] or other[2] or self._held_back(key, other, use):
                        alarm = self._alarm(other, use)
                        found.setdefault(alarm.signature, alarm)
        return list(found.values())

    def _step(self, n: int, actor: Any, kind: Kind, obj: Any) -> None:
        i = actor.index
        if kind is Kind.INTERRUPT:
            self.below[i] = obj.task.index
        elif kind is Kind.IRQS_OFF:
            self.masked.add(i)
        elif kind is Kind.IRQS_ON:
            self.masked.discard(i)
            for lock, taken, mode in self.held.of[i]:
                self._unmasked(actor, lock, mode, taken, n)
        else:
            self._want(n, actor, kind, obj)
            if self.held.apply(n, i, kind, obj) > 0 and i not in self.below and i not in self.masked:
                lock, taken, mode = self.held.of[i][-1]
                self._unmasked(actor, lock, mode, taken, n)

    def _want(self, n: int, actor: Any, kind: Kind, obj: Any) -> None:
        if kind not in WANTS or isinstance(obj, RLock):
            return
        cpu = self.below.get(actor.index, actor.index)
        if WANTS[kind] and getattr(obj, "fair", False):
            holding = frozenset(lock for lock, _, _ in self.held.of[actor.index])
            self.writers.setdefault(obj.cls, []).append((cpu, holding))
        if actor.index in self.below:
            uses = self.within.setdefault((cpu, obj.cls), [])
            uses.append((actor, obj, WANTS[kind], n, n))

    def _held_back(self, key: tuple[int, str], on: Use, within: Use) -> bool:
        """Whether a writer can wait for a fair lock that the thread and its interrupt both share."""
        cpu, cls = key
        if not getattr(within[1], "fair", False):
            return False
        gates = self.gates.get((on[0].index, on[3]), frozenset())
        return any(other != cpu and not gates & held for other, held in self.writers.get(cls, ()))

    def _unmasked(self, actor: Any, lock: Any, mode: bool, taken: int, n: int) -> None:
        if not mode:
            self.gates[actor.index, taken] = frozenset(
                held for held, _, how in self.held.of[actor.index] if how
            )
        self.on.setdefault((actor.index, lock.cls), []).append((actor, lock, mode, taken, n))

    def _alarm(self, on: Use, within: Use) -> Alarm:
        thread, held, _, taken, since = on
        irq, wanted, _, at, _ = within
        place = self.execution.place
        took, wants = place(taken), place(at)
        how = f"{thread.name} holds {held.label()} with interrupts on"
        if since != taken:
            how += ", switched on while it holds it"
            if place(since):
                how += f" in {place(since)}"
        story = f"{how}{f' (taken in {took})' if took else ''}, and {irq.name}, which can come there, "
        story += f"takes {wanted.label()}{f' ({wants})' if wants else ''}"
        back = {"lock": f"{irq.name} to return", "class": "cpu", "site": place(since)}
        evidence = {
            "interrupt": irq.name,
            "ring": [
                {
                    "thread": irq.name,
                    "holds": [],
                    "wants": {"lock": wanted.label(), "class": wanted.cls, "site": wants},
                },
                {
                    "thread": thread.name,
                    "holds": [{"lock": held.label(), "class": held.cls, "site": took}],
                    "wants": back,
                },
            ],
            "instances": "the same lock" if held is wanted else "other locks of the same class",
        }
        steps = tuple(sorted({taken, since, at}))
        signature = f"{RULE}: {held.cls} taken with interrupts on, and in interrupt context"
        return Alarm(RULE, signature, story, steps, evidence)
