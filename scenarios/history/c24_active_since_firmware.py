"""An interrupt that firmware left active never fires (Xen b4df73de49, 0322e0db5b, February 2019).

The machine is started anew without a reset of the GIC (or was last used by
firmware), while pIRQ 40 was acknowledged and not yet deactivated: it is active.
gicv2_dist_init disables all SPIs, and leaves the active state as it is; an active
interrupt is not signalled again until somebody deactivates it, and whoever
acknowledged it is gone.  Its driver sets it up, the device raises its line: nothing.

before      GICD_ICENABLER at boot.
after       GICD_ICACTIVER too.

GICv3 had the same, and its commit tells of an SGI: pCPU 1 stopped in a function
call that never returned, and the next Xen's calls to it were never taken.
There is no race in it: every schedule shows it.

Unlike Xen, there is one line, and it ends when it has been handled.
"""

import racebench as rb

TITLE = "Xen boots while pIRQ 40 is still active"
SOURCE = "gic-v2.c: gicv2_dist_init @ b4df73de49; gic-v3.c: gicv3_dist_init @ 0322e0db5b"
TAGS = ["history", "interrupt", "C24"]
EXPECT = {"before": ["irq.line_dead"], "after": []}


class Line(rb.State):
    """pIRQ 40 in the distributor, as the one before us left it."""

    enabled = rb.shared(True, atomic=True)
    active = rb.shared(True, atomic=True)
    pending = rb.shared(False, atomic=True)
    handled = rb.shared(False, atomic=True)

    def label(self):
        return "line[40]"

    def gicv2_dist_init(self):
        """Xen: gic-v2.c, same @ b4df73de49."""
        self.enabled = False
        self.active = False

    def signalled(self):
        """What the distributor shows to a processor."""
        return self.pending and self.enabled and not self.active


class LeftActive(Line):
    def gicv2_dist_init(self):
        """Xen: gic-v2.c, same @ b4df73de49^."""
        self.enabled = False


def start_xen(line):
    """Boot, then the driver's request_irq.  Xen: setup.c, start_xen; irq.c, setup_irq @ b4df73de49."""
    line.gicv2_dist_init()
    line.enabled = True


def device(line):
    """It asserts its line."""
    line.pending = True


def gic_interrupt(line):
    """A pCPU acknowledges it, handles and ends it.  Xen: gic.c, same; irq.c, do_IRQ @ b4df73de49."""
    rb.wait_until(line.signalled)
    line.pending, line.active = False, True
    line.handled = True
    line.active = False


def line_lives(line, results):
    if line.handled:
        return None
    message = "pIRQ 40 is pending, enabled and active, and nobody handles it: it never fires"
    return rb.broken("irq.line_dead", message, ("active",))


def variants():
    def program(line):
        return rb.Program(
            "active_since_firmware",
            setup=line,
            threads={"pcpu0": start_xen, "device": device, "pcpu1": gic_interrupt},
            daemons={"pcpu1"},
            check=line_lives,
        )

    return {"before": program(LeftActive), "after": program(Line)}
