"""Threads that draw: domains that live on, and return codes held against the serial orders."""

from __future__ import annotations

from typing import Any

import pytest

import racebench as rb
from racebench import vgic
from racebench.vgic.drawing import op
from racebench.vgic.hammer import HammeredSystem, expressed
from racebench.vgic.program import MachineBuilder
from racebench.vgic.serial import Serial
from racebench.vgic.snapshot import glimpse
from racebench.vgic.system import compiled

ROUTE64, ROUTE65 = op("route", virq=40, pirq=64), op("route", virq=40, pirq=65)
RELEASE, ENABLE, DISABLE = op("release", virq=40), op("isenabler", virq=40), op("icenabler", virq=40)
TOOLSTACK = ((ROUTE64, 2), (ROUTE65, 1), (RELEASE, 2))
VCPU = ((ENABLE, 1), (DISABLE, 2))
MIX = vgic.Mix(3, {"toolstack0": TOOLSTACK, "toolstack1": TOOLSTACK, "vcpu0": VCPU})
TOOLSTACKS = vgic.Mix(3, {"toolstack0": TOOLSTACK, "toolstack1": TOOLSTACK})


def hammer(protocol: str, mix: vgic.Mix = MIX) -> rb.Program:
    return vgic.build_hammer("mix", vgic.Initial(), mix, vgic.protocol(protocol))


def serial(protocol: str, *operations: vgic.Operation, **initial: Any) -> Serial:
    start = vgic.Initial(**initial)
    builder = MachineBuilder(start, {"t": operations}, vgic.protocol(protocol))
    return Serial(builder.build, [compiled(o) for o in operations])


class TestSerial:
    def test_what_operations_return_one_after_another(self) -> None:
        one = serial("baseline", ROUTE64, ROUTE65, RELEASE)
        assert one.along(0, [(0, 0), (0, 0), (1, -16), (2, 0), (1, 0)]) is not None
        assert one.along(0, [(0, 0), (1, 0)]) is None

    def test_equal_states_have_one_number(self) -> None:
        one = serial("baseline", ROUTE64, RELEASE)
        there = one.along(0, [(0, 0)])
        assert there != 0
        assert one.along(0, [(0, 0), (1, 0), (0, 0)]) == there

    def test_an_operation_that_hangs_alone_leads_nowhere_and_the_machine_goes_on(self) -> None:
        aim = op("itargetsr", virq=40, vcpu=1)
        start: dict[str, Any] = {"routed": ((40, 64, True),), "pending": ((40, "lr_pending"),)}
        one = serial("baseline", aim, DISABLE, **start)
        assert one.step(0, 0) is None
        assert one.along(0, [(1, None), (1, None)]) is not None
        assert serial("lockfree_priority", aim, **start).step(0, 0) is not None

    def test_every_order_that_explains_the_results_counts(self) -> None:
        one = serial("baseline", ROUTE64, ROUTE65)
        ends = one.ends({0}, [[(0, 0)], [(1, -16)]])
        assert ends is not None and len(ends) == 1
        assert one.ends({0}, [[(0, 0)], [(1, 0)]]) == set()


@pytest.mark.parametrize("protocol", ["baseline", "no_rank_lock"])
def test_verify_holds_the_return_codes_against_the_serial_orders(protocol: str) -> None:
    threads = {"a": (ROUTE64,), "b": (ROUTE65,)}
    program = vgic.build_program("two", vgic.Initial(), threads, vgic.protocol(protocol), history=True)
    rules = {f.rule for f in rb.verify(program).findings}
    assert ("history.not_serializable" in rules) == (protocol == "no_rank_lock")


def test_domains_live_on_and_stay_clean() -> None:
    program = hammer("domain_lock_mmio")
    made = 0

    def setup() -> Any:
        nonlocal made
        made += 1
        return program.setup()

    parts = {"snapshot": program.snapshot, "recycle": program.recycle, "story": program.story}
    counted = rb.Program("mix", setup, program.threads, program.check, **parts)  # type: ignore[arg-type]
    result = rb.stress(counted, 1.0)
    assert result.verdict is rb.Verdict.CLEAN
    assert result.executions > 2 * made


def test_a_faulty_mix_is_caught_and_tells_its_round() -> None:
    result = rb.stress(hammer("no_rank_lock", TOOLSTACKS), 20.0, stop_on_first=True)
    assert result.verdict is rb.Verdict.FOUND
    story = result.findings[0].evidence["story"]
    assert set(story["threads"]) == {"toolstack0", "toolstack1"}
    assert all(len(drawn) <= 3 for drawn in story["threads"].values())


def test_a_domain_that_broke_a_rule_is_replaced() -> None:
    program = hammer("no_rank_lock", TOOLSTACKS)
    system = program.setup()
    assert isinstance(system, HammeredSystem) and program.recycle is not None and program.check is not None
    assert program.recycle(system)
    for thread in system.threads.values():
        thread.log[:] = [[0, 0, 0], [0, 7, 1]]  # a return code that nothing explains
    rules = program.broken_rules(system, {})
    assert [r.rule for r in rules] == ["history.not_serializable"]
    assert not program.recycle(system)


@pytest.mark.parametrize(("also", "lives"), [("irqs_on", True), ("lost_eoi", False)])
def test_a_domain_lives_on_after_an_interrupt_with_interrupts_on_and_after_no_other_fault(
    also: str, lives: bool
) -> None:
    program = hammer("baseline")
    system = program.setup()
    late = op("late_irq", pirq=65)
    compiled(late)(system)
    system.machine.descs[65].lost_eoi = False
    setattr(system.machine.descs[64], also, True)
    assert "lock.irqs_on" in {r.rule for r in program.broken_rules(system, {})}
    assert program.recycle(system) is lives
    again = {r.rule for r in program.broken_rules(system, {})}
    assert ("lock.irqs_on" in again) is not lives


@pytest.mark.parametrize("protocol", ["baseline", "new_vgic"])
@pytest.mark.parametrize(
    "initial",
    [
        vgic.Initial(),
        vgic.Initial(routed=((40, 64, True), (41, 65, False)), pending=((40, "lr"),)),
        vgic.Initial(routed=((40, 64, True),), pending=((40, "lr_pending"),), enabled=(41,), down=(1,)),
    ],
)
def test_a_state_becomes_the_words_that_made_it(protocol: str, initial: vgic.Initial) -> None:
    builder = MachineBuilder(initial, {"t": (ROUTE64,)}, vgic.protocol(protocol))
    assert expressed(glimpse(builder.build().machine), initial) == initial
    assert vgic.domain_table(initial)["state"] == "running"


def test_a_state_without_words_is_told() -> None:
    builder = MachineBuilder(vgic.Initial(routed=((40, 64, True),)), {"t": ()}, vgic.protocol("baseline"))
    system = builder.build()
    compiled(op("itargetsr", virq=40, vcpu=1))(system)
    assert expressed(glimpse(system.machine), vgic.Initial()) is None


def test_a_late_interrupt_that_is_drawn_is_acknowledged_then_and_once_at_a_time() -> None:
    late = op("late_irq", pirq=64)
    start = vgic.Initial(routed=((40, 64, True),))
    system = MachineBuilder(start, {"t": (late,)}, vgic.protocol("baseline"), HammeredSystem).build()
    line, p = system.machine.descs[64].line, system.domain.pending_irqs[40]
    assert not line.active
    compiled(late)(system)
    assert line.active and p.QUEUED
    p.QUEUED = False
    compiled(late)(system)
    assert not p.QUEUED
