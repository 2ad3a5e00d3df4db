"""irq.c: what is freed when a pIRQ is given back, and with interrupts on or off."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

import racebench as rb
from racebench.vgic import Baseline, Protocol, protocol, protocol_ids
from racebench.vgic.action import IrqAction
from racebench.vgic.protocols.head import Head
from racebench.vgic.state import Domain, Vcpu

from .machines import UNMASKED, program, rules

DYING: dict[str, Any] = {"routed": ((40, 64, True),), "state": "dying"}


class UnlockedInject(Head):
    """do_IRQ drops desc.lock before it injects, and takes what it needs of the action only then."""

    def do_IRQ(self, irq: int, current: Vcpu | None = None) -> None:
        desc = self.irq_to_desc(irq)
        with desc.lock:
            if desc.action is None or not desc.GUEST:
                desc.handler.end(desc)
                return
            info = self.irq_get_guest_info(desc)
            desc.handler.end(desc)
            desc.INPROGRESS = True
            d, virq = self.copied(info)
        self.vgic_vcpu_inject_spi(d or info.d, virq or info.virq)

    def copied(self, info: IrqAction) -> tuple[Domain | None, int]:
        return None, 0


class CopiedInject(UnlockedInject):
    """The same, but it takes what it needs while it holds the lock."""

    def copied(self, info: IrqAction) -> tuple[Domain | None, int]:
        return info.d, info.virq


def _found(code: type[Protocol], **threads: list[str]) -> set[str]:
    result = rb.verify(program(threads, code, **DYING))
    assert result.complete
    return {f.rule for f in result.findings}


class TestAFreedAction:
    def test_one_that_is_used_without_the_lock_may_be_freed(self) -> None:
        threads = {"pcpu1": ["irq pirq=64"], "rcu": ["release virq=40"]}
        assert "crash.freed" in _found(UnlockedInject, **threads)
        assert "crash.freed" not in _found(CopiedInject, **threads)
        assert "crash.freed" not in _found(Head, **threads)

    def test_it_is_freed_only_when_it_is_given_back(self) -> None:
        assert "crash.freed" not in _found(UnlockedInject, pcpu1=["irq pirq=64"], vcpu0=["isenabler virq=41"])

    @pytest.mark.usefixtures("as_found")
    @pytest.mark.parametrize("name", protocol_ids())
    def test_a_bundled_protocol_pays_nothing(self, name: str) -> None:
        """Each uses it under desc.lock only, where it cannot be freed."""
        threads = {"pcpu1": ["irq pirq=64"], "rcu": ["release virq=40"]}
        watched = type("Watched", (protocol(name),), {})
        watched.__module__ = "a user's"
        with_, without = (rb.verify(program(threads, code, **DYING)) for code in (watched, protocol(name)))
        assert (with_.executions, {f.rule for f in with_.findings}) == (
            without.executions,
            {f.rule for f in without.findings},
        )


class TestInterruptsOn:
    """Until 3455cd598c, gic_interrupt enabled interrupts before do_IRQ, which takes desc.lock.

    That lock is taken with interrupts on there, and off everywhere else: Xen's check_lock
    (common/spinlock.c) allows of one lock only the one or the other.  An IPI may come at
    once, another line of a guest's once the priority has dropped.
    """

    ROUTED: ClassVar[dict[str, Any]] = {"routed": ((40, 64, True),)}

    @pytest.mark.parametrize("name", protocol_ids())
    @pytest.mark.parametrize("irq", ["irq pirq=64", "late_irq pirq=64", "late_irq pirq=66"])
    def test_do_irq_holds_desc_with_them_on(self, name: str, irq: str) -> None:
        """Whoever owns the line: 66 nobody does."""
        broken = rules(irq, under=name, **self.ROUTED)
        assert ("lock.irqs_on" in broken) is (name in UNMASKED)

    @pytest.mark.parametrize("name", sorted(UNMASKED))
    def test_so_it_does_for_xens_own(self, name: str) -> None:
        assert "lock.irqs_on" in rules("setup_irq pirq=65", "irq pirq=65", under=name)

    @pytest.mark.parametrize(
        "operations",
        [
            # Its line is disabled, and active: no pCPU takes it.
            ["irq pirq=65"],
            ["irq pirq=64"],
            # They take desc.lock with interrupts off.
            ["release virq=40", "route virq=40 pirq=65", "isenabler virq=40", "icenabler virq=40"],
            ["setup_irq pirq=66"],
            ["eoi virq=40", "move vcpu=0 pcpu=2"],
        ],
    )
    def test_nothing_else_does(self, operations: list[str]) -> None:
        acknowledged: dict[str, Any] = {**self.ROUTED, "pending": ((40, "lr"),)}
        assert "lock.irqs_on" not in rules(*operations, **acknowledged)

    def test_it_hides_nothing_else(self) -> None:
        """What breaks under the tree that masks them breaks without that too."""
        threads = {"pcpu1": ["irq pirq=64"], "vcpu0": ["icenabler virq=40"]}

        class Masked(Baseline):
            IRQS_ON = False

        without, with_ = (
            {f.rule: f for f in rb.verify(program(threads, code, **self.ROUTED)).findings}
            for code in (Masked, Baseline)
        )
        assert set(without) == {"deadlock.cycle", "lock_order.inversion"}
        assert set(with_) == {*without, "lock.irqs_on"}
        # The schedule that does not hang parts where it did, though do_IRQ comes in it as well.
        parts = [found["deadlock.cycle"].evidence["passing"]["failing"] for found in (without, with_)]
        assert parts[0] == parts[1]
        assert "passing" not in with_["lock.irqs_on"].evidence
