"""A second ITARGETSR write while the first migration goes on (Xen 91ef736493, April 2017).

vIRQ 40 is in a list register of vCPU 0 and has been sent to vCPU 1: MIGRATING is
set, the target is 1, and the EOI on vCPU 0 will send the line after it.  Now the
guest sends it on to vCPU 2.

before  vgic_migrate_irq sees MIGRATING and returns; its caller stores target 2
        nevertheless.  The EOI, which has read target 1, sends the line to it.
        Or the EOI has cleared MIGRATING but not yet sent the line: the write
        migrates at once, under the lock of vCPU 1, and then the EOI, under the
        lock of vCPU 0, sends the line back.  Either way line and vIRQ part.
after   The write is refused, target and all, until the EOI is done, and the EOI
        clears MIGRATING last.
residual  What the fix left open: in the first ITARGETSR write the target is
        stored after MIGRATING is set and the vCPU's lock dropped.  An EOI in
        between takes the line to the old target.
"""

from dataclasses import replace

from racebench.vgic import Baseline, Initial, written_program

TITLE = "vIRQ 40, on its way from vCPU 0 to vCPU 1, is sent to vCPU 2 when vCPU 0 ends it"
SOURCE = "vgic.c: vgic_migrate_irq; vgic-v2.c: vgic_store_itargetsr; gic.c: gic_update_one_lr @ 91ef736493"
TAGS = ["history", "itargetsr", "eoi", "C15"]
EXPECT = {"before": ["irq.wrong_affinity"], "after": [], "residual": ["irq.wrong_affinity"]}

IN_AN_LR = Initial(vcpus=3, routed=((40, 64, True),), pending=((40, "lr"),))
SECOND = {"vcpu0": ["eoi virq=40"], "vcpu1": ["itargetsr virq=40 vcpu=2"]}
FIRST = {"vcpu0": ["eoi virq=40"], "vcpu1": ["itargetsr virq=40 vcpu=1"]}


class SilentRefusal(Baseline):
    def vgic_migrate_irq(self, old, new, virq):
        """It returned nothing, so the caller stores the target.  Xen: vgic.c, same @ 91ef736493^."""
        super().vgic_migrate_irq(old, new, virq)
        return True

    def finish_migration(self, v, p):
        """MIGRATING is cleared first.  Xen: gic.c, in gic_update_one_lr @ 91ef736493^."""
        if p.MIGRATING:
            p.MIGRATING = False
            v_target = self.vgic_get_target_vcpu(v, p.irq)
            self.irq_set_affinity(p.desc, v_target.processor)


def variants():
    def program(threads, code):
        return written_program("overlapping_migrations", IN_AN_LR, threads, code)

    def sent_to_vcpu1(made):
        """vIRQ 40 has been sent to vCPU 1 before the threads start."""

        def setup():
            system = made.setup()
            system.domain.pending_irqs[40].MIGRATING = True
            system.xen.rank_of(system.domain, 40).irq[40 % 32].vcpu = 1
            return system.remember()

        return replace(made, setup=setup)

    return {
        "before": sent_to_vcpu1(program(SECOND, SilentRefusal)),
        "after": sent_to_vcpu1(program(SECOND, Baseline)),
        "residual": program(FIRST, Baseline),
    }
