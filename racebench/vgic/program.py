"""From initial state, operations and a protocol to a Program."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ..findings import Broken
from ..primitives import State
from ..program import Program
from .audits import DoubleSuccess, audit
from .domain import Protocol
from .handlers import GIC_GUEST_IRQ_TYPE
from .language import OPERATIONS, Initial, Operation
from .snapshot import snapshot
from .state import NULL, Domain, IrqAction, Machine
from .structures import Structures


class Bench:
    """One execution's machine, the protocol that runs it, and how it was at first."""

    __slots__ = ("_at_first", "_size", "domain", "machine", "xen")

    def __init__(self, machine: Machine, xen: Protocol) -> None:
        self.machine, self.xen = machine, xen
        self.domain = machine.domains[1]
        self._at_first: list[tuple[dict[str, Any], dict[str, Any]]] = []
        self._size = 0

    def recycle(self) -> bool:
        """Put every object back as it was built; False if threads have made new ones.

        All field values are immutable, so a shallow copy is exact.
        """
        if self._size != _size(self.machine):
            return False
        for now, first in self._at_first:
            now.update(first)
        return True

    def remember(self) -> Bench:
        """Keep the present state for ``recycle``."""
        self._size = _size(self.machine)
        self._at_first = [(vars(s), dict(vars(s))) for s in states(self.machine)]
        return self


def _size(machine: Machine) -> int:
    """How many objects the machine's tables hold."""
    return len(machine.descs) + sum([d.structures.size(d) for d in machine.domains.values()])


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


def build_program(
    name: str,
    initial: Initial,
    threads: Mapping[str, Sequence[Operation]],
    protocol: type[Protocol],
) -> Program:
    """A Program whose threads run their operations on a fresh machine under ``protocol``.

    A thread's result is the list of its operations' return codes, None for
    those that have none.  The check is every audit of ``audits.py``.
    """
    builder = MachineBuilder(initial, threads, protocol)
    operations = {name: tuple(ops) for name, ops in threads.items()}

    double_success = DoubleSuccess(operations)

    def check(bench: Bench, results: dict[str, Any]) -> list[Broken]:
        return [*audit(bench.machine), *double_success.audit(results)]

    return Program(
        name,
        builder.build,
        {name: _thread(ops) for name, ops in operations.items()},
        check,
        snapshot=lambda bench: snapshot(bench.machine),
        recycle=Bench.recycle,
        parts={name: tuple(str(op) for op in ops) for name, ops in operations.items()},
        smaller=lambda: _smaller(name, initial, operations, protocol),
    )


def _smaller(
    name: str, initial: Initial, threads: Mapping[str, tuple[Operation, ...]], protocol: type[Protocol]
) -> Iterator[Program]:
    """The program with one operation less, or without a thread that has but one."""
    for thread, ops in threads.items():
        for i in range(len(ops)):
            left = {**threads, thread: ops[:i] + ops[i + 1 :]}
            if not left[thread]:
                del left[thread]
            if left:
                yield build_program(name, initial, left, protocol)


def _thread(operations: tuple[Operation, ...]) -> Callable[[Bench], list[Any]]:
    codes = tuple(compiled(op) for op in operations)
    return lambda bench: [code(bench) for code in codes]


class MachineBuilder:
    """Makes a fresh machine in its initial state, with just what a scenario names."""

    def __init__(
        self, initial: Initial, threads: Mapping[str, Sequence[Operation]], protocol: type[Protocol]
    ) -> None:
        self.initial, self.protocol = initial, protocol
        operations = [op for ops in threads.values() for op in ops]
        self.virqs, self.pirqs, self.doms = set[int](), set[int](), {1}
        for virq, pirq, _ in initial.routed:
            self.virqs.add(virq)
            self.pirqs.add(pirq)
        self.virqs.update(virq for virq, _ in initial.pending)
        for op in operations:
            named = dict(op.args)
            self.virqs.update(named.get("virq", ()))
            self.pirqs.update(named.get("pirq", ()))
            self.doms.update(named.get("dom", ()))

    def build(self) -> Bench:
        """A machine no thread has touched yet.  No lock is taken."""
        machine = Machine()
        for pirq in self.pirqs:
            machine.descs[pirq]
        structures = self.protocol.structures(machine)
        for dom in self.doms:
            machine.domains[dom] = self._domain(structures, dom)
        d = machine.domains[1]
        for virq, pirq, enabled in self.initial.routed:
            self._route(machine, d, virq, pirq, enabled)
        for virq, where in self.initial.pending:
            structures.make_pending(d, virq, where)
            desc = structures.desc_of(d, virq)
            if desc is not NULL:
                desc.INPROGRESS = True
        return Bench(machine, self.protocol(machine)).remember()

    def _domain(self, structures: Structures, dom: int) -> Domain:
        initial = self.initial
        d = structures.domain(dom, initial.vcpus, initial.spis)
        for v in d.vcpu:
            if v.vcpu_id:
                v.processor = v.vcpu_id
        if initial.state != "creating":
            d.creation_finished = True
        if initial.state == "dying":
            d.is_dying = True
        for virq in self.virqs:
            structures.name_virq(d, virq)
        return d

    def _route(self, machine: Machine, d: Domain, virq: int, pirq: int, enabled: bool) -> None:
        """Leave behind what route, and ISENABLER if ``enabled``, would."""
        desc = machine.descs[pirq]
        desc.action = IrqAction(d, virq)
        desc.handler = GIC_GUEST_IRQ_TYPE
        desc.GUEST = True
        desc.affinity = d.vcpu[0].processor
        if enabled:
            desc.DISABLED = False
        d.structures.route_at_start(d, virq, desc, enabled)
