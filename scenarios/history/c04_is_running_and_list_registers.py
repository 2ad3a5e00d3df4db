"""An interrupt for the next vCPU is written over the previous one's state (Xen 071c61e736, 2013).

schedule sets next->is_running, then switches; the list registers hold prev's
state until gic_save_state, next's from gic_restore_state on.  Meanwhile a timer
of next fires on this CPU, and gic_set_guest_irq must choose: a register, or
lr_pending, from which gic_restore_state takes it.

before  It believes is_running, and writes a register: gic_save_state then saves
        next's interrupt as prev's, or, if it came after that, gic_restore_state
        overwrites it.
mid     071c61e736: it asks whether next is current, which changes with
        interrupts off, and they stay off until prev is saved.  They come back
        before gic_restore_state, though: there an interrupt is still overwritten.
after   9f5179a4ec, five weeks later: off until next is restored.

Unlike Xen, there are two list registers, and prev has the first.
"""

import racebench as rb

TITLE = "next's timer fires on this CPU in the middle of the context switch to it"
SOURCE = "gic.c: gic_set_guest_irq, domain.c: schedule_tail @ 071c61e736, 9f5179a4ec"
TAGS = ["history", "interrupt", "C4"]
EXPECT = {
    "before": ["irq.stuck_inprogress", "irq.wrong_vcpu"],
    "mid": ["irq.stuck_inprogress"],
    "after": [],
}

VIRQ_OF_PREV, VIRQ_OF_NEXT = 40, 27


class Vcpu(rb.State):
    is_running = rb.shared(False)
    gic_lr = rb.shared((None, None))
    lr_pending = rb.shared(())

    def __init__(self, name):
        self.name = name

    def label(self):
        return self.name


class Cpu(rb.State):
    """One physical CPU, its list registers, and the two vCPUs."""

    current = rb.shared("prev")
    GICH_LR = rb.shared((VIRQ_OF_PREV, None))

    def __init__(self):
        self.prev, self.next = Vcpu("prev"), Vcpu("next")
        self.gic_lock = rb.Lock("gic")
        self.prev.is_running = True

    def label(self):
        return "cpu0"

    def may_write_lrs(self, v):
        """Whether the registers are ``v``'s.  Xen: gic.c, gic_set_guest_irq @ 071c61e736."""
        return self.current == v.name

    def schedule_tail(self):
        """Interrupts are off all the while.  Xen: domain.c, schedule_tail @ 9f5179a4ec."""
        gic_save_state(self, self.prev)
        gic_restore_state(self, self.next)
        rb.irqs_on()


class OnBeforeRestore(Cpu):
    def schedule_tail(self):
        """Interrupts are off for the saving.  Xen: domain.c, schedule_tail @ 071c61e736."""
        gic_save_state(self, self.prev)
        rb.irqs_on()
        gic_restore_state(self, self.next)


class IsRunning(Cpu):
    def may_write_lrs(self, v):
        """Xen: gic.c, gic_set_guest_irq @ 071c61e736^."""
        return v.is_running

    def schedule_tail(self):
        """Interrupts are on.  Xen: domain.c, schedule_tail @ 071c61e736^."""
        rb.irqs_on()
        gic_save_state(self, self.prev)
        gic_restore_state(self, self.next)


def gic_save_state(cpu, v):
    """Xen: gic.c, gic_save_state @ 071c61e736^."""
    with cpu.gic_lock.irqsave():
        v.gic_lr = cpu.GICH_LR


def gic_restore_state(cpu, v):
    """Load ``v``'s registers, then what waits for one.  Xen: gic.c, gic_restore_state @ 071c61e736."""
    with cpu.gic_lock.irqsave():
        cpu.GICH_LR = v.gic_lr
    with cpu.gic_lock.irqsave():
        for virq in v.lr_pending:
            cpu.GICH_LR = (virq, None)
        v.lr_pending = ()


def gic_set_guest_irq(cpu, v, virq):
    """Into a register if they are ``v``'s.  Xen: gic.c, gic_set_guest_irq @ 071c61e736."""
    with cpu.gic_lock.irqsave():
        if cpu.may_write_lrs(v):
            first, _ = cpu.GICH_LR
            cpu.GICH_LR = (virq, None) if first is None else (first, virq)
        else:
            v.lr_pending = (virq,)


def schedule(cpu):
    """Xen: schedule.c, schedule, and domain.c, context_switch @ 071c61e736."""
    with rb.irqsave():
        cpu.next.is_running = True
    rb.irqs_off()
    cpu.current = "next"
    cpu.schedule_tail()


def virt_timer_expired(cpu):
    """The timer of next.  Xen: vtimer.c, virt_timer_expired @ 071c61e736."""
    gic_set_guest_irq(cpu, cpu.next, VIRQ_OF_NEXT)


def delivered_to_next(cpu, results):
    if VIRQ_OF_NEXT in cpu.prev.gic_lr:
        message = f"vIRQ {VIRQ_OF_NEXT} of next was saved with prev's list registers {cpu.prev.gic_lr}"
        return rb.broken("irq.wrong_vcpu", message, ("prev.gic_lr", "next"))
    if VIRQ_OF_NEXT not in (*cpu.GICH_LR, *cpu.next.lr_pending):
        message = f"vIRQ {VIRQ_OF_NEXT} is inflight on next, but in no list register: next never sees it"
        return rb.broken("irq.stuck_inprogress", message, ("GICH_LR", "lr_pending"))
    return None


def variants():
    def program(state):
        return rb.Program(
            "context_switch",
            setup=state,
            threads={"cpu0": schedule},
            interrupts={"timer": ("cpu0", virt_timer_expired)},
            check=delivered_to_next,
        )

    return {"before": program(IsRunning), "mid": program(OnBeforeRestore), "after": program(Cpu)}
