"""Who receives a pIRQ, and whether that is freed: irq.c's ``struct irqaction`` with its ``struct irq_guest``.

Guarantees: where actions are looked after, one that is used after it was freed is
crash.freed, unless its user holds desc.lock: under it an action is taken off its desc
before it is freed, so whoever finds it there has it.  Such a use is no step.
Assumes: a protocol of this package uses an action under desc.lock only.  So only in a
protocol from elsewhere, and where threads give pIRQs back, are actions looked after.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..primitives import State, check_that, runtime, shared


class Freed(State):
    """The actions that the allocator has back: evidence, not Xen's."""

    actions: tuple[IrqAction, ...] = shared((), atomic=True)

    def label(self) -> str:
        return "freed"

    def add(self, action: IrqAction) -> None:
        """``xfree``.  Two that free two actions may lose one of them, but not one after the other."""
        self.actions = (*self.actions, action)


@dataclass(frozen=True, slots=True, eq=False)
class IrqAction:
    """Who receives a pIRQ: domain ``d`` as ``virq``, or Xen itself (d NULL).  ``_desc`` has it, or had.

    Compared by identity, as Xen compares ``dev_id`` pointers.
    """

    _d: Any
    _virq: int
    _desc: Any = None

    @property
    def d(self) -> Any:
        self._use()
        return self._d

    @property
    def virq(self) -> int:
        self._use()
        return self._virq

    @property
    def said(self) -> tuple[Any, int]:
        """Both, for who looks on and uses neither."""
        return self._d, self._virq

    def _use(self) -> None:
        freed: Any = None if self._d is None else self._d.structures.machine.freed
        me = None if freed is None or runtime.current is None else runtime.current.running()
        # An audit, which is no thread, looks at what is left.
        if me is None:
            return
        if self._desc is None or self._desc.lock.owner is not me:
            check_that(self not in freed.actions, "crash.freed", f"the action of {self} is used, but freed")

    def __repr__(self) -> str:
        return "Xen" if self._d is None else f"d{self._d.domain_id}/vIRQ {self._virq}"
