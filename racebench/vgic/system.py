"""One execution's machine, and what each operation of a scenario does with it.

A machine that ends in a known state is not audited again: an audit reads
only the fields of ``states`` and what is made once with the machine.  Most
executions of a scenario end in one of a few states.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from errno import ENOENT
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

from ..findings import Broken
from ..primitives import State
from .audits import audit
from .domain import Protocol
from .language import OPERATIONS, Operation
from .state import NULL, Machine, Vcpu

_MOST_KEPT = 64
"""The number of end states whose audits are cached."""


class System:
    """One execution's machine, the protocol that runs it, and its initial state.

    ``_rb_audited`` caches the broken rules of its end states so far.  The threads never use
    attributes that begin with ``_rb_``: only the controlling thread does, between executions,
    so the engine's pictures leave them out.
    """

    def __init__(self, machine: Machine, xen: Protocol) -> None:
        self.machine, self.xen = machine, xen
        self.domain = machine.domains[1]
        self._rb_at_first: list[_Object] = []
        # The objects that an audit found changed; recycle restores them.  No thread runs in between.
        self._rb_written: list[_Object] | None = None
        self._rb_audited: dict[Hashable, list[Broken]] = {}
        self._rb_tables: list[dict[int, Any]] = []
        self._rb_sizes: list[int] = []

    def recycle(self) -> bool:
        """Restore every object to its initial state; False if threads have made new objects.

        All field values are immutable, so a shallow copy is exact.
        """
        written, self._rb_written = self._rb_written, None
        if written is None:
            if self._has_grown():
                return False
            written = self._compared()
        for _, own, first, _, _ in written:
            own.update(first)
        return True

    def _has_grown(self) -> bool:
        return [len(table) for table in self._rb_tables] != self._rb_sizes

    def _compared(self) -> list[_Object]:
        """The objects that are not as they were at first."""
        return [one for one in self._rb_at_first if one[1] != one[2]]

    def audited(self) -> list[Broken]:
        """``audit`` of the machine at rest."""
        if self._has_grown():
            # New objects are not among those that are compared.
            self._rb_written = None
            return audit(self.machine)
        written = self._rb_written = self._compared()
        end = tuple([one.end() for one in written])
        known = self._rb_audited.get(end)
        if known is None:
            if len(self._rb_audited) >= _MOST_KEPT:
                self._rb_audited.clear()
            known = self._rb_audited[end] = audit(self.machine)
        return known

    def running(self, vcpu: int | None) -> Vcpu | None:
        """The vCPU whose pCPU takes an interrupt; None: a pCPU that runs none of the domain's."""
        return None if vcpu is None else self.domain.vcpu[vcpu]

    def remember(self) -> System:
        """Keep the present state for ``recycle``."""
        machine = self.machine
        self._rb_tables = [machine.descs]
        for d in machine.domains.values():
            self._rb_tables += d.tables()
        self._rb_sizes = [len(table) for table in self._rb_tables]
        self._rb_at_first = [_Object.of(i, s) for i, s in enumerate(states(machine))]
        return self


class _Object(NamedTuple):
    """The ``number``-th object: its attributes, their initial values, and a function that gets its fields.

    ``action_at`` is the index of an action among the values of the fields, -1 if there is none.
    """

    number: int
    own: dict[str, Any]
    first: dict[str, Any]
    get: Callable[[dict[str, Any]], Any]
    action_at: int

    @classmethod
    def of(cls, number: int, s: State) -> _Object:
        own: dict[str, Any] = vars(s)
        kind: type = type(s)
        return cls(number, own, dict(own), *_getter(kind))

    def end(self) -> Hashable:
        """The object's number and the values of its fields, all of which are hashable.

        An action is compared by identity but made anew each time, so its content stands for it.
        """
        number, own, _, get, at = self
        values = get(own)
        if at < 0 or values[at] is NULL:
            return number, values
        return number, values[:at], values[at].said, values[at + 1 :]


# A run's own classes live as long as the run: it is not kept alive by more than a few of them.
@lru_cache(maxsize=64)
def _getter(cls: Any) -> tuple[Callable[[dict[str, Any]], Any], int]:
    """What gets the fields of an object of ``cls`` from its attributes, and where among them an action is."""
    names = tuple(cls._rb_defaults)
    at = list(cls._rb_fields).index("action") if "action" in cls._rb_fields else -1
    # The first name twice, because with a single name itemgetter returns the bare value.
    return (itemgetter(*names, names[0]) if names else len), at


def system_states(system: System) -> Iterator[State]:
    """Every object of ``system`` that has fields or locks."""
    return states(system.machine)


