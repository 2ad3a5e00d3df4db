"""A machine that comes to rest as it did before is known: what is said of it is what the audits say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import racebench
from racebench.engine.instrument import SLOT
from racebench.findings import Broken
from racebench.program import Program
from racebench.vgic import system as module
from racebench.vgic.audits import audit
from racebench.vgic.system import System

from .machines import program

_EXECUTIONS = 300

_ROUTED: dict[str, Any] = {"routed": ((40, 64, True),)}
_PENDING: dict[str, Any] = {**_ROUTED, "pending": ((40, "lr_pending"),)}

_PROGRAMS: dict[str, tuple[dict[str, tuple[str, ...]], dict[str, Any]]] = {
    "route": ({"a": ("route virq=40 pirq=64",), "b": ("route virq=40 pirq=65",)}, {}),
    "release": ({"a": ("release virq=40", "route virq=41 pirq=64"), "b": ("icenabler virq=40",)}, _ROUTED),
    "irq": ({"a": ("irq pirq=64",), "b": ("release virq=40",), "c": ("isenabler virq=40",)}, _ROUTED),
    "move": ({"a": ("itargetsr virq=40 vcpu=1",), "b": ("trap vcpu=0",)}, {**_PENDING, "vcpus": 2}),
}


def _with_both(whole: Program, seen: list[tuple[list[Broken], list[Broken]]]) -> Program:
    def check(system: System, results: dict[str, Any]) -> list[Broken]:
        seen.append((list(system.audited()), audit(system.machine)))
        return seen[-1][1]

    return replace(whole, check=check)


@pytest.mark.parametrize("under", ["baseline", "no_rank_lock", "domain_lock", "pending_irq_lock", "new_vgic"])
def test_what_is_known_of_an_end_is_what_the_audits_say(under: str) -> None:
    seen: list[tuple[list[Broken], list[Broken]]] = []
    for threads, initial in _PROGRAMS.values():
        racebench.explore(_with_both(program(threads, under, **initial), seen), "random", _EXECUTIONS)
    # Some hang under some protocols, and are not audited then.
    assert len(seen) > _EXECUTIONS
    assert [said for said, _ in seen] == [whole for _, whole in seen]


@pytest.mark.parametrize("under", ["baseline", "no_rank_lock", "pending_irq_lock", "new_vgic"])
def test_what_an_audit_found_written_is_all_that_there_is_to_put_back(under: str) -> None:
    put_back = 0

    def recycle(system: System) -> bool:
        nonlocal put_back
        done = system.recycle()
        assert not done or not system._compared()
        put_back += done
        return done

    def check(system: System, results: dict[str, Any]) -> list[Broken]:
        said = system.audited()
        # An end is told by its fields: nobody writes anything else.
        for _, own, first, _, _ in system._rb_at_first:
            fields = [name for name in own if name not in first or own[name] != first[name]]
            assert all(name.startswith(SLOT) for name in fields)
        return said

    for threads, initial in _PROGRAMS.values():
        whole = replace(program(threads, under, **initial), recycle=recycle, check=check)
        racebench.explore(whole, "random", _EXECUTIONS)
    assert put_back > _EXECUTIONS


def test_what_no_audit_has_looked_at_is_put_back_as_well() -> None:
    system: System = program({"a": ("release virq=40",)}, **_PENDING).setup()
    assert system.audited() == [] and system.recycle()
    system.machine.descs[64].lost_eoi = True
    assert system.recycle() and not system.machine.descs[64].lost_eoi


def test_each_end_is_audited_once(monkeypatch: pytest.MonkeyPatch) -> None:
    audited: list[list[Broken]] = []

    def counted(machine: Any) -> list[Broken]:
        audited.append(audit(machine))
        return audited[-1]

    monkeypatch.setattr(module, "audit", counted)
    threads, initial = _PROGRAMS["route"]
    result = racebench.explore(program(threads, "no_rank_lock", **initial), "random", _EXECUTIONS)
    assert 1 < len(audited) < _EXECUTIONS // 4
    assert any(audited) and result.verdict is racebench.Verdict.FOUND


def test_every_field_of_the_machine_tells_its_ends_apart() -> None:
    system: System = program({"a": ("release virq=40",)}, **_PENDING).setup()
    assert system.audited() == []
    for harmed, name, value in (
        (system.machine.descs[64], "lost_eoi", True),
        (system.machine.descs[64], "DISABLED", True),
        (system.domain.ranks[1], "ienable", 0),
        (system.domain.pending_irqs[40], "ENABLED", False),
        (system.domain.vcpu[0], "lr_pending", ()),
    ):
        setattr(harmed, name, value)
        assert system.audited() == audit(system.machine) != []
        assert system.recycle() and system.audited() == []


def test_an_object_that_a_thread_has_made_is_audited_too() -> None:
    system: System = program({"a": ("release virq=40",)}, **_PENDING).setup()
    assert system.audited() == []
    system.machine.descs[65].lost_eoi = True
    assert [b.rule for b in system.audited()] == ["irq.lost_eoi"]


def test_no_more_ends_are_kept_than_memory_is_meant_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_KEPT", 2)
    system: System = program({"a": ("release virq=40",)}, **_ROUTED).setup()
    for affinity in (*range(6), *range(6)):
        system.machine.descs[64].affinity = affinity
        assert system.audited() == audit(system.machine)
        assert len(system._rb_audited) <= 2
