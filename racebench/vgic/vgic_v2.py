"""vgic-v2.c: the guest writes to the distributor's registers.

Lock order: rank, then what vgic.c takes.
Guarantees: a register write takes effect as a whole under its rank's lock.
Assumes: the writer is a vCPU of ``d`` and holds no lock.
"""

from __future__ import annotations

from .state import INTERRUPT_RANK_MASK, NR_INTERRUPT_PER_RANK, Domain, VgicIrqRank
from .vgic import Vgic


def _bits(virqs: tuple[int, ...]) -> int:
    bits = 0
    for virq in virqs:
        bits |= 1 << (virq & INTERRUPT_RANK_MASK)
    return bits


class VgicV2(Vgic):
    """vgic-v2.c @ baf2950213: vgic_v2_distr_mmio_write, one method for each register."""

    def rank_of(self, d: Domain, virq: int) -> VgicIrqRank:
        """The rank whose registers hold ``virq``: an address, not a step.

        Xen: vgic.c, vgic_rank_offset @ baf2950213.
        """
        return d.ranks[virq // NR_INTERRUPT_PER_RANK]

    def write_isenabler(self, d: Domain, virqs: tuple[int, ...]) -> None:
        """One write to GICD_ISENABLER that sets the bits of ``virqs``, all of one rank.

        Takes and drops the rank lock.
        Xen: vgic-v2.c, vgic_v2_distr_mmio_write, GICD_ISENABLER @ baf2950213.
        """
        rank = self.rank_of(d, virqs[0])
        with rank.lock:
            self.vgic_enable_irqs(d, self.set_bits(rank, virqs))

    def set_bits(self, rank: VgicIrqRank, virqs: tuple[int, ...]) -> tuple[int, ...]:
        """Set ienable bits; returns the newly set ones.  Enter with the rank lock held."""
        tr = rank.ienable
        rank.ienable = tr | _bits(virqs)
        return tuple(v for v in sorted(virqs) if not tr >> (v & INTERRUPT_RANK_MASK) & 1)

    def write_icenabler(self, d: Domain, virqs: tuple[int, ...]) -> None:
        """One write to GICD_ICENABLER that clears the bits of ``virqs``, all of one rank.

        Takes and drops the rank lock.
        Xen: vgic-v2.c, vgic_v2_distr_mmio_write, GICD_ICENABLER @ baf2950213.
        """
        rank = self.rank_of(d, virqs[0])
        with rank.lock:
            self.vgic_disable_irqs(d, self.clear_bits(rank, virqs))

    def clear_bits(self, rank: VgicIrqRank, virqs: tuple[int, ...]) -> tuple[int, ...]:
        """Clear ienable bits; returns the newly cleared ones.  Enter with the rank lock held."""
        tr = rank.ienable
        rank.ienable = tr & ~_bits(virqs)
        return tuple(v for v in sorted(virqs) if tr >> (v & INTERRUPT_RANK_MASK) & 1)

    def write_itargetsr(self, d: Domain, virq: int, vcpu: int) -> None:
        """A write to GICD_ITARGETSR that sends ``virq`` to ``vcpu``.

        Takes and drops the rank lock.  Unlike Xen, the three other bytes of
        the register, which the write leaves as they are, are not read.  A write
        to GICv3's IROUTER takes the same steps.
        Xen: vgic-v2.c, vgic_store_itargetsr, and vgic-v3.c, vgic_store_irouter @ baf2950213.
        """
        rank = self.rank_of(d, virq)
        with rank.lock:
            slot = rank.irq[virq & INTERRUPT_RANK_MASK]
            old_target = slot.vcpu
            if old_target != vcpu and self.vgic_migrate_irq(d.vcpu[old_target], d.vcpu[vcpu], virq):
                slot.vcpu = vcpu

    def write_ipriorityr(self, d: Domain, virq: int, priority: int) -> None:
        """A write to GICD_IPRIORITYR.  Takes and drops the rank lock.

        Xen: vgic-v2.c, vgic_v2_distr_mmio_write, GICD_IPRIORITYR @ baf2950213.
        """
        rank = self.rank_of(d, virq)
        with rank.lock:
            rank.irq[virq & INTERRUPT_RANK_MASK].priority = priority
