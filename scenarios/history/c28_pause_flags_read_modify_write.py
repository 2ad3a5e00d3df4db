"""credit2 changes a bit of pause_flags with plain loads and stores (Xen e0d92d9bd7, May 2020).

v->pause_flags has a bit for each reason why a vCPU does not run.  credit2, when it
balances the load, sets VPF_migrating for one that runs with __set_bit: it reads the
word, and writes it back with one more bit.  Others change other bits at any time, with
no lock, each with clear_bit, which is atomic; __set_bit does not notice:

    credit2, on one CPU                      vcpu_unblock, on another
    reads {blocked}
                                             clears VPF_blocked, wakes the vCPU
    writes {blocked, migrating}

The vCPU stays blocked, though its wakeup came.

before       VPF_blocked, and an interrupt that was to wake the vCPU.
before_down  VPF_down, and CPU_ON: the vCPU never starts, and vgic_inject_irq drops
             its interrupts.
after, after_down
             set_bit.

Unlike Xen, each bit is a field of its own, so credit2 reads and writes two of them one
by one; in either program the other CPU clears only one.
"""

import racebench as rb

TITLE = "credit2 marks a vCPU for migration while another CPU wakes it"
SOURCE = "private.h: sched_set_pause_flags @ e0d92d9bd7"
TAGS = ["history", "scheduler", "C28"]
EXPECT = {
    "before": ["data_race", "sched.lost_wakeup"],
    "before_down": ["data_race", "sched.lost_wakeup"],
    "after": [],
    "after_down": [],
}


class Vcpu(rb.State):
    """Its pause_flags."""

    VPF_blocked = rb.shared(False, atomic=True)
    VPF_down = rb.shared(False, atomic=True)
    VPF_migrating = rb.shared(False, atomic=True)

    def label(self):
        return "v"

    def sched_set_pause_flags(self):
        """set_bit.  Xen: sched/private.h, same @ e0d92d9bd7."""
        self.VPF_migrating = True


class PlainWord(Vcpu):
    VPF_blocked = rb.shared(False)
    VPF_down = rb.shared(False)
    VPF_migrating = rb.shared(False)

    def sched_set_pause_flags(self):
        """__set_bit: the whole word is read, then written.  Xen: sched/private.h, same @ e0d92d9bd7^."""
        blocked, down = self.VPF_blocked, self.VPF_down
        self.VPF_blocked, self.VPF_down, self.VPF_migrating = blocked, down, True


def migrate(v):
    """v runs, or is still on its way off its pCPU.  Xen: sched/credit2.c, migrate @ e0d92d9bd7."""
    v.sched_set_pause_flags()


def vcpu_unblock(v):
    """Of vcpu_kick, for an interrupt.  Xen: sched/core.c, vcpu_unblock @ e0d92d9bd7."""
    if v.VPF_blocked:
        v.VPF_blocked = False


def cpu_on(v):
    """Another vCPU of the guest starts v.  Xen: vpsci.c, do_common_cpu_on; domain.c, vcpu_wake."""
    if v.VPF_down:
        v.VPF_down = False


def woken(v, results):
    reasons = [name for name in ("VPF_blocked", "VPF_down") if getattr(v, name)]
    if not reasons:
        return None
    message = f"v was woken, but {reasons[0]} is set again: it never runs"
    return rb.broken("sched.lost_wakeup", message, reasons)


def variants():
    def program(vcpu, waker, reason):
        def setup():
            v = vcpu()
            setattr(v, reason, True)
            return v

        threads = {"credit2": migrate, "waker": waker}
        return rb.Program("pause_flags", setup=setup, threads=threads, check=woken)

    return {
        "before": program(PlainWord, vcpu_unblock, "VPF_blocked"),
        "before_down": program(PlainWord, cpu_on, "VPF_down"),
        "after": program(Vcpu, vcpu_unblock, "VPF_blocked"),
        "after_down": program(Vcpu, cpu_on, "VPF_down"),
    }
