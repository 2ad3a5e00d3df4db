"""ITARGETSR takes the rank lock twice (Xen 6e42345c5c with 446df2f733; 43208a9cb4, June 2017).

A guest sends a hardware interrupt to another vCPU while it waits on lr_pending
for a list register.  vgic_store_itargetsr runs with the rank lock held;
vgic_migrate_irq takes the vIRQ off the old vCPU and injects it into the new one;
vgic_vcpu_inject_irq reads its priority, since 2014 under the rank lock: the
vCPU waits for itself, and so does everyone behind it.  No race is needed, but a
dom0 vIRQ with a pIRQ behind it, and an ITARGETSR write before a list register
is free: nobody had gone that way in three years.

The fix reads the priority, one byte, in one access and without the lock.
"""

from racebench.vgic import Baseline, Initial, protocol, written_program

TITLE = "vIRQ 40 is sent to another vCPU while it waits for a list register"
SOURCE = "vgic.c: vgic_get_virq_priority, vgic_migrate_irq @ 43208a9cb4"
TAGS = ["history", "itargetsr", "C11"]
EXPECT = {"before": ["deadlock.self"], "after": []}

WAITING = Initial(routed=((40, 64, True),), pending=((40, "lr_pending"),))
THREADS = {"vcpu0": ["itargetsr virq=40 vcpu=1"]}


def variants():
    def program(code):
        return written_program("priority_under_rank_lock", WAITING, THREADS, code)

    return {"before": program(Baseline), "after": program(protocol("lockfree_priority"))}
