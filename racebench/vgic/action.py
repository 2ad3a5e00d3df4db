"""Who receives a pIRQ, and whether its action is freed: irq.c's ``struct irqaction``, ``struct irq_guest``.

Guarantees: where freed actions are recorded, a use after free is crash.freed, unless the
user holds desc.lock.  An action is removed from its desc under desc.lock before it is
freed, so a thread that finds it there under the lock can use it.  Such a use is no step.
Assumes: the protocols of this package use an action only under desc.lock.  So freed actions
are recorded only for a protocol from elsewhere, and if threads give pIRQs back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..primitives import State, check_that, runtime, shared


class Freed(State):
    """The actions that were freed: evidence, not Xen's."""

    actions: tuple[IrqAction, ...] = shared((), atomic=True)

    def label(self) -> str:
        return "freed"

    def add(self, action: IrqAction) -> None:
        """``xfree``.  Two threads that free at once may lose one action, but not one after the other."""
        self.actions = (*self.actions, action)


@dataclass(frozen=True, slots=True, eq=False)
class IrqAction:
    """Who receives a pIRQ: domain ``d`` as ``virq``, or Xen itself (d NULL).  ``_desc`` is its desc, or was.

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
        freed: Any = None if self._d is None else self._d.machine.freed
        me = None if freed is None or runtime.current is None else runtime.current.running()
        # No thread: an audit is reading the final state.
        if me is None:
            return
        if self._desc is None or self._desc.lock.owner is not me:
            check_that(self not in freed.actions, "crash.freed", f"the action of {self} is used, but freed")

    def __repr__(self) -> str:
        return "Xen" if self._d is None else f"d{self._d.domain_id}/vIRQ {self._virq}"
