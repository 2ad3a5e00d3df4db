"""Each rule at rest: one machine that breaks it, and one that does not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from racebench import vgic
from racebench.vgic.audits import DoubleSuccess, audit
from racebench.vgic.program import MachineBuilder
from racebench.vgic.system import System

INITIAL = vgic.Initial(routed=((40, 64, True),), pending=((40, "lr_pending"),))


def _system() -> System:
    return MachineBuilder(INITIAL, {}, vgic.Baseline).build()


def _forgotten(b: System) -> None:
    p, v = b.domain.pending_irqs[40], b.domain.vcpu[0]
    v.lr_pending, p.lr_queue_on = (), None  # type: ignore[assignment]


def _not_guests(b: System) -> None:
    b.machine.descs[64].GUEST = False


def _points_elsewhere(b: System) -> None:
    b.domain.pending_irqs[40].desc = b.machine.descs[65]


def _without_action(b: System) -> None:
    b.machine.descs[64].action = None  # type: ignore[assignment]


def _line_off(b: System) -> None:
    b.machine.descs[64].DISABLED = True


def _line_on(b: System) -> None:
    b.domain.pending_irqs[40].ENABLED = False
    b.domain.ranks[1].ienable = 0


def _register_lies(b: System) -> None:
    b.domain.ranks[1].ienable = 0


def _no_drop(b: System) -> None:
    b.machine.descs[64].lost_eoi = True


def _interrupts_on(b: System) -> None:
    b.machine.descs[64].irqs_on = True


def _other_target(b: System) -> None:
    b.domain.ranks[1].irq[8].vcpu = 1


def _not_inflight(b: System) -> None:
    p, v = b.domain.pending_irqs[40], b.domain.vcpu[0]
    v.inflight_irqs, v.lr_pending = (), ()
    p.inflight_on = p.lr_queue_on = None  # type: ignore[assignment]


def _twice(b: System) -> None:
    b.domain.vcpu[1].inflight_irqs = b.domain.vcpu[0].inflight_irqs


@pytest.mark.parametrize(
    ("harm", "rule"),
    [
        (_points_elsewhere, "mapping.corrupted"),
        (_without_action, "mapping.corrupted"),
        (_line_off, "mapping.lost_enable"),
        (_line_on, "mapping.lost_enable"),
        (_register_lies, "mapping.ienable_mismatch"),
        (_no_drop, "irq.lost_eoi"),
        (_interrupts_on, "lock.irqs_on"),
        (_other_target, "irq.wrong_vcpu"),
        (_other_target, "irq.wrong_affinity"),
        (_not_inflight, "irq.stuck_inprogress"),
        (_twice, "list.corrupted"),
        (_not_inflight, "irq.lost"),
        (_forgotten, "irq.lost"),
        (_not_inflight, "irq.line_dead"),
        (_not_guests, "irq.line_dead"),
        (_not_guests, "action.stale"),
    ],
)
def test_a_rule_is_broken(harm: Callable[[System], None], rule: str) -> None:
    system = _system()
    assert audit(system.machine) == []
    harm(system)
    assert rule in {b.rule for b in audit(system.machine)}


def test_a_migrating_virq_may_be_elsewhere_for_a_while() -> None:
    system = _system()
    _other_target(system)
    system.domain.pending_irqs[40].MIGRATING = True
    assert audit(system.machine) == []


@pytest.mark.parametrize("harm", [_forgotten, _not_inflight])
def test_what_is_for_a_vcpu_that_is_down_waits_for_it(harm: Callable[[System], None]) -> None:
    system = _system()
    harm(system)
    system.domain.vcpu[0].VPF_down = True
    assert audit(system.machine) == []


def test_an_active_line_whose_virq_is_in_an_lr_is_alive() -> None:
    initial = vgic.Initial(routed=((40, 64, True),), pending=((40, "lr"),))
    system = MachineBuilder(initial, {}, vgic.Baseline).build()
    assert audit(system.machine) == []
    system.domain.vcpu[0].lrs = (None,) * 4
    assert [b.rule for b in audit(system.machine)] == ["irq.line_dead"]


def _operations(*texts: str) -> tuple[vgic.Operation, ...]:
    return tuple(vgic.parse_operation(t, "test", "here", vgic.Initial()) for t in texts)


def test_double_success_needs_two_pirqs_two_zeros_and_no_release() -> None:
    threads = {"a": _operations("route virq=40 pirq=64"), "b": _operations("route virq=40 pirq=65")}
    assert [b.rule for b in DoubleSuccess(threads).audit({"a": [0], "b": [0]})] == ["mapping.double_success"]
    assert not list(DoubleSuccess(threads).audit({"a": [0], "b": [-16]}))
    released = {**threads, "c": _operations("release virq=40")}
    assert not list(DoubleSuccess(released).audit({"a": [0], "b": [0], "c": [0]}))
    same = {"a": threads["a"], "b": threads["a"]}
    assert not list(DoubleSuccess(same).audit({"a": [0], "b": [0]}))
