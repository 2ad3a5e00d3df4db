"""The EOI path takes the rank lock inside the vCPU's (Xen 5bd62a757b; 378384399e, February 2017).

vgic_get_target_vcpu read the target vCPU of a vIRQ under the rank lock.  When a
guest ends an interrupt that it has meanwhile sent to another vCPU (MIGRATING),
gic_update_one_lr asks for that target with the vgic lock of the old vCPU held:
vcpu -> rank.  A write to ISENABLER goes the other way: it holds the rank lock
and takes the vgic lock of the vCPU that the vIRQ is for.  One waits for the
other, for ever.  It needs MIGRATING and one more vIRQ of the same rank.

The fix reads the target, one byte, atomically and without a lock.

Unlike Xen, the functions that hold the rank lock, and called
__vgic_get_target_vcpu, are those of May 2017 here, which take no lock either.
"""

from dataclasses import replace

from racebench.vgic import Baseline, Initial, written_program

TITLE = "A guest ends vIRQ 40, which is to go to vCPU 1, while vCPU 1 enables vIRQ 41"
SOURCE = "vgic.c: vgic_get_target_vcpu; gic.c: gic_update_one_lr @ 378384399e"
TAGS = ["history", "eoi", "C12"]
EXPECT = {"before": ["deadlock.cycle", "lock_order.inversion"], "after": []}

IN_AN_LR = Initial(routed=((40, 64, True),), pending=((40, "lr"),))
THREADS = {"vcpu0": ["eoi virq=40"], "vcpu1": ["isenabler virq=41"]}


class TargetUnderRankLock(Baseline):
    def vgic_get_target_vcpu(self, v, virq):
        """Takes and drops the rank lock.  Xen: vgic.c, vgic_get_target_vcpu @ 378384399e^."""
        with self.rank_of(v.domain, virq).lock:
            return super().vgic_get_target_vcpu(v, virq)

    def vgic_enable_irqs(self, d, virqs):
        """The caller holds the rank lock.  Xen: vgic.c, vgic_enable_irqs @ 378384399e^."""
        Baseline(self.machine).vgic_enable_irqs(d, virqs)


def variants():
    def program(code):
        made = written_program("target_under_rank_lock", IN_AN_LR, THREADS, code)

        def sent_to_vcpu1():
            """vIRQ 40 has been sent to vCPU 1: it moves there when vCPU 0 ends it."""
            system = made.setup()
            system.domain.pending_irqs[40].MIGRATING = True
            system.xen.rank_of(system.domain, 40).irq[40 % 32].vcpu = 1
            return system.remember()

        return replace(made, setup=sent_to_vcpu1)

    return {"before": program(TargetUnderRankLock), "after": program(Baseline)}
