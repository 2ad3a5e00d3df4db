"""Refusing to release a busy IRQ keeps the rank lock (Xen 28e8ad25bb, May 2015; 929afa7bcf, 2016).

A toolstack thread releases an IRQ that its domain, which runs on, still has
enabled.  gic_remove_irq_from_guest says -EBUSY, which is right, and returns
without vgic_unlock_rank.  Whoever wants that rank next hangs: the guest's next
write to one of its registers, or the next interrupt of its 32 vIRQs, for do_IRQ
read the priority under the rank lock, with desc->lock held.  No race: Coverity
found it in the text.

The fix is the missing unlock on the error path.

Unlike Xen, all but that function is of May 2017.  do_IRQ held desc->lock with interrupts
on then (see C25), which only "after" tells: "before" always ends with the rank lock kept,
and what became of the rest is not looked at.
"""

from racebench.vgic import Baseline, Initial, written_program

TITLE = "A toolstack thread tries to release vIRQ 40, which the guest has enabled"
SOURCE = "gic.c: gic_remove_irq_from_guest @ 929afa7bcf"
TAGS = ["history", "release", "C13"]
EXPECT = {"before": ["lock.leaked"], "after": ["lock.irqs_on"]}

ENABLED = Initial(routed=((40, 64, True),))
THREADS = {"toolstack": ["release virq=40"], "vcpu0": ["isenabler virq=41"], "pcpu1": ["irq pirq=64"]}


class ErrorPathKeepsRankLock(Baseline):
    def gic_remove_irq_from_guest(self, d, virq, desc):
        """Takes the rank lock; drops it on success.  Xen: gic.c, same @ 929afa7bcf^."""
        p = d.pending_irqs[virq]
        self.assert_mapped(p, desc)
        rank = self.rank_of(d, virq)
        rank.lock.acquire()
        ret = self.unmap_irq(d, p, desc)
        if ret:
            return ret
        rank.lock.release()
        return 0


def variants():
    def program(code):
        return written_program("rank_lock_leaked", ENABLED, THREADS, code)

    return {"before": program(ErrorPathKeepsRankLock), "after": program(Baseline)}
