"""What an interrupt announces is read before the interrupt is (Xen 177afec455, 555e5f1bd2, 2018).

pCPU 1 takes the exception for some peripheral and heads for its handler.  Before it
has read GICC_IAR, which says what it is to handle, it guesses, and loads early what
the handler will read.  Only then comes what that read was meant to see:

    pCPU 1, gic_interrupt                    pCPU 0, send_SGI_mask
    loads shared_data, by speculation
                                             shared_data = new; dsb; SGI
    IAR: it is the SGI: the guess was right,
    and the old value counts

The sender's barrier is no help: the reader is out of order.

before         do_sgi reads what pCPU 0 left in memory.
after          555e5f1bd2: smp_rmb in do_sgi; the load cannot be done before IAR's.
before_sysreg  The same for a device that says in a system register whether it wants
               anything: it says so, then raises its line; the pCPU may see the line
               first, and the handler finds nothing to do.
after_sysreg   177afec455: isb between IAR and do_IRQ.

Unlike Xen, the load has one early place, at the exception, wherever the processor
could have done it; after the fence, it is where the program has it.  If IAR names
the peripheral, nobody looks at the data, and the run ends: the SGI or the device's
interrupt then takes an exception of its own, which is a barrier.
"""

import racebench as rb

TITLE = "A processor guesses which interrupt it is about to acknowledge"
SOURCE = "gic.c: gic_interrupt, do_sgi @ 177afec455, 555e5f1bd2"
TAGS = ["history", "interrupt", "barrier", "C23"]
EXPECT = {
    "before": ["data_race", "irq.stale_data"],
    "after": [],
    "before_sysreg": ["irq.stale_data"],
    "after_sysreg": [],
}

PERIPHERAL, ANNOUNCED = 64, 0


class Memory(rb.State):
    """An ordinary variable: pCPU 0 writes it, and sends an SGI."""

    data = rb.shared("old")

    def label(self):
        return "shared_data"


class SystemRegister(rb.State):
    """A device writes it, and raises its line."""

    data = rb.shared("old", atomic=True)

    def label(self):
        return "status register"


class Gic(rb.State):
    GICC_IAR = rb.shared(PERIPHERAL, atomic=True)

    def __init__(self, announced):
        self.announced = announced()

    def label(self):
        return "gic"

    def gic_interrupt(self):
        """The SGI is the more urgent.  Xen: gic.c, gic_interrupt, do_sgi @ 555e5f1bd2."""
        if self.GICC_IAR == ANNOUNCED:
            self.handle(self.announced.data)

    def handle(self, seen):
        """Xen: gic.c, do_sgi; irq.c, do_IRQ @ 555e5f1bd2."""
        rb.check_that(
            seen == "new",
            "irq.stale_data",
            f"pCPU 1 handles the interrupt, and reads {self.announced.label()} as it was before: {seen}",
        )


class NoFence(Gic):
    def gic_interrupt(self):
        """The load of ``data`` overtakes that of GICC_IAR.  Xen: gic.c, same @ 177afec455^."""
        seen = self.announced.data
        if self.GICC_IAR == ANNOUNCED:
            self.handle(seen)


def send(gic):
    """What it announces, a barrier, the interrupt.  Xen: gic.c, send_SGI_mask @ 555e5f1bd2."""
    gic.announced.data = "new"
    rb.smp_mb()
    gic.GICC_IAR = ANNOUNCED


def variants():
    def program(gic, announced, sender):
        return rb.Program(
            "stale_read",
            setup=lambda: gic(announced),
            threads={"pcpu1": lambda g: g.gic_interrupt(), sender: send},
        )

    return {
        "before": program(NoFence, Memory, "pcpu0"),
        "after": program(Gic, Memory, "pcpu0"),
        "before_sysreg": program(NoFence, SystemRegister, "device"),
        "after_sysreg": program(Gic, SystemRegister, "device"),
    }
