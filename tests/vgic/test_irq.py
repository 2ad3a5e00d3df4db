"""irq.c: what is freed when a pIRQ is given back, and what may interrupt do_IRQ."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

import racebench as rb
from racebench.vgic import Protocol, protocol, protocol_ids
from racebench.vgic.protocols.head import Head
from racebench.vgic.state import Domain, IrqAction, Vcpu

from .machines import program, rules

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
    """A pCPU takes X; Y comes to it once the priority has dropped, if interrupts are on."""

    BOTH: ClassVar[dict[str, Any]] = {"routed": ((40, 64, True), (41, 65, True))}
    UNTIL_2019 = frozenset(protocol_ids()) - {"route_while_running", "head", "new_head"}

    @pytest.mark.parametrize("name", protocol_ids())
    def test_another_interrupts_do_irq_with_its_desc_held(self, name: str) -> None:
        broken = rules("irq pirq=64", "irq pirq=65", under=name, **self.BOTH)
        assert ("lock.irqs_on" in broken) is (name in self.UNTIL_2019)

    @pytest.mark.parametrize(
        "operations",
        [
            ["irq pirq=64"],
            # While it is active it does not come again.
            ["irq pirq=64", "irq pirq=64"],
            # Both are acknowledged, so two pCPUs have them.
            ["late_irq pirq=64", "late_irq pirq=65"],
            # Nobody's, it is over with the acknowledgement.
            ["late_irq pirq=66", "irq pirq=65"],
            # Its line is disabled.
            ["irq pirq=64", "irq pirq=66"],
        ],
    )
    def test_nothing_else_does(self, operations: list[str]) -> None:
        assert "lock.irqs_on" not in rules(*operations, **self.BOTH)

    def test_one_that_another_pcpu_takes_does_not(self) -> None:
        result = rb.verify(program({"a": ["irq pirq=64"], "b": ["irq pirq=65"]}, **self.BOTH))
        assert result.complete and "lock.irqs_on" not in {f.rule for f in result.findings}
