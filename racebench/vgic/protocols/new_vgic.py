"""Xen's RELEASE-4.11.0 with its new vGIC (2018): irq_lock for each vIRQ, hw/hwintid instead of p.desc.

Lock order: desc -> ap_list -> irq_lock (do_IRQ), desc -> irq_lock (route,
release, enable, disable, a vCPU that leaves the guest), ap_list -> irq_lock.
Xen's own list (vgic.c) has ap_list before desc.  do_IRQ does not follow it; this is
harmless, because nobody takes a desc with an ap_list_lock held.  Two ap_list_locks: the
lower vcpu_id first.

irq.c and gic.c are those of creation_guard, guard included: the new vGIC came
into the tree after it, and its assertions do not hold without it.
"""

from __future__ import annotations

from ..new.entry import Entry
from ..new.state import VgicDist
from .creation_guard import CreationGuard


class NewVgic(Entry, CreationGuard):
    """vgic/ in the place of vgic.c, vgic-v2.c and gic-vgic.c."""

    ID = "new_vgic"
    SUMMARY = "RELEASE-4.11.0's new vGIC: irq_lock for each vIRQ; register writes drop it, take desc, assert"
    TREE = "228ab9992f"

    ABSENT = CreationGuard.ABSENT | {"irouter"}

    domain_type = VgicDist
