"""One execution's machine, and what each operation of a scenario does with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..primitives import State
from .domain import Protocol
from .language import OPERATIONS, Operation
from .state import Machine


class Bench:
    """One execution's machine, the protocol that runs it, and how it was at first."""

    __slots__ = ("_at_first", "_tables", "domain", "machine", "xen")

    def __init__(self, machine: Machine, xen: Protocol) -> None:
        self.machine, self.xen = machine, xen
        self.domain = machine.domains[1]
        self._at_first: list[tuple[Callable[[dict[str, Any]], None], dict[str, Any]]] = []
        self._tables: list[tuple[dict[int, Any], int]] = []

    def recycle(self) -> bool:
        """Put every object back as it was built; False if threads have made new ones.

        All field values are immutable, so a shallow copy is exact.
        """
        for table, size in self._tables:
            if len(table) != size:
                return False
        for update, first in self._at_first:
            update(first)
        return True

    def remember(self) -> Bench:
        """Keep the present state for ``recycle``."""
        machine = self.machine
        tables: list[dict[int, Any]] = [machine.descs]
        for d in machine.domains.values():
            tables += d.structures.tables(d)
        self._tables = [(table, len(table)) for table in tables]
        self._at_first = [(vars(s).update, dict(vars(s))) for s in states(machine)]
        return self


def bench_states(bench: Bench) -> Iterator[State]:
    """Every object of ``bench`` that has fields or locks."""
    return states(bench.machine)


def states(machine: Machine) -> Iterator[State]:
    """Every object whose fields threads can change."""
    yield from machine.descs.values()
    for d in machine.domains.values():
        yield from d.structures.states(d)


CODE: Mapping[str, Callable[..., Any]] = {
    "route": lambda b, virq, pirq, dom: b.xen.route_irq_to_guest(b.machine.domains[dom], virq, pirq),
    "release": lambda b, virq: b.xen.release_guest_irq(b.domain, virq),
    "setup_irq": lambda b, pirq: b.xen.setup_irq(pirq),
    "isenabler": lambda b, virqs: b.xen.write_isenabler(b.domain, virqs),
    "icenabler": lambda b, virqs: b.xen.write_icenabler(b.domain, virqs),
    "itargetsr": lambda b, virq, vcpu: b.xen.write_itargetsr(b.domain, virq, vcpu),
    "ipriorityr": lambda b, virq, priority: b.xen.write_ipriorityr(b.domain, virq, priority),
    "irq": lambda b, pirq: b.xen.physical_irq(pirq),
    "late_irq": lambda b, pirq: b.xen.do_IRQ(pirq),
    "eoi": lambda b, virq: b.xen.guest_eoi(b.domain, virq),
    "restore": lambda b, vcpu: b.xen.gic_restore_pending_irqs(b.domain.vcpu[vcpu]),
    "move": lambda b, vcpu, pcpu: b.xen.vcpu_move(b.domain, vcpu, pcpu),
    "cpu_on": lambda b, vcpu: b.xen.do_psci_cpu_on(b.domain, vcpu),
    "unpause": lambda b: b.xen.domain_unpause(b.domain),
    "kill": lambda b: b.xen.domain_kill(b.domain),
    "destroy": lambda b: b.xen.arch_domain_destroy(b.domain),
}
"""What each operation does with its arguments, in the order of ``OPERATIONS``."""


def compiled(op: Operation) -> Callable[[Bench], Any]:
    """``op`` with its numbers bound."""
    code = CODE[op.name]
    keys = OPERATIONS[op.name]
    args = tuple(op.values(k.rstrip("*")) if k.endswith("*") else op.value(k.rstrip("?")) for k in keys)
    return lambda bench: code(bench, *args)
