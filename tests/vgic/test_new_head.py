"""Today's new vGIC: what it does beyond RELEASE-4.11.0; each rule with its healthy twin."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any

import pytest

from racebench import verify
from racebench.errors import CheckFailed
from racebench.vgic import LineAtStart, protocol
from racebench.vgic.hardware import ListRegister
from racebench.vgic.new.state import VgicCpu, VgicIrq, irq_is_pending, vgic_cpu, vgic_dist, vgic_get_irq
from racebench.vgic.state import IrqDesc, IrqType
from racebench.vgic.system import System

from .machines import EBUSY, EINVAL, locks_held, program, rules, run, system

HEAD: dict[str, Any] = {"under": "new_head"}
ROUTED, ENABLED = ((40, 64, False),), ((40, 64, True),)
IN_LR: dict[str, Any] = {"routed": ENABLED, "pending": ((40, "lr"),)}
BOUND: dict[str, Any] = {"routed": ((64, 64, True),), "reserved": (64,), "state": "dying"}


def found(*threads: list[str], **initial: Any) -> list[str]:
    """The rules that verify finds broken, all schedules run."""
    result = verify(program({f"t{i}": ops for i, ops in enumerate(threads)}, "new_head", **initial))
    assert result.complete
    return sorted({f.rule for f in result.findings})


def parts(state: System) -> tuple[VgicIrq, IrqDesc, VgicCpu]:
    """vIRQ 40, pIRQ 64's desc and vCPU 0."""
    return vgic_get_irq(state.domain, 40), state.machine.descs[64], vgic_cpu(state.domain.vcpu[0])


def after(*operations: str, **initial: Any) -> tuple[VgicIrq, IrqDesc, VgicCpu]:
    _, state = run(*operations, **HEAD, **initial)
    assert locks_held(state) == []
    return parts(state)


def level(**initial: Any) -> tuple[System, VgicIrq, IrqDesc, VgicCpu]:
    """A machine whose guest has made vIRQ 40 level-triggered."""
    state = system(naming=["irq pirq=64"], **HEAD, **initial)
    irq, desc, v = parts(state)
    irq.config = IrqType.LEVEL_HIGH
    return state, irq, desc, v


def written(*operations: str) -> Callable[[System], Any]:
    return program({"t": operations}, "new_head").threads["t"]


def enter_late(owner: Any, name: str, first: Callable[[], Any]) -> None:
    """Whoever next takes the lock ``name`` of ``owner`` gets it after ``first``."""
    lock = getattr(owner, name)

    class Late:
        def __enter__(self) -> None:
            setattr(owner, name, lock)
            first()
            lock.acquire()

        def __exit__(self, *_: object) -> None:
            lock.release()

    setattr(owner, name, Late())


class TestLocks:
    @pytest.mark.parametrize(
        ("operation", "initial", "pairs"),
        [
            ("route virq=40 pirq=64", {}, ["desc > irq_lock"]),
            ("ispendr virq=40", {"routed": ROUTED}, ["desc > irq_lock"]),
            ("ispendr virq=40", {"enabled": (40,)}, ["ap_list > irq_lock"]),
            ("icpendr virq=40", {"routed": ROUTED}, ["desc > irq_lock"]),
            ("icpendr virq=40", {}, []),
            ("level virq=40", {"enabled": (40,)}, ["ap_list > irq_lock"]),
            ("itargetsr virq=40 vcpu=1", {"routed": ENABLED}, []),
            ("move vcpu=0 pcpu=2", {"routed": ENABLED}, []),
        ],
    )
    def test_of_one_operation(
        self, nesting: set[str], operation: str, initial: dict[str, Any], pairs: list[str]
    ) -> None:
        _, state = run(operation, **HEAD, **initial)
        assert sorted(nesting) == pairs
        assert locks_held(state) == []


