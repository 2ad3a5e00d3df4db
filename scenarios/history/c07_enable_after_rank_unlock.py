"""A register write takes effect after the rank lock is dropped (Xen 5b3a817ea3, August 2014).

One vCPU writes ISENABLER while another writes ICENABLER for the same interrupt.
Each changes rank->ienable under the rank lock, drops it, and only then does
what the change asks for.  The second to change the register may be the first to
take effect: the guest reads "disabled" for ever after, while Xen delivers; a
further ICENABLER finds the bit clear and does nothing.  The pIRQ's line can end
on the wrong side in the same way.

The fix (backported as dcb95321d2) takes effect under the rank lock.  Since then
the rank lock is held when desc->lock is taken: half of the inversion that the
thread of 2017 is about.

Unlike Xen, everything but the place of the unlock is the tree of May 2017.
"""

from racebench import vgic

TITLE = "One vCPU enables vIRQ 40 while another disables it"
SOURCE = "vgic-v2.c: vgic_v2_distr_mmio_write @ 5b3a817ea3"
TAGS = ["history", "C7"]
EXPECT = {"before": ["mapping.ienable_mismatch", "mapping.lost_enable"], "after": []}

INITIAL = vgic.Initial(routed=((40, 64, False),))


class EffectAfterUnlock(vgic.Baseline):
    def write_isenabler(self, d, virqs):
        """Xen: vgic-v2.c, vgic_v2_distr_mmio_write, GICD_ISENABLER @ 5b3a817ea3^."""
        rank = self.rank_of(d, virqs[0])
        with rank.lock:
            changed = self.set_bits(rank, virqs)
        self.vgic_enable_irqs(d, changed)

    def write_icenabler(self, d, virqs):
        """Xen: vgic-v2.c, vgic_v2_distr_mmio_write, GICD_ICENABLER @ 5b3a817ea3^."""
        rank = self.rank_of(d, virqs[0])
        with rank.lock:
            changed = self.clear_bits(rank, virqs)
        self.vgic_disable_irqs(d, changed)


def variants():
    def operation(text):
        return (vgic.parse_operation(text, __file__, text, INITIAL),)

    threads = {"vcpu0": operation("isenabler virq=40"), "vcpu1": operation("icenabler virq=40")}

    def program(protocol):
        return vgic.build_program("enable_and_disable", INITIAL, threads, protocol)

    return {"before": program(EffectAfterUnlock), "after": program(vgic.Baseline)}
