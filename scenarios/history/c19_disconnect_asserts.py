"""vgic_connect_hw_irq asserts of disconnecting what holds of connecting (Xen ec2a2f1de4; 8635491581).

In February 2018 one new function came to write p->desc, for routing and for
removal, with the rank lock held for that alone.  It opens with ASSERT(connect &&
desc); the comment above it says that desc may be left out on removal.  So each
release of a guest's IRQ, be the domain dying or alive, stops a debug build.
What runs beside it makes no difference, and a release build never notices: the
repair, ASSERT(!connect || desc), came a year later.

Unlike Xen, the guard that b857754723 put in between the two is left out.
"""

from racebench import check_that
from racebench.vgic import Initial, protocol, written_program

TITLE = "A toolstack thread routes vIRQ 40 and releases it, while the guest enables vIRQ 41"
SOURCE = "gic-vgic.c: vgic_connect_hw_irq @ ec2a2f1de4, 8635491581"
TAGS = ["history", "release", "C19"]
EXPECT = {"before": ["crash.assertion"], "after": []}

THREADS = {"toolstack": ["route virq=40 pirq=64", "release virq=40"], "vcpu0": ["isenabler virq=41"]}

ConnectHwIrq = protocol("connect_hw_irq")


class AsFirstCommitted(ConnectHwIrq):
    def vgic_connect_hw_irq(self, d, virq, desc, connect):
        """Xen: gic-vgic.c, vgic_connect_hw_irq @ ec2a2f1de4."""
        check_that(
            connect and desc is not None,
            "crash.assertion",
            f"vgic_connect_hw_irq: connect && desc is false, connect is {str(connect).lower()}",
        )
        return super().vgic_connect_hw_irq(d, virq, desc, connect)


def variants():
    def program(code):
        return written_program("disconnect_asserts", Initial(), THREADS, code)

    return {"before": program(AsFirstCommitted), "after": program(ConnectHwIrq)}