class TestConnect:
    def test_routing_while_the_domain_runs(self) -> None:
        irq, desc, _ = after("route virq=40 pirq=64")
        assert irq.hw and irq.hwintid == 64 and desc.GUEST

    @pytest.mark.parametrize(
        ("field", "code"), [("pending_latch", EBUSY), ("active", EBUSY), ("line_level", 0)]
    )
    def test_what_the_guest_still_has_is_refused_but_not_its_level(self, field: str, code: int) -> None:
        state = system(naming=["route virq=40 pirq=64"], **HEAD)
        setattr(vgic_get_irq(state.domain, 40), field, True)
        assert state.xen.route_irq_to_guest(state.domain, 40, 64) == code

    def test_what_an_lr_holds_is_not_looked_at(self) -> None:
        assert run("route virq=40 pirq=64", pending=((40, "lr"),), **HEAD)[0] == [0]
        assert run("trap vcpu=0", "route virq=40 pirq=64", pending=((40, "lr"),), **HEAD)[0] == [0, EBUSY]

    def test_neither_vgic_nor_gic_has_extended_spis(self) -> None:
        assert run("bind irq=4096", espis=32, **HEAD)[0] == [EBUSY]
        assert run("route virq=40 pirq=4096", espis=32, **HEAD)[0] == [EINVAL]


class TestQueue:
    def test_a_target_that_changes_before_the_list_is_locked_is_looked_at_again(self) -> None:
        """The hand-over is forced: whoever takes the old vCPU's list finds the vIRQ sent elsewhere."""
        state = system(naming=["irq pirq=64"], routed=ENABLED, **HEAD)
        irq, _, v = parts(state)
        other = vgic_cpu(state.domain.vcpu[1])
        enter_late(v, "ap_list_lock", lambda: setattr(irq, "target_vcpu", other))
        state.xen.do_IRQ(64)
        assert (irq.vcpu, v.ap_list, other.ap_list) == (other, (), (irq,)) and locks_held(state) == []

    def test_a_vcpu_that_is_down_gets_it(self) -> None:
        irq, _, v = after("irq pirq=64", routed=ENABLED, down=(0,))
        assert irq.vcpu is v and v.ap_list == (irq,)

    def test_one_that_sleeps_wakes_also_for_what_is_on_its_list(self) -> None:
        for ops in (["irq pirq=64"], ["irq pirq=64", "ispendr virq=40"]):
            _, state = run(*ops, routed=ENABLED, blocked=(0,), **HEAD)
            assert not state.domain.vcpu[0].sched.VPF_blocked
        state = system(naming=["irq pirq=64"], blocked=(0,), **IN_LR, **HEAD)
        state.xen.do_IRQ(64)
        assert not state.domain.vcpu[0].sched.VPF_blocked

    def test_a_distributor_that_is_off_hands_nothing_out(self) -> None:
        early = ["route virq=40 pirq=64", "itargetsr virq=40 vcpu=0", "isenabler virq=40", "irq pirq=64"]
        _, state = run(*early, state="creating", **HEAD)
        assert not vgic_dist(state.domain).enabled and vgic_get_irq(state.domain, 40).vcpu is None
        assert rules(*early, state="creating", **HEAD) == ["irq.stuck_inprogress", "irq.lost"]
        assert rules(*early, **HEAD) == []

    def test_cpu_on_clears_nothing(self) -> None:
        pending = {"routed": ENABLED, "pending": ((40, "lr_pending"),), "down": (0,)}
        irq, desc, v = after("cpu_on vcpu=0", **pending)
        assert v.ap_list == (irq,) and irq.pending_latch and desc.INPROGRESS


