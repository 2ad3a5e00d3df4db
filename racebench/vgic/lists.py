"""A vCPU's two lists of pending_irqs, and what can go wrong with them.

Guarantees: a node that is linked in twice, or unlinked from a list whose
owner's lock the caller did not take, is reported as ``list.corrupted`` when it
happens, or at rest by the audit when the two lists are of different vCPUs.
Assumes: the caller holds ``v.lock`` of the vCPU it names.

Xen: xen/include/xen/list.h as used by gic.c and vgic.c @ baf2950213.
Unlike Xen, a list is one field of its vCPU: an insertion is a read and a write
of it and a write of the node's link, whatever the number of neighbours.
"""

from __future__ import annotations

from ..primitives import check_that
from .state import NULL, PendingIrq, Vcpu


class PriorityList:
    """One kind of list: ``entries`` names the vCPU's field, ``link`` the node's."""

    __slots__ = ("_entries", "_link", "name")

    def __init__(self, name: str, entries: str, link: str) -> None:
        self.name, self._entries, self._link = name, entries, link

    def is_linked(self, p: PendingIrq) -> bool:
        """``!list_empty`` of the node: one read."""
        return getattr(p, self._link) is not NULL

    def add_before(self, v: Vcpu, n: PendingIrq, successor: PendingIrq | None) -> None:
        """Link ``n`` in before ``successor``, or at the tail: ``list_add_tail``."""
        entries: tuple[PendingIrq, ...] = getattr(v, self._entries)
        if n in entries:
            check_that(
                False, "list.corrupted", f"vIRQ {n.irq} is put on {self.name} of vCPU {v.vcpu_id} twice"
            )
        at = len(entries) if successor is None else entries.index(successor)
        setattr(v, self._entries, (*entries[:at], n, *entries[at:]))
        setattr(n, self._link, v)

    def remove(self, v: Vcpu, n: PendingIrq) -> None:
        """Unlink ``n``; do nothing if it is not linked: ``list_del_init``."""
        owner: Vcpu = getattr(n, self._link)
        if owner is NULL:
            return
        if owner is not v:
            check_that(
                False,
                "list.corrupted",
                f"vIRQ {n.irq} is on {self.name} of vCPU {owner.vcpu_id}, "
                f"but is taken off under the lock of vCPU {v.vcpu_id}",
            )
        entries: tuple[PendingIrq, ...] = getattr(v, self._entries)
        setattr(v, self._entries, tuple(p for p in entries if p is not n))
        setattr(n, self._link, NULL)


INFLIGHT = PriorityList("inflight", "inflight_irqs", "inflight_on")
LR_PENDING = PriorityList("lr_pending", "lr_pending", "lr_queue_on")
