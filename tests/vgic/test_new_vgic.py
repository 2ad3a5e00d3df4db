"""The new vGIC: its locks, its operations one by one, what its guard is for, and two of Xen's bugs."""

from __future__ import annotations

import pytest

from racebench import verify
from racebench.errors import CheckFailed
from racebench.vgic import protocol
from racebench.vgic.gic import Gic
from racebench.vgic.hardware import ListRegister
from racebench.vgic.new.state import vgic_cpu, vgic_dist, vgic_get_irq
from racebench.vgic.protocols.connect_hw_irq import ConnectHwIrq
from racebench.vgic.snapshot import snapshot

from .machines import EBUSY, EINVAL, locks_held, program, rules, run, system

NewVgic = protocol("new_vgic")
ROUTED, ENABLED = ((40, 64, False),), ((40, 64, True),)


class RouteWhileRunning(NewVgic):
    """Without the route half of the guard, as Xen is since 1c77496bc8 (2024)."""

    def gic_route_irq_to_guest(self, d, virq, desc, priority):
        return ConnectHwIrq.gic_route_irq_to_guest(self, d, virq, desc, priority)

    def may_connect_irq(self, irq):
        return super().may_connect_irq(irq) and not irq.active and not irq.pending_latch


class Unguarded(RouteWhileRunning):
    """Without the guard at all."""

    def stop_for_removal(self, d, desc):
        return Gic.stop_for_removal(self, d, desc)


def after(*operations, under=NewVgic, **initial):
    """The return codes, pIRQ 64's desc, vIRQ 40 and the machine after ``operations``."""
    codes, state = run(*operations, under=under, **initial)
    assert locks_held(state) == []
    return codes, state.machine.descs[64], vgic_get_irq(state.domain, 40), state


def found(first, second, under=NewVgic, **initial):
    """The rules that verify finds broken by two threads, all schedules run."""
    result = verify(program({"a": first, "b": second}, under, **initial), seconds=600)
    assert result.complete
    return sorted({f.rule for f in result.findings})


class TestLocks:
    """Which lock is taken inside which; ``desc > irq_lock`` and the like."""

    @pytest.mark.parametrize(
        ("operation", "initial", "pairs"),
        [
            ("route virq=40 pirq=64", {"state": "creating"}, ["desc > irq_lock"]),
            ("release virq=40", {"routed": ENABLED, "state": "dying"}, ["desc > irq_lock"]),
            ("release virq=40", {"routed": ROUTED}, []),
            ("isenabler virq=40", {}, []),
            ("isenabler virq=40", {"routed": ROUTED}, ["desc > irq_lock"]),
            ("isenabler virq=40", {"pending": ((40, "inflight"),)}, ["ap_list > irq_lock"]),
            ("icenabler virq=40", {"routed": ENABLED}, ["desc > irq_lock"]),
            ("itargetsr virq=40 vcpu=1", {"routed": ENABLED}, []),
            ("ipriorityr virq=40 priority=8", {}, []),
            ("late_irq pirq=64", {"routed": ROUTED}, ["desc > irq_lock"]),
            ("irq pirq=64", {"routed": ENABLED}, ["ap_list > irq_lock", "desc > ap_list", "desc > irq_lock"]),
            ("restore vcpu=0", {"routed": ENABLED, "pending": ((40, "lr_pending"),)}, ["ap_list > irq_lock"]),
            (
                "eoi virq=40",
                {"routed": ENABLED, "pending": ((40, "lr"),)},
                ["ap_list > irq_lock", "desc > irq_lock"],
            ),
            ("move vcpu=0 pcpu=2", {"routed": ENABLED}, []),
            ("cpu_on vcpu=1", {"routed": ENABLED}, []),
            ("destroy", {"routed": ((64, 64, True),), "state": "dying"}, ["desc > irq_lock"]),
        ],
    )
    def test_of_one_operation(self, nesting, operation, initial, pairs):
        _, state = run(operation, under=NewVgic, **initial)
        assert sorted(nesting) == pairs
        assert locks_held(state) == []

    def test_moving_a_virq_takes_the_lower_vcpu_first(self, nesting):
        moved = ["itargetsr virq=40 vcpu=1", "restore vcpu=0", "itargetsr virq=40 vcpu=0", "restore vcpu=1"]
        _, _, irq, state = after(*moved, routed=ENABLED, pending=((40, "lr_pending"),))
        assert sorted(nesting) == ["ap_list > ap_list", "ap_list > irq_lock"]
        assert irq.vcpu is state.domain.vcpu[0]


