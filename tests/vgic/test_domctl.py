"""The hypercalls, and the registers and rules that came with them; each rule with its healthy twin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import racebench as rb
from racebench.errors import ScenarioError, UsageError
from racebench.scenario.scenario import scenario_from_text
from racebench.vgic import LineAtStart, protocol, protocol_ids
from racebench.vgic.protocols.head import Head
from racebench.vgic.state import Domain, IrqType

from .machines import EBUSY, EINVAL, program, rules, run, system

BOUND: dict[str, Any] = {"routed": ((64, 64, True),), "reserved": (64,), "state": "dying"}
HEAD: dict[str, Any] = {"under": "head"}


class Ordered(rb.State):
    """A machine whose thread b waits until thread a is done."""

    done = rb.shared(False, atomic=True)

    def __init__(self, system: Any) -> None:
        self.system = system


class AttachUndoes(Head):
    """An attach that gives the reservation back if it cannot route."""

    def attach_overlay(self, d: Domain, irq: int) -> int:
        with self.machine.host.domctl_lock:
            self.vgic_reserve_virq(d, irq)
            rc = self.route_irq_to_guest(d, irq, irq)
            if rc:
                self.vgic_free_virq(d, irq)
            return rc


class AttachUndoesItsOwn(Head):
    """The same, if it has made it."""

    def attach_overlay(self, d: Domain, irq: int) -> int:
        with self.machine.host.domctl_lock:
            made = self.vgic_reserve_virq(d, irq)
            rc = self.route_irq_to_guest(d, irq, irq)
            if rc and made:
                self.vgic_free_virq(d, irq)
            return rc


def found(threads: dict[str, list[str]], under: str = "head", **initial: Any) -> list[str]:
    result = rb.verify(program(threads, under, **initial))
    assert result.complete
    return sorted({f.rule for f in result.findings})


class TestBind:
    @pytest.mark.parametrize("name", protocol_ids())
    def test_it_reserves_and_routes_and_unbind_gives_both_back(self, name: str) -> None:
        codes, state = run("bind irq=64", "bind irq=64", under=name, state="creating")
        assert codes == [0, EBUSY] and state.domain.allocated_irqs[64].taken
        assert state.domain.desc_of(64) is state.machine.descs[64]
        codes, state = run("unbind irq=64", "unbind irq=64", under=name, **BOUND)
        assert codes == [0, EINVAL] and not state.domain.allocated_irqs[64].taken

    def test_a_route_that_fails_gives_the_reservation_back(self) -> None:
        codes, state = run("setup_irq pirq=64", "bind irq=64", **HEAD)
        assert codes == [0, EBUSY] and not state.domain.allocated_irqs[64].taken

    def test_domctl_lock_until_e263eeaf71_then_only_the_callers_permissions(self, nesting: set[str]) -> None:
        run("bind irq=64", under="route_while_running")
        assert "domctl > desc" in nesting
        nesting.clear()
        run("bind irq=64", **HEAD)
        assert "domctl > desc" not in nesting

    def test_two_binds_of_one_number_exclude_each_other_by_the_bit(self) -> None:
        assert found({"a": ["bind irq=64"], "b": ["bind irq=64"]}) == []

    def test_two_domains_compete_for_the_line(self) -> None:
        codes, state = run("bind irq=64", "bind irq=64 dom=2", **HEAD)
        assert codes == [0, EBUSY] and not state.machine.domains[2].allocated_irqs[64].taken


@pytest.mark.parametrize(("releases", "broken"), [(1, []), (2, ["crash.freed"])])
def test_an_action_that_is_dropped_twice_is_freed_twice(releases: int, broken: list[str]) -> None:
    """No tree does it, as desc.lock covers the test and the drop; a patch may."""
    state = system(under="head", routed=((40, 64, False),), state="dying")
    action = state.machine.descs[64].action
    for _ in range(releases):
        state.xen.release_irq(64, action)
    assert [b.rule for b in state.machine.faults.found] == broken


class TestReservation:
    def test_one_that_is_left_and_one_that_is_not_there(self) -> None:
        assert rules("release virq=64", "level virq=64", **HEAD, **BOUND) == ["reservation.leaked"]
        assert rules("unbind irq=64", **HEAD, **BOUND) == []
        unreserved = {**BOUND, "reserved": ()}
        assert rules("bind irq=64", **HEAD, **unreserved) == []
        assert rules("attach irq=64", "unbind irq=64", **HEAD, **BOUND) == []

    def test_a_virtual_devices_is_nobody_elses_business(self) -> None:
        assert rules("bind irq=64", **HEAD, reserved=(64,)) == []

    def test_what_is_routed_is_reserved(self) -> None:
        state = system(naming=["bind irq=64"], **HEAD, **BOUND)
        state.domain.allocated_irqs[64].taken = False
        check = program({"t": ["bind irq=64"]}, "head").broken_rules
        assert [b.rule for b in check(state, {})] == ["reservation.missing"]

    def test_one_that_is_given_back_twice(self) -> None:
        unreserved = {**BOUND, "reserved": ()}
        assert rules("unbind irq=64", **HEAD, **unreserved) == ["reservation.double_free"]

    def test_one_that_a_virtual_device_has(self) -> None:
        """attach does not look who has it; unbind then gives the device's back."""
        device = {"state": "dying", "reserved": (64,)}
        assert rules("attach irq=64", "unbind irq=64", **HEAD, **device) == ["reservation.double_free"]
        assert rules("attach irq=64", "unbind irq=64", **HEAD, state="dying") == []

    @pytest.mark.usefixtures("as_found")
    def test_one_that_another_bind_has_made(self) -> None:
        """One unbind gives it back late: the other has released what attach routed, and a bind came first."""
        threads = {
            "toolstack0": ["unbind irq=64"],
            "toolstack1": ["attach irq=64", "unbind irq=64"],
            "toolstack2": ["bind irq=64"],
        }
        disabled = {**BOUND, "routed": ((64, 64, False),)}
        made = program(threads, "head", **disabled)
        summaries = {f.summary for f in rb.explore(made, executions=2_000).findings}
        assert any("another caller has made it" in summary for summary in summaries)

    def test_a_rollback_gives_back_only_what_it_has_made(self) -> None:
        """attach ignores that the vIRQ is reserved; so it must not undo that if routing fails."""
        threads = {"toolstack0": ["bind irq=64"], "toolstack1": ["isenabler virq=64", "attach irq=64"]}
        for code, rule in ((AttachUndoes, True), (AttachUndoesItsOwn, False), (protocol("head"), False)):
            result = rb.verify(program(threads, code))
            assert result.complete
            summaries = {f.summary for f in result.findings if f.rule == "reservation.double_free"}
            assert any("another caller has made it" in summary for summary in summaries) is rule

    def test_what_two_callers_route_either_may_give_back(self) -> None:
        """It was routed when another thread bound it: an unbind releases what both have."""
        made = program({"a": ["bind irq=64"], "b": ["unbind irq=64"]}, "head", **{**BOUND, "reserved": ()})

        def bind(s: Ordered) -> None:
            made.threads["a"](s.system)
            s.done = True

        def unbind(s: Ordered) -> None:
            rb.wait_until(lambda: s.done)
            made.threads["b"](s.system)

        ordered = rb.Program(
            "ordered",
            lambda: Ordered(made.setup()),
            {"a": bind, "b": unbind},
            lambda s, results: s.system.audited(),
        )
        result = rb.verify(ordered)
        assert result.complete and not result.findings

    def test_an_extended_spis_is_beyond_the_bits(self) -> None:
        espi: dict[str, Any] = {"espis": 32, "routed": ((4096, 4096, False),), "state": "dying"}
        codes, state = run("unbind irq=4096", reserved=(4096,), **HEAD, **espi)
        assert codes == [0] and state.domain.allocated_irqs[96].taken
        broken = ["reservation.out_of_bounds", "reservation.leaked"]
        assert rules("unbind irq=4096", reserved=(4096,), **HEAD, **espi) == broken
        assert rules("unbind irq=64", **HEAD, **BOUND) == []

    def test_it_goes_with_its_domain(self) -> None:
        assert rules("destroy", "unbind irq=64", **HEAD, **BOUND) == []