class TestLevel:
    def test_only_a_change_of_the_line_counts(self) -> None:
        state, irq, _, v = level(enabled=(40,))
        state.xen.vgic_inject_irq(state.domain, 40, True)
        assert irq.line_level and not irq.pending_latch and v.ap_list == (irq,)
        v.ap_list, irq.vcpu = (), None
        state.xen.vgic_inject_irq(state.domain, 40, True)
        assert v.ap_list == ()
        state.xen.vgic_inject_irq(state.domain, 40, False)
        assert not irq.line_level and locks_held(state) == []

    def test_its_latch_counts_too(self) -> None:
        _, irq, _, _ = level(enabled=(40,))
        for latch, high in ((True, False), (False, True), (False, False)):
            irq.pending_latch, irq.line_level = latch, high
            assert irq_is_pending(irq) is (latch or high)

    def test_of_an_edge_only_the_rise(self) -> None:
        state = system(enabled=(40,), **HEAD)
        state.xen.vgic_inject_irq(state.domain, 40, False)
        assert not parts(state)[0].pending_latch and locks_held(state) == []

    def test_a_virtual_one_stays_pending_while_it_is_in_an_lr(self) -> None:
        state, irq, _, v = level(enabled=(40,))
        state.xen.vgic_inject_irq(state.domain, 40, True)
        state.xen.vgic_sync_to_lrs(v)
        assert v.lrs[0] == ListRegister(40) and irq.line_level

    @pytest.mark.parametrize("asserted", [True, False])
    def test_a_hardware_one_that_the_guest_has_not_taken_is_sampled_again(self, asserted: bool) -> None:
        state, irq, desc, v = level(routed=ENABLED)
        desc.line.acknowledge()
        state.xen.do_IRQ(64)
        state.xen.vgic_sync_to_lrs(v)
        assert v.lrs[0] == ListRegister(40, 64) and not irq.line_level
        desc.line.latched = asserted
        state.xen.vgic_sync_from_lrs(v)
        assert irq.line_level is asserted and desc.line.active is asserted and desc.INPROGRESS is asserted

    def test_what_the_guest_has_taken_is_no_longer_pending(self) -> None:
        state, irq, _, v = level(enabled=(40,))
        irq.pending_latch = True
        state.xen.vgic_inject_irq(state.domain, 40, True)
        state.xen.vgic_sync_to_lrs(v)
        v.lrs = (ListRegister(40, None, False, True), *v.lrs[1:])
        state.xen.vgic_sync_from_lrs(v)
        assert irq.active and not irq.pending_latch

    def test_a_hardware_one_is_never_pending_and_active_in_an_lr_unless_it_is_an_edge(self) -> None:
        for kind, pending in ((IrqType.LEVEL_HIGH, False), (IrqType.EDGE_RISING, True)):
            state, irq, _, v = level(routed=ENABLED, pending=((40, "lr"),), active=(40,))
            irq.config, irq.pending_latch = kind, True
            state.xen.vgic_v2_populate_lr(v, irq, 0)
            assert v.lrs[0] == ListRegister(40, 64, pending, True)


class TestPending:
    def test_ispendr_makes_the_line_active_so_that_the_guest_can_end_it(self) -> None:
        irq, desc, v = after("ispendr virq=40", routed=ENABLED)
        assert irq.pending_latch and v.ap_list == (irq,)
        assert desc.INPROGRESS and desc.line.active and not desc.line.latched
        assert rules("ispendr virq=40", "restore vcpu=0", "eoi virq=40", routed=ENABLED, **HEAD) == []

    def test_icpendr_takes_it_back(self) -> None:
        latched = (LineAtStart(64, latched=True),)
        irq, desc, _ = after("ispendr virq=40", "icpendr virq=40", routed=ENABLED, lines=latched)
        assert not irq.pending_latch and not desc.INPROGRESS
        assert not desc.line.active and not desc.line.latched

    def test_icpendr_leaves_a_line_active_that_the_guest_was_last_seen_at(self) -> None:
        irq, desc, _ = after("trap vcpu=0", "icpendr virq=40", active=(40,), **IN_LR)
        assert irq.active and desc.INPROGRESS and desc.line.active
        _, desc, _ = after("icpendr virq=40", active=(), **IN_LR)
        assert not desc.INPROGRESS and not desc.line.active

    def test_icpendr_leaves_alone_what_has_come_again(self) -> None:
        """The hand-over is forced: it becomes pending before the write has desc.lock."""
        state = system(naming=["icpendr virq=40"], **IN_LR, **HEAD)
        irq, desc, _ = parts(state)
        enter_late(desc, "lock", lambda: setattr(irq, "pending_latch", True))
        state.xen.write_icpendr(state.domain, (40,))
        assert irq.pending_latch and desc.INPROGRESS and desc.line.active

    def test_a_virtual_one(self) -> None:
        irq, _, v = after("ispendr virq=40", enabled=(40,))
        assert irq.pending_latch and v.ap_list == (irq,)
        assert not after("ispendr virq=40", "icpendr virq=40", enabled=(40,))[0].pending_latch

    def test_a_line_that_it_makes_active_does_not_fire(self) -> None:
        lines = (LineAtStart(64, latched=True),)
        _, desc, _ = after("ispendr virq=40", "fire pirq=64", routed=ENABLED, lines=lines)
        assert desc.line.latched