class TestAlone:
    def test_routing_connects_both_ends_and_enables_nothing(self):
        codes, desc, irq, _ = after(
            "route virq=40 pirq=64", "route virq=40 pirq=64", "route virq=40 pirq=65", state="creating"
        )
        assert codes == [0, 0, EBUSY]
        assert irq.hw and irq.hwintid == 64 and desc.GUEST and desc.DISABLED and not irq.enabled

    def test_the_guard(self):
        assert after("route virq=40 pirq=64")[0] == [EBUSY]
        assert after("release virq=40", routed=ROUTED)[0] == [EBUSY]
        assert after("release virq=40", state="dying")[0] == [EINVAL]

    def test_a_dying_domain_gives_an_irq_back(self):
        codes, desc, irq, _ = after("irq pirq=64", "release virq=40", routed=ENABLED, state="dying")
        assert codes == [None, 0] and not irq.hw and irq.hwintid == 0
        assert desc.action is None and not desc.GUEST and desc.DISABLED and not desc.INPROGRESS

    def test_disconnecting_another_desc_is_refused(self):
        state = system(under=NewVgic, routed=((41, 65, False),), naming=["release virq=40"])
        assert state.xen.vgic_connect_hw_irq(state.domain, 40, state.machine.descs[65], False) == EINVAL

    def test_enable_and_disable_reach_the_line(self):
        _, desc, irq, _ = after("isenabler virq=[40,41]", "isenabler virq=40", routed=ROUTED)
        assert irq.enabled and not desc.DISABLED
        _, desc, irq, _ = after("icenabler virq=[40,41]", routed=ENABLED)
        assert not irq.enabled and desc.DISABLED

    def test_an_interrupt_from_line_to_eoi(self):
        _, desc, irq, state = after("irq pirq=64", routed=ENABLED)
        v = vgic_cpu(state.domain.vcpu[0])
        assert desc.INPROGRESS and irq.pending_latch and v.ap_list == (irq,) and irq.vcpu is v
        _, desc, irq, state = after("irq pirq=64", "restore vcpu=0", routed=ENABLED)
        v = vgic_cpu(state.domain.vcpu[0])
        assert v.lrs[0] == ListRegister(40, 64) and v.used_lrs == 1 and not irq.pending_latch
        _, desc, irq, state = after("irq pirq=64", "restore vcpu=0", "eoi virq=40", routed=ENABLED)
        v = vgic_cpu(state.domain.vcpu[0])
        assert (v.ap_list, v.used_lrs, set(v.lrs), irq.vcpu) == ((), 0, {None}, None) and not desc.INPROGRESS

    def test_ending_one_virq_leaves_the_other_in_an_lr(self):
        both = ((40, "lr"), (41, "lr"))
        _, _, _, state = after("eoi virq=40", routed=((40, 64, True), (41, 65, True)), pending=both)
        assert state.domain.vcpu[0].lrs[0] == ListRegister(41, 65)
        assert not state.machine.descs[64].INPROGRESS and state.machine.descs[65].INPROGRESS

    def test_what_comes_while_disabled_waits_for_the_enable(self):
        late = ["late_irq pirq=64"]
        _, desc, irq, _ = after(*late, routed=ROUTED)
        assert irq.pending_latch and irq.vcpu is None and desc.INPROGRESS
        assert rules(*late, under=NewVgic, routed=ROUTED) == ["lock.irqs_on"]
        _, _, irq, state = after(*late, "isenabler virq=40", routed=ROUTED)
        assert irq.vcpu is state.domain.vcpu[0]

    def test_a_disabled_virq_leaves_its_list_at_the_next_trap(self):
        start = {"routed": ENABLED, "pending": ((40, "lr_pending"),)}
        _, _, irq, state = after("icenabler virq=40", **start)
        assert irq.vcpu is state.domain.vcpu[0]
        _, _, irq, _ = after("icenabler virq=40", "restore vcpu=0", **start)
        assert irq.vcpu is None and irq.pending_latch

    def test_itargetsr_moves_the_line_at_once_and_the_virq_at_the_next_trap(self):
        start = {"routed": ENABLED, "pending": ((40, "lr"),)}
        _, desc, irq, state = after("itargetsr virq=40 vcpu=1", **start)
        assert desc.affinity == 1 and irq.vcpu is state.domain.vcpu[0]
        assert rules("itargetsr virq=40 vcpu=1", under=NewVgic, **start) == []
        _, _, irq, state = after("itargetsr virq=40 vcpu=1", "restore vcpu=0", **start)
        assert irq.vcpu is state.domain.vcpu[1] and vgic_cpu(state.domain.vcpu[0]).ap_list == ()

    def test_a_vcpu_takes_its_lines_to_its_new_pcpu(self):
        assert after("move vcpu=0 pcpu=3", routed=ENABLED)[1].affinity == 3
        assert after("move vcpu=1 pcpu=3", routed=ENABLED)[1].affinity == 0

    def test_five_bits_of_priority(self):
        assert after("ipriorityr virq=40 priority=255")[2].priority == 0xF8

    def test_cpu_on_forgets_nothing(self):
        _, desc, irq, state = after("cpu_on vcpu=0", routed=ENABLED, pending=((40, "lr_pending"),))
        assert irq.vcpu is state.domain.vcpu[0] and desc.INPROGRESS

    def test_a_guest_that_has_not_booted_has_no_targets(self):
        assert after("isenabler virq=40", state="creating")[2].target_vcpu is None
        _, _, irq, state = after("isenabler virq=40")
        assert irq.target_vcpu is state.domain.vcpu[0]