class TestExtendedSpi:
    def test_only_head_has_them(self) -> None:
        assert run("bind irq=4096", espis=32, **HEAD)[0] == [0]
        assert run("route virq=4096 pirq=4096", espis=32, under="route_while_running")[0] == [EINVAL]

    def test_it_is_enabled_and_fires_like_any_other(self) -> None:
        life = ["bind irq=4096", "isenabler virq=4096", "irq pirq=4096", "restore vcpu=0", "eoi virq=4096"]
        assert rules(*life, espis=32, **HEAD) == []


class TestAttach:
    def test_it_sets_the_type_and_does_not_mind_a_reservation(self) -> None:
        invalid = (LineAtStart(64, IrqType.INVALID),)
        codes, state = run("bind irq=64", "attach irq=64", "attach irq=64", lines=invalid, **HEAD)
        assert codes == [-5, 0, 0] and state.machine.descs[64].type is IrqType.LEVEL_HIGH

    def test_an_error_undoes_nothing(self) -> None:
        codes, state = run("isenabler virq=64", "attach irq=64", **HEAD)
        assert codes == [None, EBUSY] and state.domain.allocated_irqs[64].taken
        assert rules("isenabler virq=64", "attach irq=64", **HEAD) == ["reservation.leaked"]
        assert rules("attach irq=64", "isenabler virq=64", **HEAD) == []

    def test_an_unbind_that_it_overtakes_frees_its_reservation(self) -> None:
        threads = {"a": ["unbind irq=64"], "b": ["attach irq=64"]}
        disabled = {**BOUND, "routed": ((64, 64, False),)}
        assert found(threads, **disabled) == ["reservation.missing"]
        assert found({"a": ["unbind irq=64", "attach irq=64"]}, **disabled) == []


