"""A new LPI has the number of one that is still in a list register (Xen bccfbe70a3, June 2017).

The guest unmaps LPI 8192 while it is in a list register of vCPU 0, and maps an
LPI with the same number again.  Xen finds a pending_irq by its number, so it
takes the old list register for the new LPI's.  The new LPI fires and waits on
lr_pending; vCPU 0 traps:

    gic_clear_lrs            LR 0 holds 8192, still pending: QUEUED of the new
                             LPI is cleared on behalf of the old one
    gic_restore_pending_irqs the new LPI goes into LR 1: one vCPU has 8192 in two
                             list registers, which the architecture forbids

The fix marks an LPI as PRISTINE until it has been in a list register.  Whatever
a list register says of a PRISTINE LPI is of an older one, and is dropped; and a
PRISTINE LPI goes into the list register that has its number, if one has.

Unlike Xen, the code before the fix asks for the mark as well, but nobody sets it;
a list register is pending or empty, and there are two.
"""

import racebench as rb

TITLE = "LPI 8192 is unmapped and mapped again while it is in a list register"
SOURCE = "gic.c: gic_update_one_lr, gic_find_unused_lr @ bccfbe70a3"
TAGS = ["history", "lpi", "C17"]
EXPECT = {"before": ["list.corrupted"], "after": []}

LPI = 8192


class PendingIrq(rb.State):
    QUEUED = rb.shared(False, atomic=True)
    PRISTINE_LPI = rb.shared(False, atomic=True)

    def __init__(self, name):
        self.name = name

    def label(self):
        return f"p[{LPI}, {self.name}]"


class Vcpu(rb.State):
    """vCPU 0, for which the LPI is; ``lock`` guards the list and the list registers."""

    lrs = rb.shared((LPI, None))
    lr_pending = rb.shared(())
    pend_lpi_tree = rb.shared(None)

    def __init__(self, marks):
        self.marks = marks
        self.lock = rb.Lock("vcpu", 0)
        self.pend_lpi_tree_lock = rb.RWLock("pend_lpi_tree_lock")
        self.pend_lpi_tree, self.new = PendingIrq("old"), PendingIrq("new")

    def label(self):
        return "vcpu[0]"

    def write_lr(self, i, virq):
        self.lrs = (*self.lrs[:i], virq, *self.lrs[i + 1 :])


def irq_to_pending(v):
    """None if the LPI is not mapped.  Xen: vgic-v3.c, vgic_v3_lpi_to_pending @ bccfbe70a3."""
    with v.pend_lpi_tree_lock.read():
        return v.pend_lpi_tree


def gic_clear_lrs(v):
    """vCPU 0 traps.  Xen: gic.c, gic_clear_lrs, gic_update_one_lr @ bccfbe70a3."""
    with v.lock:
        for i, virq in enumerate(v.lrs):
            if virq is None:
                continue
            p = irq_to_pending(v)
            if p is None or p.PRISTINE_LPI:
                if p is not None:
                    p.PRISTINE_LPI = False
                v.write_lr(i, None)
            else:
                p.QUEUED = False


def gic_find_unused_lr(v, p):
    """Xen: gic.c, gic_find_unused_lr @ bccfbe70a3."""
    lrs = v.lrs
    if p.PRISTINE_LPI and LPI in lrs:
        return lrs.index(LPI)
    return lrs.index(None)


def gic_restore_pending_irqs(v):
    """vCPU 0 goes on.  Xen: gic.c, gic_restore_pending_irqs, gic_set_lr @ bccfbe70a3."""
    with v.lock:
        for p in v.lr_pending:
            i = gic_find_unused_lr(v, p)
            p.PRISTINE_LPI = False
            v.write_lr(i, LPI)
            p.QUEUED = False
            v.lr_pending = ()


def its_discard_event(v):
    """Off the tree and the queue; a list register stays.  Xen: vgic-v3-its.c, same @ bccfbe70a3."""
    with v.lock:
        with v.pend_lpi_tree_lock.write():
            v.pend_lpi_tree = None
        v.lr_pending = ()


def its_handle_mapti(v):
    """The new LPI goes live.  Xen: vgic-v3-its.c, its_handle_mapti @ 5e8d02560a."""
    if v.marks:
        v.new.PRISTINE_LPI = True
    with v.pend_lpi_tree_lock.write():
        v.pend_lpi_tree = v.new


def its_handle_int(v):
    """The LPI fires.  Xen: vgic-v3-its.c, its_handle_int; vgic.c, vgic_vcpu_inject_irq @ bccfbe70a3."""
    with v.lock:
        p = irq_to_pending(v)
        p.QUEUED = True
        v.lr_pending = (p,)


def trap(v):
    gic_clear_lrs(v)
    gic_restore_pending_irqs(v)


def its_commands(v):
    its_discard_event(v)
    its_handle_mapti(v)
    its_handle_int(v)


def a_number_once(v, results):
    if v.lrs.count(LPI) < 2:
        return None
    return rb.broken("list.corrupted", f"LPI {LPI} is in list registers 0 and 1 of vCPU 0 at once", ("lrs",))


def snapshot(v):
    return {"list registers": [virq or "-" for virq in v.lrs]}


def variants():
    def program(marks):
        return rb.Program(
            "lpi_number_reused",
            setup=lambda: Vcpu(marks),
            threads={"vcpu0": trap, "vcpu1": its_commands},
            check=a_number_once,
            snapshot=snapshot,
        )

    return {"before": program(False), "after": program(True)}