class TestAudits:
    def test_a_snapshot_speaks_of_its_own_lists(self):
        shot = snapshot(system(under=NewVgic, routed=ENABLED, pending=((40, "lr"),)).machine)
        assert shot["mapping"] == [
            {"dom": 1, "virq": 40, "pirq": 64, "status": ["hw", "enabled"], "ienable": 1, "target": 0}
        ]
        assert shot["vcpus"][0] == {"vcpu": 0, "pcpu": 0, "ap_list": [40], "lrs": [40]}

    @pytest.mark.parametrize(
        ("harm", "rule"),
        [
            (lambda irq, desc: setattr(irq, "hwintid", 65), "mapping.corrupted"),
            (lambda irq, desc: setattr(irq, "enabled", False), "mapping.lost_enable"),
            (lambda irq, desc: setattr(desc, "affinity", 1), "irq.wrong_affinity"),
            (lambda irq, desc: setattr(irq, "vcpu", None), "list.corrupted"),
            (lambda irq, desc: setattr(irq, "vcpu", None), "irq.stuck_inprogress"),
        ],
    )
    def test_a_rule_is_broken(self, harm, rule):
        made = program({"t": ["isenabler virq=40"]}, NewVgic, routed=ENABLED, pending=((40, "lr_pending"),))
        state = made.setup()
        assert not made.broken_rules(state, {"t": [None]})
        harm(vgic_get_irq(state.domain, 40), state.machine.descs[64])
        assert rule in {b.rule for b in made.broken_rules(state, {"t": [None]})}

    def test_a_machine_can_be_used_again(self):
        made = program({"t": ["irq pirq=64", "restore vcpu=0"]}, NewVgic, routed=ENABLED)
        state = made.setup()
        before = snapshot(state.machine)
        made.threads["t"](state)
        assert snapshot(state.machine) != before
        assert state.recycle() and snapshot(state.machine) == before


