"""Lines and list registers: what a device, a pCPU and the guest's own EOI do to them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from racebench import verify
from racebench.vgic import LineAtStart
from racebench.vgic.hardware import ListRegister
from racebench.vgic.state import IrqType
from racebench.vgic.system import System

from .machines import program, rules, run, system

ROUTED, ENABLED = ((40, 64, False),), ((40, 64, True),)
IN_LR = {"routed": ENABLED, "pending": ((40, "lr"),)}


def line(state: System) -> bool:
    active: bool = state.machine.descs[64].line.active
    return active


class TestLine:
    def test_one_that_is_active_does_not_fire_again(self) -> None:
        _, state = run("irq pirq=64", "restore vcpu=0", "irq pirq=64", routed=ENABLED)
        assert line(state) and not state.domain.pending_irqs[40].QUEUED

    def test_the_guests_own_end_makes_it_fire_again_before_xen_knows(self) -> None:
        _, state = run("hweoi virq=40", **IN_LR)
        assert not line(state) and state.machine.descs[64].INPROGRESS
        _, state = run("hweoi virq=40", "irq pirq=64", **IN_LR)
        assert line(state) and state.domain.pending_irqs[40].QUEUED
        codes = ["hweoi virq=40", "irq pirq=64", "trap vcpu=0", "restore vcpu=0", "eoi virq=40"]
        assert rules(*codes, **IN_LR) == ["lock.irqs_on"]

    def test_a_late_one_was_acknowledged_before_the_start(self) -> None:
        assert line(system(naming=["late_irq pirq=64"], routed=ROUTED))
        assert not line(system(naming=["irq pirq=64"], routed=ROUTED))

    def test_xens_own_end_deactivates_a_guests_does_not(self) -> None:
        assert not line(run("setup_irq pirq=64", "irq pirq=64")[1])
        assert line(run("irq pirq=64", routed=ENABLED)[1])

    @pytest.mark.parametrize("protocol", ["baseline", "new_vgic"])
    def test_a_dying_domains_release_deactivates_what_is_in_progress(self, protocol: str) -> None:
        dying = {"state": "dying", "routed": ENABLED, "under": protocol}
        assert not line(run("irq pirq=64", "release virq=40", **dying)[1])
        stuck = (LineAtStart(64, active=True),)
        assert line(run("release virq=40", "fire pirq=64", lines=stuck, **dying)[1])

    def test_its_latch_lets_it_fire_once(self) -> None:
        latched = (LineAtStart(64, latched=True),)
        _, state = run("fire pirq=64", routed=ENABLED, lines=latched)
        assert line(state) and not state.machine.descs[64].line.latched
        assert not line(run("fire pirq=64", routed=ENABLED)[1])
        assert not line(run("fire pirq=64", routed=ROUTED, lines=latched)[1])

    def test_where_none_can_fire_none_is_kept(self) -> None:
        assert system(naming=["isenabler virq=40"], routed=ROUTED).machine.descs[64].line is None

    def test_two_that_take_one_interrupt_are_told_apart_by_a_lock(self) -> None:
        alone = system(naming=["irq pirq=64"], routed=ENABLED)
        both = system(naming=["irq pirq=64", "irq pirq=64"], routed=ENABLED)
        assert not alone.machine.descs[64].line.contended and both.machine.descs[64].line.contended


class TestStart:
    def test_a_line(self) -> None:
        lines = (LineAtStart(64, IrqType.EDGE_RISING, affinity=3, active=True),)
        desc = system(naming=["irq pirq=64"], lines=lines).machine.descs[64]
        assert (desc.type, desc.affinity, desc.line.active) == (IrqType.EDGE_RISING, 3, True)

    def test_an_unknown_type_is_not_routed(self) -> None:
        assert run("route virq=40 pirq=64", lines=(LineAtStart(64, IrqType.INVALID),))[0] == [-5]

    @pytest.mark.parametrize("protocol", ["baseline", "new_vgic"])
    def test_a_target(self, protocol: str) -> None:
        start = {"routed": ENABLED, "targets": ((40, 1),), "under": protocol}
        state = system(**start)
        row = state.domain.row(40)
        assert row.target is state.domain.vcpu[1] and state.machine.descs[64].affinity == 1
        state = system(pending=((40, "lr"),), elsewhere=((40, 1),), **start)
        assert state.domain.vcpu[1].lrs[0] == ListRegister(40, 64)
        assert rules("eoi virq=40", pending=((40, "lr"),), elsewhere=((40, 1),), **start) == []

    def test_one_that_moves_at_its_end(self) -> None:
        moving = {**IN_LR, "targets": ((40, 1),), "migrating": (40,)}
        assert system(**moving).domain.pending_irqs[40].MIGRATING
        _, state = run("eoi virq=40", **moving)
        assert state.machine.descs[64].affinity == 1 and not state.domain.pending_irqs[40].MIGRATING

    def test_another_domain_lives_while_this_one_dies(self) -> None:
        state = system(naming=["route virq=40 pirq=64 dom=2"], state="dying", hardware_domain=True)
        one, two = state.machine.domains[1], state.machine.domains[2]
        assert (one.is_dying, two.is_dying) == (True, False)
        assert (one.is_hardware_domain, two.is_hardware_domain) == (True, False)


class TestListRegister:
    def test_what_the_guest_has_taken_stays_pending_if_it_came_again(self) -> None:
        assert ListRegister(40).ended() == ListRegister(40, pending=False)
        assert ListRegister(40, pending=True, active=True).ended() == ListRegister(40)
        assert ListRegister(40, pending=False, active=True).ended() == ListRegister(40, pending=False)

    def test_a_virtual_one_that_comes_again_while_the_guest_is_at_it(self) -> None:
        state = system(enabled=(40,), pending=((40, "lr"),), active=(40,))
        p, v = state.domain.pending_irqs[40], state.domain.vcpu[0]
        state.xen.vgic_vcpu_inject_irq(v, 40)
        state.xen.gic_clear_lrs(v)
        assert p.ACTIVE and not p.QUEUED
        assert v.lrs[0] == ListRegister(40, pending=True, active=True)

    def test_a_hardware_one_that_comes_again_then_is_dropped(self) -> None:
        state = system(active=(40,), **IN_LR)
        v = state.domain.vcpu[0]
        state.xen.vgic_vcpu_inject_irq(v, 40)
        state.xen.gic_clear_lrs(v)
        assert v.lrs[0] == ListRegister(40, 64, pending=False, active=True)

    def test_an_interrupt_on_its_own_vcpus_pcpu_goes_straight_into_one(self) -> None:
        _, state = run("irq pirq=64 vcpu=0", routed=ENABLED)
        assert state.domain.vcpu[0].lrs[0] == ListRegister(40, 64)
        there = (LineAtStart(64, affinity=1),)
        _, state = run("irq pirq=64 vcpu=1", routed=ENABLED, lines=there)
        assert state.domain.vcpu[0].lrs[0] is None and state.domain.pending_irqs[40].QUEUED
        # To a pCPU to which the line does not go it does not come.
        _, state = run("irq pirq=64 vcpu=0", routed=ENABLED, lines=there)
        assert not line(state)


class TestEitherPlace:
    """An interrupt of which both places are explored."""

    @staticmethod
    def ends(protocol: str, threads: dict[str, list[str]], **initial: Any) -> set[tuple[bool, bool, bool]]:
        """How executions end: whether vIRQ 40 is in vCPU 0's LR, waits for one, and is enabled."""
        ends = set()

        def check(state: System, results: dict[str, Any]) -> None:
            v, p = state.domain.vcpu[0], state.domain.pending_irqs[40]
            assert line(state)
            ends.add((v.lrs[0] is not None, p in v.lr_pending, p.ENABLED))

        assert verify(replace(program(threads, protocol, **initial), check=check)).complete
        return ends

    @pytest.mark.parametrize("protocol", ["baseline", "head"])
    def test_it_comes_once_to_either(self, protocol: str) -> None:
        start = {"routed": ENABLED}
        assert self.ends(protocol, {"pcpu1": ["irq pirq=64 either=0"]}, **start) == {
            (True, False, True),
            (False, True, True),
        }
        away = (LineAtStart(64, affinity=1),)
        assert self.ends(protocol, {"pcpu1": ["irq pirq=64 either=0"]}, lines=away, **start) == {
            (False, True, True)
        }

    @pytest.mark.parametrize(("writer", "hangs"), [("vcpu0", False), ("vcpu1", True)])
    def test_a_pcpu_takes_it_before_or_after_what_its_own_vcpu_does(self, writer: str, hangs: bool) -> None:
        """At its own pCPU it cannot come while vCPU 0 writes; while vCPU 1 does, it can."""
        threads = {"pcpu1": ["irq pirq=64 either=0"], writer: ["icenabler virq=40"]}
        code = program(threads, "baseline", routed=ENABLED)
        assert "deadlock.cycle" in {f.rule for f in verify(code).findings}
        here = {name: thread for name, thread in code.threads.items() if name != "pcpu1"}
        assert len(here) == 2
        found = {f.rule for f in verify(replace(code, threads=here, parts={})).findings}
        assert ("deadlock.cycle" in found) is hangs

    def test_two_of_them_share_the_pcpu(self) -> None:
        threads = {"pcpu1": ["irq pirq=64 either=0"], "pcpu2": ["irq pirq=65 either=0"]}
        state = program(threads, routed=((40, 64, True), (41, 65, True))).setup()
        one, other = state.machine.arrivals.values()
        assert one.pcpu is other.pcpu and one.lock is not other.lock