class TestRules:
    def test_the_line_becomes_active_after_the_virq_was_queued(self) -> None:
        threads = (["ispendr virq=40"], ["restore vcpu=0", "eoi virq=40"])
        broken = ["irq.line_dead", "irq.stuck_inprogress", "lr.hw_inactive"]
        assert found(*threads, routed=ENABLED) == broken
        assert found([*threads[0], *threads[1]], routed=ENABLED) == []

    def test_a_line_becomes_active_for_what_is_no_longer_pending(self) -> None:
        threads = (["ispendr virq=40"], ["icpendr virq=40"])
        assert found(*threads, routed=ENABLED) == ["irq.line_dead", "irq.stuck_inprogress"]
        assert found([*threads[0], *threads[1]], routed=ENABLED) == []

    def test_icpendr_deactivates_a_line_that_an_lr_holds(self) -> None:
        assert rules("icpendr virq=40", "eoi virq=40", **IN_LR, **HEAD) == ["lr.hw_inactive"]
        assert rules("eoi virq=40", "icpendr virq=40", **IN_LR, **HEAD) == []

    def test_hw_is_not_write_once(self) -> None:
        in_lr = {"pending": ((40, "lr"),)}
        assert found(["route virq=40 pirq=64"], ["eoi virq=40"], **in_lr) == ["crash.null_desc", "data_race"]
        assert found(["eoi virq=40", "route virq=40 pirq=64"], **in_lr) == []

    @pytest.mark.parametrize("other", ["itargetsr virq=40 vcpu=1", "move vcpu=0 pcpu=2"])
    def test_hw_comes_before_the_handler(self, other: str) -> None:
        assert found(["route virq=40 pirq=64"], [other]) == ["crash.null_handler", "data_race"]
        assert found(["route virq=40 pirq=64", other]) == []
        # It goes before the handler, too.
        assert found(["release virq=40"], [other], routed=ROUTED, state="dying") == []

    def test_an_end_through_a_hwintid_that_is_anothers(self) -> None:
        """The hand-over is forced: the vIRQ gets another pIRQ before the trap has desc.lock."""
        routes = ["route virq=40 pirq=65", "route virq=41 pirq=64"]
        for more, broken in ((routes, ["irq.wrong_owner"]), (routes[:1], [])):
            naming = ["release virq=40", *routes, "hweoi virq=40"]
            state = system(naming=naming, pending=((40, "lr"),), routed=ROUTED, state="dying", **HEAD)
            irq, desc, v = parts(state)
            v.lrs = (ListRegister(40, 64, False, False), *v.lrs[1:])
            enter_late(desc, "lock", partial(written("release virq=40", *more), state))
            state.xen.vgic_sync_from_lrs(v)
            assert irq.hwintid == 65 and [b.rule for b in state.machine.faults.found] == broken

    @pytest.mark.parametrize(
        ("write", "start", "where"),
        [
            ("isenabler", ROUTED, "vgic_sync_hardware_irq"),
            ("icenabler", ENABLED, "vgic_sync_hardware_irq"),
            ("ispendr", ROUTED, "vgic_mmio_write_spending"),
            ("icpendr", ROUTED, "vgic_mmio_write_cpending"),
        ],
    )
    def test_register_writes_assert_that_nobody_releases(self, write: str, start: Any, where: str) -> None:
        threads = {"a": ["release virq=40"], "b": [f"{write} virq=40"]}
        for state, asserted in (("dying", True), ("running", False)):
            result = verify(program(threads, routed=start, state=state, **HEAD))
            places = [f.summary.split(":")[0] for f in result.findings if f.rule == "crash.assertion"]
            assert result.complete and places == [where] * asserted

    def test_only_a_guests_line_is_made_active(self) -> None:
        for routed in (ROUTED, ()):
            state = system(naming=["irq pirq=64"], routed=routed, **HEAD)
            desc = state.machine.descs[64]
            with desc.lock, nullcontext() if routed else pytest.raises(CheckFailed, match="_IRQ_GUEST"):
                state.xen.gic_set_active_state(desc, True)
            assert desc.line.active is bool(routed)

    def test_a_list_goes_with_its_domain(self) -> None:
        assert rules("destroy", "irq pirq=64", pending=((64, "lr_pending"),), **BOUND, **HEAD) == []

    def test_an_interrupt_while_a_domain_is_destroyed(self) -> None:
        threads = (["destroy"], ["irq pirq=64"])
        assert found(*threads, blocked=(0,), **BOUND) == ["crash.freed", "list.corrupted"]
        assert found(*threads, **{**BOUND, "routed": ((64, 64, False),)}) == []

    def test_an_action_that_outlives_its_domain(self) -> None:
        """Where the numbers differ, destroying the domain does not release the pIRQ."""
        dying = {"state": "dying", "routed": ENABLED}
        assert "crash.freed" in found(["destroy", "irq pirq=64"], **dying)
        assert found(["destroy", "irq pirq=64"], **BOUND) == []

    @pytest.mark.parametrize(
        ("harm", "rule"),
        [
            (lambda irq, desc, v: setattr(irq, "vcpu", None), "irq.lost"),
            (lambda irq, desc, v: setattr(irq, "pending_latch", False), "irq.line_dead"),
            (lambda irq, desc, v: setattr(desc, "GUEST", False), "action.stale"),
            (lambda irq, desc, v: setattr(desc, "GUEST", False), "irq.line_dead"),
            (lambda irq, desc, v: setattr(v, "ap_list", ()), "list.corrupted"),
            (lambda irq, desc, v: setattr(irq, "hwintid", 65), "mapping.corrupted"),
        ],
    )
    def test_at_rest(self, harm: Any, rule: str) -> None:
        made = program({"t": ["irq pirq=64"]}, "new_head", routed=ENABLED, pending=((40, "lr_pending"),))
        state = made.setup()
        assert not made.broken_rules(state, {"t": [None]})
        harm(*parts(state))
        assert rule in {b.rule for b in made.broken_rules(state, {"t": [None]})}

    def test_a_level_that_is_on_no_list_is_lost(self) -> None:
        for queued, broken in ((True, []), (False, ["irq.lost"])):
            made = program({"t": ["irq pirq=64"]}, "new_head", enabled=(40,))
            state = made.setup()
            irq, _, v = parts(state)
            irq.config, irq.line_level = IrqType.LEVEL_HIGH, True
            if queued:
                v.ap_list, irq.vcpu = (irq,), v
            assert [b.rule for b in made.broken_rules(state, {"t": [None]})] == broken

    def test_the_old_owners_latch(self) -> None:
        for latched, broken in ((True, ["irq.stale_pending"]), (False, [])):
            lines = (LineAtStart(64, latched=latched),)
            start = {"routed": ROUTED, "state": "dying", "lines": lines}
            assert rules("release virq=40", "fire pirq=64", **start, **HEAD) == broken

    def test_reservations(self) -> None:
        assert rules("attach irq=64", enabled=(64,), **HEAD) == ["reservation.leaked"]
        assert rules("attach irq=64", **HEAD) == []


def test_it_is_an_option_of_head() -> None:
    head, new_head = protocol("head"), protocol("new_head")
    assert issubclass(new_head, head) and new_head.TREE == head.TREE
