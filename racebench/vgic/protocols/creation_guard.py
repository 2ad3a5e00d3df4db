"""b857754723 (2018): connect_hw_irq, routing only before the domain runs, removal only while it dies.

Lock order: as connect_hw_irq: desc -> rank, desc -> vcpu, rank -> vcpu,
rank -> desc.  The two flags are read under desc.lock, which does not guard them.
"""

from __future__ import annotations

from errno import EBUSY

from ..domain import PSCI_ALREADY_ON
from ..state import Domain, IrqDesc
from .connect_hw_irq import ConnectHwIrq


class CreationGuard(ConnectHwIrq):
    """The mapping is fixed while the guest runs."""

    ID = "creation_guard"
    SUMMARY = "b857754723: connect_hw_irq; route only before creation_finished, release only if is_dying"
    TREE = "b857754723"

    def gic_route_irq_to_guest(self, d: Domain, virq: int, desc: IrqDesc, priority: int) -> int:
        """-EBUSY once the domain runs.  Enter with desc.lock held.

        Xen: gic.c, gic_route_irq_to_guest @ b857754723.
        """
        if d.creation_finished:
            return -EBUSY
        return super().gic_route_irq_to_guest(d, virq, desc, priority)

    def domain_kill(self, d: Domain) -> None:
        """As at baseline, but with no lock held.  Xen: common/domain.c, domain_kill @ 228ab9992f."""
        d.is_dying = True

    def do_psci_cpu_on(self, d: Domain, vcpu: int) -> int:
        """As at baseline, but a vCPU that is up is left alone: 0 or ALREADY_ON.

        Xen: arch/arm/vpsci.c, do_common_cpu_on @ baba8102bf.
        """
        if not d.vcpu[vcpu].VPF_down:
            return PSCI_ALREADY_ON
        return super().do_psci_cpu_on(d, vcpu)

    def stop_for_removal(self, d: Domain, desc: IrqDesc) -> int:
        """-EBUSY unless the domain dies.  Enter with desc.lock held.

        Xen: gic.c, in gic_remove_irq_from_guest @ b857754723.
        """
        if not d.is_dying:
            return -EBUSY
        self.shutdown_and_deactivate(desc)
        return 0
