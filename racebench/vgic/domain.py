"""What the toolstack, the scheduler, PSCI and the hardware do to a domain.

Lock order: none of its own.
Guarantees: flags are plain writes, as in Xen; nothing orders them with routing.
Assumes: callers hold no lock.
"""

from __future__ import annotations

from contextlib import nullcontext
from errno import EALREADY
from typing import ClassVar

from ..primitives import check_that
from .domctl import Domctl
from .gic import Gic
from .irq import Irq
from .state import NULL, Domain, IrqDesc, Vcpu
from .vgic_v2 import VgicV2

PSCI_SUCCESS, PSCI_ALREADY_ON = 0, -EALREADY
"""Unlike Xen, which uses PSCI's numbers, these are errno numbers, like all other codes."""


class Protocol(Irq, Gic, VgicV2, Domctl):
    """The whole machine's code.  A protocol overrides the functions that it changes.

    ``ID`` and ``SUMMARY`` are shown by ``racebench list protocols``; ``PHRASE``, if set,
    begins the sentence that says what breaks with it: "without the rank lock".
    ``ABSENT`` are the operations that its tree, or the model of it, does not have; ``ESPIS``:
    there are extended SPIs; ``TREE`` is the last of callers.TREES that the tree contains.
    """

    ID = ""
    SUMMARY = ""
    PHRASE = ""
    TREE = "baf2950213"
    ESPIS: ClassVar[bool] = False
    ABSENT: ClassVar[frozenset[str]] = frozenset(("attach", "level", "ispendr", "icpendr"))

    def domain_unpause(self, d: Domain) -> None:
        """The toolstack lets ``d`` run for the first time.

        Xen: common/domain.c, domain_unpause_by_systemcontroller @ baf2950213.
        """
        d.creation_finished = True

    def domain_kill(self, d: Domain) -> None:
        """``d`` begins to die; its vCPUs are paused before.

        Takes and drops the domctl lock, in a scenario in which others take it.
        Xen: common/domain.c, domain_kill @ baf2950213.
        """
        host = self.machine.host
        with nullcontext() if host is NULL else host.domctl_lock:
            d.is_dying = True

    def arch_domain_destroy(self, d: Domain) -> None:
        """Free the domain's resources.  Xen: arch/arm/domain.c, arch_domain_destroy @ baf2950213."""
        self.domain_vgic_free(d)
        d.destroyed = True

    def vcpu_kick(self, v: Vcpu) -> None:
        """Make ``v`` look at its pending interrupts: it wakes if it sleeps.  Takes and drops its sched lock.

        Unlike Xen, a vCPU that runs elsewhere is not told: a scenario says when it traps.
        Xen: arch/arm/domain.c, vcpu_kick, and common/sched/core.c, vcpu_unblock, vcpu_wake @ c447b7308b.
        """
        sched = v.sched
        if sched is NULL or not sched.clear_blocked():
            return
        check_that(sched.unit, "crash.freed", "vcpu_wake: v->sched_unit is freed")
        with sched.lock:
            pass

    def vcpu_move(self, d: Domain, vcpu: int, pcpu: int) -> None:
        """The scheduler moves a vCPU to another pCPU; its SPIs follow.

        Xen: common/schedule.c, vcpu_move_locked @ baf2950213.
        """
        v = d.vcpu[vcpu]
        v.processor = pcpu
        self.arch_move_irqs(v)

    def vcpu_steal(self, d: Domain, vcpu: int, pcpu: int) -> None:
        """credit2 moves a vCPU that does not run to another pCPU, and does not tell the vGIC.

        Xen: common/sched/credit2.c, migrate @ c447b7308b.
        """
        d.vcpu[vcpu].processor = pcpu

    def do_psci_cpu_on(self, d: Domain, vcpu: int) -> int:
        """The guest switches a vCPU on, with the call of PSCI 0.1: 0.

        That call does not check whether the vCPU is on already; PSCI 0.2's does.
        QUEUED, VISIBLE, ACTIVE, p.lr, the saved LRs and the lines stay as they
        are.  Takes and drops the vCPU's lock, then domain_lock.
        Xen: arch/arm/vpsci.c, do_common_cpu_on @ baf2950213.
        """
        v = d.vcpu[vcpu]
        self.vgic_clear_pending_irqs(v)
        with d.domain_lock:
            v.VPF_down = False
        return PSCI_SUCCESS

    def guest_eoi(self, d: Domain, virq: int, vcpu: int | None = None) -> None:
        """The guest ends ``virq``, then its vCPU traps.

        Xen: gic.c, gic_clear_lrs @ baf2950213.
        """
        v = self.guest_hweoi(d, virq, vcpu)
        if v is not None:
            self.gic_clear_lrs(v)

    def physical_irq(self, irq: int, current: Vcpu | None) -> None:
        """The device raises its line: it reaches a pCPU only if the line is enabled and not active.

        The GIC makes this test, not Xen.
        """
        desc = self.irq_to_desc(irq)
        if (
            not desc.DISABLED
            and self.comes_to(desc, current)
            and (desc.line is NULL or desc.line.acknowledge())
        ):
            self.do_IRQ(irq, current)

    def comes_to(self, desc: IrqDesc, current: Vcpu | None) -> bool:
        """Whether the line goes to the pCPU of ``current``; if that is None (another pCPU), it may."""
        return current is None or desc.affinity == current.processor

    def late_irq(self, irq: int) -> None:
        """A pCPU has acknowledged the interrupt already, whatever has happened to its line since."""
        line = self.irq_to_desc(irq).line
        if line is NULL or not self.machine.draws or line.acknowledge():
            self.do_IRQ(irq)

    def latched_irq(self, irq: int, current: Vcpu | None) -> bool:
        """The line fires as by itself if its latch is set; return whether it does."""
        desc = self.irq_to_desc(irq)
        line = desc.line
        if line.latched and not desc.DISABLED and self.comes_to(desc, current) and line.acknowledge():
            line.latched = False
            self.do_IRQ(irq, current)
            return True
        return False