class TestGuard:
    """What the new vGIC asserts is so because gic.c refuses; without that it is not."""

    def test_release_while_the_guest_enables(self):
        threads = (["release virq=40"], ["isenabler virq=40"])
        assert found(*threads, Unguarded, routed=ROUTED) == ["crash.assertion"]
        assert found(*threads, routed=ROUTED) == []

    @pytest.mark.parametrize("other", ["itargetsr virq=40 vcpu=1", "move vcpu=0 pcpu=2"])
    def test_route_while_the_affinity_changes(self, other):
        """``hw`` is seen before the handler is the guest's, and these two take no desc.lock."""
        threads = (["route virq=40 pirq=64"], [other])
        assert found(*threads, RouteWhileRunning) == ["crash.null_handler", "data_race"]
        assert found(*threads) == []

    def test_route_while_the_guest_enables_needs_no_guard(self):
        """The sync waits for desc.lock, and with it for the handler."""
        assert found(["route virq=40 pirq=64"], ["isenabler virq=40"], Unguarded) == []

    def test_route_while_a_vcpu_ends_the_virq(self):
        """``hw`` is read without a lock, and again with one: "write-once" it is not."""
        threads = (["route virq=40 pirq=64"], ["eoi virq=40"])
        assert found(*threads, RouteWhileRunning, pending=((40, "lr"),)) == ["crash.null_desc", "data_race"]
        assert found(*threads, pending=((40, "lr"),)) == []

    def test_a_route_past_the_guard(self):
        """The flag is read under desc.lock, which does not guard it (as in guard_vs_unpause)."""
        threads = (["route virq=40 pirq=64"], ["unpause", "itargetsr virq=40 vcpu=1"])
        assert found(*threads, state="creating") == ["crash.null_handler", "data_race"]


class TestXensOwnBugs:
    def test_destroying_a_domain_releases_by_the_wrong_number(self):
        """domain_vgic_free gives release_guest_irq the pIRQ's number."""
        dying = {"under": NewVgic, "state": "dying"}
        _, state = run("destroy", **dying, routed=ENABLED)
        assert state.machine.descs[64].action.virq == 40
        with pytest.raises(CheckFailed, match="routed to a domain that is freed"):
            run("destroy", "late_irq pirq=64", **dying, routed=ENABLED)
        _, state = run("destroy", "late_irq pirq=64", **dying, routed=((64, 64, True),))
        assert state.machine.descs[64].action is None

    def test_a_target_that_comes_after_the_interrupt_comes_too_late(self):
        """ITARGETSR queues nothing: enabled, pending and aimed, but on no list for ever."""
        life = ["route virq=40 pirq=64", "unpause", "isenabler virq=40", "irq pirq=64"]
        late = [*life, "itargetsr virq=40 vcpu=0", "restore vcpu=0"]
        assert self.broken(late, distributor=True) == ["irq.stuck_inprogress", "irq.lost", "lock.irqs_on"]
        early = [*life[:2], "itargetsr virq=40 vcpu=0", *life[2:], "restore vcpu=0"]
        assert self.broken(early, distributor=True) == ["lock.irqs_on"]
        # Its guest has not switched its distributor on, and to do so would queue nothing either.
        assert self.broken(early, distributor=False) == ["irq.stuck_inprogress", "irq.lost", "lock.irqs_on"]

    def broken(self, operations: list[str], distributor: bool) -> list[str]:
        made = program({"t": operations}, NewVgic, state="creating")
        state = made.setup()
        assert not vgic_dist(state.domain).enabled
        vgic_dist(state.domain).enabled = distributor
        return [b.rule for b in made.broken_rules(state, {"t": made.threads["t"](state)})]


def test_without_a_lock_order_problem_where_baseline_hangs():
    """The pairs that hang at baseline: desc and irq_lock are taken in one order only."""
    fires = (["irq pirq=64"], ["icenabler virq=40"])
    assert found(*fires, routed=ENABLED) == ["lock.irqs_on"]
    hangs = ["deadlock.cycle", "lock.irqs_on", "lock_order.inversion"]
    assert found(*fires, "baseline", routed=ENABLED) == hangs
    moved = {"routed": ENABLED, "pending": ((40, "lr_pending"),)}
    assert found(["itargetsr virq=40 vcpu=1"], ["restore vcpu=0"], **moved) == []