class TestFaults:
    """Rules that are broken on the way, and the same without the fault."""

    def test_an_lr_ends_a_line_that_is_not_active(self) -> None:
        for active, broken in ((False, ["lr.hw_inactive"]), (True, [])):
            state = system(naming=["hweoi virq=40"], **IN_LR)
            state.machine.descs[64].line.active = active
            state.xen.guest_hweoi(state.domain, 40)
            assert [b.rule for b in state.machine.faults.found] == broken

    def test_an_lr_is_written_for_a_line_that_is_not_active(self) -> None:
        for active, broken in ((False, ["lr.hw_inactive"]), (True, [])):
            state = system(naming=["irq pirq=64"], routed=ENABLED, pending=((40, "lr_pending"),))
            state.machine.descs[64].line.active = active
            state.xen.gic_restore_pending_irqs(state.domain.vcpu[0])
            assert [b.rule for b in state.machine.faults.found] == broken

    def test_a_disabled_virq_that_comes_twice_until_c84e4b2dd4(self) -> None:
        for protocol, broken in (("baseline", ["lr.stale_index"]), ("connect_hw_irq", [])):
            state = system(under=protocol, naming=["isenabler virq=40"])
            v = state.domain.vcpu[0]
            for _ in range(2):
                state.xen.vgic_vcpu_inject_irq(v, 40, v)
            assert [b.rule for b in state.machine.faults.found] == broken

    def test_a_latch_that_is_left_to_the_next_owner(self) -> None:
        for latched, broken in ((True, ["irq.stale_pending"]), (False, [])):
            start = {"routed": ROUTED, "lines": (LineAtStart(64, latched=latched),)}
            assert rules("release virq=40", "fire pirq=64", **start) == broken

    def test_an_lr_ends_the_line_of_its_next_owner(self) -> None:
        dying = {**IN_LR, "state": "dying"}
        again = ["release virq=40", "route virq=41 pirq=64", "hweoi virq=40"]
        assert "irq.wrong_owner" in rules(*again, **dying)
        assert "irq.wrong_owner" not in rules(again[0], again[2], "route virq=41 pirq=64", **dying)

    def test_a_recycled_machine_has_forgotten_them(self) -> None:
        state = system(routed=ROUTED)
        state.xen.fault("irq.lost", "a message", "a field")
        assert state.recycle() and state.machine.faults.found == ()

    def test_two_threads_that_may_put_one_on_record_are_searched_to_the_end(self) -> None:
        """Each may end a line that the other has ended; a record that no step announced is no proof."""
        threads = {"a": ["hweoi virq=40"], "b": ["eoi virq=40", "isenabler virq=40"]}
        result = verify(program(threads, **IN_LR))
        assert result.complete and [f.rule for f in result.findings] == ["lr.hw_inactive"]


@pytest.mark.parametrize("protocol", ["baseline", "head", "new_vgic"])
def test_a_trap_finds_what_the_guest_has_ended(protocol: str) -> None:
    _, state = run("hweoi virq=40", "trap vcpu=0", under=protocol, **IN_LR)
    assert state.domain.vcpu[0].lrs[0] is None and not state.machine.descs[64].INPROGRESS


def test_a_vcpu_that_is_stolen_leaves_its_lines_behind() -> None:
    assert rules("steal vcpu=0 pcpu=2", routed=ENABLED) == ["irq.wrong_affinity"]
    assert rules("steal vcpu=0 pcpu=2", "move vcpu=0 pcpu=2", routed=ENABLED) == []


def test_irouter_takes_the_steps_of_itargetsr() -> None:
    for register in ("itargetsr", "irouter"):
        _, state = run(f"{register} virq=40 vcpu=1", routed=ENABLED)
        assert state.domain.ranks[1].irq[8].vcpu == 1 and state.machine.descs[64].affinity == 1
