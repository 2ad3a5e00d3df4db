"""The line's switch is turned outside the critical section that sets its action (Xen fe2c08a9e5, 2014).

desc->action says who owns an IRQ, hw_irq_controller's startup and shutdown
switch its line.  Before the fix setup called startup after it had dropped
desc->lock, release called shutdown before it took it: another CPU's release or
setup could come between the two halves.

before         One action an IRQ, as that tree had it; release asks for no
               particular one.  setup installs; release shuts down and removes;
               setup's startup comes late (or: release shuts down; setup installs
               and starts up; release removes): the line is on, and nobody's.
before_shared  The message's own case, several actions an IRQ, which ba30e2bdc1
               of three weeks later allows: release removes the last action;
               setup installs another and starts up; release's shutdown comes
               late: the IRQ is owned, and its line off for good.
after, after_shared
               Both halves under desc->lock.

Unlike Xen, nothing is ever INPROGRESS, so release has nothing to wait for.
"""

import racebench as rb

TITLE = "One CPU sets an IRQ up while another releases it"
SOURCE = "irq.c: setup_dt_irq, release_irq @ fe2c08a9e5"
TAGS = ["history", "routing", "C6"]
EXPECT = {
    "before": ["mapping.lost_enable"],
    "before_shared": ["mapping.lost_enable"],
    "after": [],
    "after_shared": [],
}


class IrqDesc(rb.State):
    action = rb.shared(())
    DISABLED = rb.shared(True)

    def __init__(self):
        self.lock = rb.Lock("desc", 64)

    def label(self):
        return "desc[64]"


class InUse(IrqDesc):
    action = rb.shared(("old",))
    DISABLED = rb.shared(False)


def gic_irq_startup(desc):
    """Enter with desc.lock held.  Xen: gic.c, gic_irq_startup, gic_irq_enable @ fe2c08a9e5."""
    desc.DISABLED = False


def gic_irq_shutdown(desc):
    """Enter with desc.lock held.  Xen: gic.c, gic_irq_shutdown, gic_irq_disable @ fe2c08a9e5."""
    desc.DISABLED = True


class OneAction:
    """setup fails if the IRQ has an action; release removes whatever is there."""

    def setup_dt_irq(self, desc):
        """Xen: irq.c, setup_dt_irq @ fe2c08a9e5."""
        with desc.lock:
            if not desc.action:
                desc.action = ("new",)
                gic_irq_startup(desc)

    def release_irq(self, desc):
        """Xen: irq.c, release_irq @ fe2c08a9e5."""
        with desc.lock:
            gic_irq_shutdown(desc)
            desc.action = ()


class OneActionOutside(OneAction):
    """startup and shutdown take desc.lock themselves."""

    def setup_dt_irq(self, desc):
        """Xen: irq.c, setup_dt_irq @ fe2c08a9e5^."""
        with desc.lock:
            free = not desc.action
            if free:
                desc.action = ("new",)
        if free:
            with desc.lock:
                gic_irq_startup(desc)

    def release_irq(self, desc):
        """Xen: irq.c, release_irq @ fe2c08a9e5^."""
        with desc.lock:
            gic_irq_shutdown(desc)
        with desc.lock:
            desc.action = ()


class Shared:
    """The first action starts the line up, the removal of the last shuts it down."""

    def setup_dt_irq(self, desc):
        """By then called setup_irq.  Xen: irq.c, setup_irq @ ba30e2bdc1."""
        with desc.lock:
            first = not desc.action
            desc.action = (*desc.action, "new")
            if first:
                gic_irq_startup(desc)

    def release_irq(self, desc):
        """Xen: irq.c, release_irq @ ba30e2bdc1."""
        with desc.lock:
            desc.action = tuple(a for a in desc.action if a != "old")
            if not desc.action:
                gic_irq_shutdown(desc)


class SharedOutside(Shared):
    """What ba30e2bdc1 would have been without fe2c08a9e5."""

    def setup_dt_irq(self, desc):
        """Never in Xen: setup_irq @ ba30e2bdc1 with startup after the unlock."""
        with desc.lock:
            first = not desc.action
            desc.action = (*desc.action, "new")
        if first:
            with desc.lock:
                gic_irq_startup(desc)

    def release_irq(self, desc):
        """Never in Xen: release_irq @ ba30e2bdc1 with shutdown after the unlock."""
        with desc.lock:
            desc.action = tuple(a for a in desc.action if a != "old")
            last = not desc.action
        if last:
            with desc.lock:
                gic_irq_shutdown(desc)


def on_if_owned(desc, results):
    if desc.action and desc.DISABLED:
        message = f"pIRQ 64 has the action {desc.action[0]!r}, but its line is off"
        return rb.broken("mapping.lost_enable", message, ("action", "DISABLED"))
    if not desc.action and not desc.DISABLED:
        message = "pIRQ 64 has no action, but its line is on"
        return rb.broken("mapping.lost_enable", message, ("no action", "enabled"))
    return None


def variants():
    def program(state, code):
        return rb.Program(
            "setup_and_release",
            setup=state,
            threads={"setup": code.setup_dt_irq, "release": code.release_irq},
            check=on_if_owned,
        )

    return {
        "before": program(IrqDesc, OneActionOutside()),
        "before_shared": program(InUse, SharedOutside()),
        "after": program(IrqDesc, OneAction()),
        "after_shared": program(InUse, Shared()),
    }