class TestLevel:
    def test_it_injects_what_is_not_reserved(self) -> None:
        codes, state = run("level virq=40", "level virq=41", enabled=(40, 41), reserved=(41,), **HEAD)
        assert codes == [0, EINVAL]
        assert [p.irq for p in state.domain.vcpu[0].inflight_irqs] == [40]


class TestPending:
    @pytest.mark.parametrize("name", ["head", "route_while_running"])
    def test_ispendr_of_a_routed_one_is_the_lines_latch(self, name: str) -> None:
        enabled = {"routed": ((40, 64, True),), "under": name}
        _, state = run("ispendr virq=40", **enabled)
        assert state.machine.descs[64].line.latched and not state.domain.pending_irqs[40].QUEUED
        life = ["ispendr virq=40", "fire pirq=64", "restore vcpu=0", "eoi virq=40"]
        assert rules(*life, **enabled) == []

    def test_ispendr_of_a_virtual_one_injects_it(self) -> None:
        _, state = run("ispendr virq=40", enabled=(40,), **HEAD)
        assert state.domain.pending_irqs[40].QUEUED
        _, state = run("ispendr virq=40 vcpu=0", enabled=(40,), **HEAD)
        assert state.domain.pending_irqs[40].VISIBLE

    def test_icpendr_changes_nothing(self) -> None:
        pending = {"routed": ((40, 64, True),), "pending": ((40, "lr_pending"),), **HEAD}
        _, state = run("icpendr virq=40", "ispendr virq=41", **pending)
        assert [p.irq for p in state.domain.vcpu[0].lr_pending] == [40]


class TestSleep:
    def test_an_interrupt_wakes_its_vcpu(self) -> None:
        _, state = run("irq pirq=64", routed=((40, 64, True),), blocked=(0,), **HEAD)
        assert not state.domain.vcpu[0].sched.VPF_blocked

    def test_one_that_comes_when_the_vcpus_are_freed(self) -> None:
        threads = {"rcu": ["destroy"], "pcpu1": ["irq pirq=64"]}
        assert "crash.freed" in found(threads, blocked=(0,), **BOUND)
        assert "crash.freed" not in found(threads, **BOUND)


class TestAbsent:
    def test_a_program_of_what_a_tree_does_not_have_is_refused(self) -> None:
        with pytest.raises(UsageError, match=r"ispendr does not exist under creation_guard\. Choose"):
            program({"t": ["ispendr virq=40"]}, "creation_guard")

    def scenario(self, expect: str) -> Any:
        text = f'schema = 1\ntitle = "t"\n[threads]\na = ["attach irq=64"]\n[expect]\n{expect}\n'
        return scenario_from_text(Path("x.toml"), text)

    def test_star_leaves_such_protocols_out(self) -> None:
        assert self.scenario('"*" = []').protocols() == [
            p for p in protocol_ids() if "attach" not in protocol(p).ABSENT
        ]

    def test_a_scenario_that_names_one_is_told(self) -> None:
        with pytest.raises(ScenarioError, match=r"attach does not exist under baseline\. Leave baseline out"):
            self.scenario("baseline = []")


def test_a_full_set_of_lrs_makes_room_for_what_is_more_urgent() -> None:
    virqs = (40, 41, 42, 43)
    start: dict[str, Any] = {"enabled": (*virqs, 44), "pending": tuple((v, "lr") for v in virqs)}
    for priority, evicted in ((0, [43]), (255, [])):
        state = system(naming=["isenabler virq=[40,41,42,43,44]"], **start)
        d, v = state.domain, state.domain.vcpu[0]
        for p in v.inflight_irqs:
            p.priority = 128
        state.xen.write_ipriorityr(d, 44, priority)
        state.xen.vgic_vcpu_inject_irq(v, 44)
        state.xen.gic_restore_pending_irqs(v)
        assert [p.irq for p in v.lr_pending] == (evicted or [44])
        assert d.pending_irqs[44].VISIBLE is bool(evicted)