def states(machine: Machine) -> Iterator[State]:
    """Every object whose fields threads can change."""
    yield machine.faults
    for desc in machine.descs.values():
        yield desc
        if desc.line is not NULL:
            yield desc.line
    for d in machine.domains.values():
        yield from d.states()
        yield from (v.sched for v in d.vcpu if v.sched is not NULL)
    if machine.host is not NULL:
        yield machine.host
    if machine.freed is not NULL:
        yield machine.freed
    yield from machine.arrivals.values()


def _did(anything: bool | None) -> int | None:
    """The code of an operation for which Xen has none; None if the protocol does not say."""
    return None if anything is None else 0 if anything else -ENOENT


HARDWARE = frozenset(("fire", "hweoi", "trap"))
"""Operations that say only whether there was anything to do: 0, or -ENOENT, which no other one returns.

Nobody in Xen gets that code, and no serial order has to explain it.
"""

CODE: Mapping[str, Callable[..., Any]] = {
    "route": lambda b, virq, pirq, dom: b.xen.route_irq_to_guest(b.machine.domains[dom], virq, pirq),
    "release": lambda b, virq: b.xen.release_guest_irq(b.domain, virq),
    "setup_irq": lambda b, pirq: b.xen.setup_irq(pirq),
    "isenabler": lambda b, virqs: b.xen.write_isenabler(b.domain, virqs),
    "icenabler": lambda b, virqs: b.xen.write_icenabler(b.domain, virqs),
    "itargetsr": lambda b, virq, vcpu: b.xen.write_itargetsr(b.domain, virq, vcpu),
    "ipriorityr": lambda b, virq, priority: b.xen.write_ipriorityr(b.domain, virq, priority),
    "irq": lambda b, pirq, vcpu, either: b.xen.physical_irq(pirq, b.running(vcpu)),
    "late_irq": lambda b, pirq: b.xen.late_irq(pirq),
    "fire": lambda b, pirq, vcpu, either: _did(b.xen.latched_irq(pirq, b.running(vcpu))),
    "eoi": lambda b, virq, vcpu: b.xen.guest_eoi(b.domain, virq, vcpu),
    "hweoi": lambda b, virq, vcpu: _did(b.xen.guest_hweoi(b.domain, virq, vcpu) is not None),
    "trap": lambda b, vcpu: _did(b.xen.gic_clear_lrs(b.domain.vcpu[vcpu])),
    "restore": lambda b, vcpu: b.xen.gic_restore_pending_irqs(b.domain.vcpu[vcpu]),
    "move": lambda b, vcpu, pcpu: b.xen.vcpu_move(b.domain, vcpu, pcpu),
    "steal": lambda b, vcpu, pcpu: b.xen.vcpu_steal(b.domain, vcpu, pcpu),
    "cpu_on": lambda b, vcpu: b.xen.do_psci_cpu_on(b.domain, vcpu),
    "unpause": lambda b: b.xen.domain_unpause(b.domain),
    "bind": lambda b, irq, dom: b.xen.bind_pt_irq(b.machine.domains[dom], irq),
    "unbind": lambda b, irq, dom: b.xen.unbind_pt_irq(b.machine.domains[dom], irq),
    "attach": lambda b, irq, dom: b.xen.attach_overlay(b.machine.domains[dom], irq),
    "level": lambda b, virq, dom: b.xen.set_irq_level(b.machine.domains[dom], virq),
    "ispendr": lambda b, virqs, vcpu: b.xen.write_ispendr(b.domain, virqs, b.running(vcpu)),
    "icpendr": lambda b, virqs: b.xen.write_icpendr(b.domain, virqs),
    "irouter": lambda b, virq, vcpu: b.xen.write_itargetsr(b.domain, virq, vcpu),
    "kill": lambda b: b.xen.domain_kill(b.domain),
    "destroy": lambda b: b.xen.arch_domain_destroy(b.domain),
}
"""What each operation does with its arguments, in the order of ``OPERATIONS``.

``either`` is for program.py: alone, an interrupt that has it comes to another pCPU.
"""
_VCPUS = frozenset(("vcpu?", "either?"))


def _argument(op: Operation, key: str) -> Any:
    if key.endswith("*"):
        return op.values(key.rstrip("*"))
    return op.maybe(key.rstrip("?")) if key in _VCPUS else op.value(key.rstrip("?"))


def explained(op: Operation, code: Any) -> Any:
    """The part of the code of ``op`` that a serial order has to explain."""
    return None if op.name in HARDWARE else code


def compiled(op: Operation) -> Callable[[System], Any]:
    """``op`` as a function of the system, with its numbers bound."""
    code = CODE[op.name]
    keys = OPERATIONS[op.name]
    args = tuple(_argument(op, key) for key in keys)
    return lambda system: code(system, *args)


def alone(op: Operation) -> Callable[[System], Any]:
    """The same for a machine with one thread; it returns only what a serial order has to explain."""
    code = compiled(op)
    return code if op.name not in HARDWARE else lambda system: explained(op, code(system))
