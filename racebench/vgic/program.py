"""Build a Program from initial state, operations and a protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ..errors import UsageError
from ..findings import Broken
from ..primitives import Lock
from ..program import Program
from .action import Freed, IrqAction
from .audits import DoubleSuccess, audit
from .desc import GIC_GUEST_IRQ_TYPE
from .domain import Protocol
from .hardware import Arrival, Line
from .history import History
from .host import Host, Sched
from .language import Initial, Operation, parse_operation
from .protocols import is_bundled
from .snapshot import snapshot
from .state import NULL, Domain, IrqDesc, Machine
from .system import System, compiled

_FIRES = frozenset(("irq", "late_irq", "fire", "eoi", "hweoi", "ispendr"))
"""Operations for which it matters whether a line is active or latched."""
_SENDS = frozenset(("isenabler", "itargetsr", "irouter", "move", "eoi", "trap"))
"""Operations that set a line's affinity."""
_HYPERCALLS = frozenset(("bind", "unbind", "attach"))
_GIVES_BACK = frozenset(("release", "unbind", "destroy"))
_RESERVES = frozenset(("bind", "attach"))
_GIVES = frozenset(("route", "bind", "attach", "setup_irq"))


def build_program(
    name: str,
    initial: Initial,
    threads: Mapping[str, Sequence[Operation]],
    protocol: type[Protocol],
    history: bool = False,
) -> Program:
    """A Program whose threads run their operations on a fresh machine under ``protocol``.

    A thread's result is the list of its operations' return codes, None for
    those that have none.  The check runs every audit of the rules; with
    ``history`` it also requires that some serial order explains the return codes.
    """
    _check_there(name, threads, protocol)
    builder = MachineBuilder(initial, threads, protocol)
    operations = {name: tuple(ops) for name, ops in threads.items()}

    double_success = DoubleSuccess(operations)
    returns = History(builder.build, operations) if history else None

    def check(system: System, results: dict[str, Any]) -> list[Broken]:
        rules = [*system.audited(), *double_success.audit(results)]
        return rules if returns is None else [*rules, *returns.audit(results)]

    return Program(
        name,
        builder.build,
        _threads(operations),
        check,
        snapshot=lambda system: snapshot(system.machine),
        recycle=System.recycle,
        parts={name: tuple(str(op) for op in ops) for name, ops in operations.items()},
        smaller=lambda: _smaller(name, initial, operations, protocol, history),
    )


def broken_at_start(
    initial: Initial, threads: Mapping[str, Sequence[Operation]], protocol: type[Protocol]
) -> Broken | None:
    """A rule that is broken before any thread starts, or None.

    Two rules are excused: a line may be active at the start because the scenario says so, and
    a line may go to another pCPU than its target's if a thread sets its affinity.
    """
    machine = MachineBuilder(initial, threads, protocol).build().machine
    excused = {"irq.line_dead"}
    if _SENDS & {op.name for ops in threads.values() for op in ops}:
        excused.add("irq.wrong_affinity")
    return next((b for b in audit(machine) if b.rule not in excused), None)


def _check_there(name: str, threads: Mapping[str, Sequence[Operation]], protocol: type[Protocol]) -> None:
    """UsageError if ``threads`` have an operation that the tree of ``protocol`` does not have."""
    absent = sorted({op.name for ops in threads.values() for op in ops} & protocol.ABSENT)
    if absent:
        which = protocol.ID or protocol.__name__
        raise UsageError(
            f"{name}: {absent[0]} does not exist under {which}. Choose a protocol that has it, such as head."
        )


def written_program(
    name: str, initial: Initial, threads: Mapping[str, Sequence[str]], protocol: type[Protocol]
) -> Program:
    """``build_program`` with operations as a scenario file writes them: ``route virq=40 pirq=64``."""
    operations = {
        thread: [parse_operation(text, name, f"{thread}[{i}]", initial) for i, text in enumerate(texts)]
        for thread, texts in threads.items()
    }
    return build_program(name, initial, operations, protocol)


def _smaller(
    name: str,
    initial: Initial,
    threads: Mapping[str, tuple[Operation, ...]],
    protocol: type[Protocol],
    history: bool,
) -> Iterator[Program]:
    """The programs with one operation less; a thread without operations is dropped."""
    for thread, ops in threads.items():
        for i in range(len(ops)):
            left = {**threads, thread: ops[:i] + ops[i + 1 :]}
            if not left[thread]:
                del left[thread]
            if left:
                yield build_program(name, initial, left, protocol, history)


def _thread(operations: tuple[Operation, ...]) -> Callable[[System], list[Any]]:
    codes = tuple(compiled(op) for op in operations)
    return lambda system: [code(system) for code in codes]


def _threads(operations: Mapping[str, tuple[Operation, ...]]) -> dict[str, Callable[[System], list[Any]]]:
    """The threads' code, and one more thread for each interrupt that may come to either of two pCPUs."""
    made = {name: _thread(ops) for name, ops in operations.items()}
    for name, ops in operations.items():
        vcpu = ops[0].maybe("either") if ops else None
        if vcpu is None:
            continue
        made[name] = _taken(name, compiled(ops[0]))
        here = compiled(Operation(ops[0].name, (("pirq", ops[0].values("pirq")), ("vcpu", (vcpu,)))))
        made[f"{name} (vCPU {vcpu} runs)"] = _between(name, (_taken_here(name, vcpu, ops[0], here),))
        player = f"vcpu{vcpu}"
        if player in operations:
            made[player] = _between(name, tuple(compiled(op) for op in operations[player]))
    return made


def _taken(arrival: str, code: Callable[[System], Any]) -> Callable[[System], list[Any]]:
    return lambda system: [code(system) if system.machine.arrivals[arrival].take() else None]


def _taken_here(
    arrival: str, vcpu: int, op: Operation, code: Callable[[System], Any]
) -> Callable[[System], Any]:
    """Take the interrupt on the pCPU that runs vCPU ``vcpu`` if the line goes there, else on another."""

    def take(system: System) -> Any:
        desc = system.machine.descs[op.value("pirq")]
        here = system.xen.comes_to(desc, system.running(vcpu))
        return code(system) if here and system.machine.arrivals[arrival].take() else None

    return take


def _between(arrival: str, codes: tuple[Callable[[System], Any], ...]) -> Callable[[System], list[Any]]:
    """A thread that makes each call while no other thread holds its pCPU."""

    def run(system: System) -> list[Any]:
        pcpu, returned = system.machine.arrivals[arrival].pcpu, []
        for code in codes:
            with pcpu:
                returned.append(code(system))
        return returned

    return run


def _share_bits(threads: Mapping[str, Sequence[Operation]]) -> bool:
    """Whether one thread reserves a vIRQ, and another unbinds one."""
    reserve = {name for name, ops in threads.items() if _RESERVES & {op.name for op in ops}}
    unbind = {name for name, ops in threads.items() if "unbind" in {op.name for op in ops}}
    return any(one != other for one in reserve for other in unbind)


class MachineBuilder:
    """Builds a fresh machine in its initial state, with only the objects that a scenario names."""

    def __init__(
        self,
        initial: Initial,
        threads: Mapping[str, Sequence[Operation]],
        protocol: type[Protocol],
        system: type[System] = System,
    ) -> None:
        self.initial, self.protocol, self._system = initial, protocol, system
        operations = [op for ops in threads.values() for op in ops]
        self._reservable = set(initial.reserved)
        self.virqs, self.pirqs, self.doms = set[int](), set[int](), {1}
        for virq, pirq, _ in initial.routed:
            self.virqs.add(virq)
            self.pirqs.add(pirq)
        self.virqs.update(virq for virq, _ in initial.pending)
        self.virqs.update(initial.enabled)
        for op in operations:
            named = dict(op.args)
            irqs = named.get("irq", ())
            self._reservable.update(named.get("virq", ()) if op.name == "level" else irqs)
            self.virqs.update(named.get("virq", ()), irqs)
            self.pirqs.update(named.get("pirq", ()), irqs)
            self.doms.update(named.get("dom", ()))
        self.virqs.update(virq for virq, _ in initial.targets)
        self.virqs.update(initial.reserved)
        self.pirqs.update(line.pirq for line in initial.lines)
        self._names = [op.name for op in operations]
        self._either = {
            name: vcpu
            for name, ops in threads.items()
            for op in ops
            if (vcpu := op.maybe("either")) is not None
        }
        self._lines = bool(_FIRES & set(self._names)) or bool(initial.pending)
        # Threads that draw may take each interrupt any number of times, even a late one.
        self._draws = system is not System
        self._late = {op.value("pirq") for op in operations if op.name == "late_irq"}
        self._shares_bits = _share_bits(threads)
        # A protocol from elsewhere may use an action when its desc.lock is dropped.
        self._frees = bool(_GIVES_BACK & set(self._names)) and not is_bundled(protocol)
        self._taken = [op.value("pirq") for op in operations if op.name in ("irq", "fire")]
        if "destroy" in self._names:
            # domain_vgic_free may use a pIRQ number as a vIRQ number.  Make these vIRQs here,
            # so that no thread makes one.
            self.virqs.update(self.pirqs)

    def build(self) -> System:
        """Return a machine that no thread has touched yet.  Takes no lock."""
        machine = Machine(self.protocol.irq_desc, self.protocol.pending_irq, self.protocol.rank_irq)
        for pirq in self.pirqs:
            machine.descs[pirq]
        for dom in self.doms:
            machine.domains[dom] = self._domain(machine, dom)
        if _HYPERCALLS & set(self._names):
            machine.host = Host()
        machine.destroys = "destroy" in self._names
        machine.draws = self._draws
        machine.shares_bits = self._shares_bits
        machine.freed = Freed() if self._frees else NULL
        pcpus = {vcpu: Lock("pcpu", vcpu) for vcpu in self._either.values()}
        machine.arrivals = {name: Arrival(name, pcpus[vcpu]) for name, vcpu in self._either.items()}
        d = machine.domains[1]
        self._vgic(machine, d)
        self._physical(machine, d)
        return self._system(machine, self.protocol(machine)).remember()

    def _vgic(self, machine: Machine, d: Domain) -> None:
        """Apply what the guest and the toolstack have done to domain 1 before the start."""
        initial = self.initial
        targets = dict(initial.targets)
        for virq, vcpu in initial.targets:
            d.aim_at_start(virq, d.vcpu[vcpu])
        for virq, pirq, enabled in initial.routed:
            self._route(d, virq, machine.descs[pirq], enabled)
            machine.descs[pirq].affinity = d.vcpu[targets.get(virq, 0)].processor
        for virq in initial.enabled:
            d.enable_at_start(virq)
        for vcpu in initial.down:
            d.vcpu[vcpu].VPF_down = True
        elsewhere = dict(initial.elsewhere)
        for virq, where in initial.pending:
            d.make_pending(d.vcpu[elsewhere.get(virq, 0)], virq, where, virq in initial.active)
            desc = d.desc_of(virq)
            if desc is not NULL:
                desc.INPROGRESS = True
        for virq in initial.migrating:
            d.migrate_at_start(virq)
        for virq in initial.reserved:
            bit = d.allocated_irqs[d.allocated_index(virq)]
            bit.taken = True
            # Reserved but not routed: it belongs to a virtual device.
            bit.device = d.desc_of(virq) is NULL
        if initial.blocked:
            for v in d.vcpu:
                v.sched = Sched(v.vcpu_id)
                v.sched.VPF_blocked = v.vcpu_id in initial.blocked

    def _physical(self, machine: Machine, d: Domain) -> None:
        """Make the lines, by the pIRQs' descs and ``initial.lines``; a late interrupt's line is active."""
        lines = {line.pirq: line for line in self.initial.lines}
        changes_owner = bool(_GIVES_BACK & set(self._names)) and bool(_GIVES & set(self._names))
        for pirq, desc in machine.descs.items():
            line = lines.get(pirq)
            if line is not None:
                desc.type = line.type
                if line.affinity is not None:
                    desc.affinity = line.affinity
            if not self._lines:
                continue
            late = pirq in self._late and not self._draws
            active = desc.INPROGRESS or late or (line is not None and line.active)
            # If no other thread can have made it active, acknowledging it needs no test.
            others = self._taken.count(pirq) > 1 or "ispendr" in self._names
            contended = active or self._draws or others
            desc.line = Line(pirq, contended, changes_owner)
            desc.line.active = active
            if line is not None and line.latched:
                desc.line.latched = True
            if changes_owner and desc.action is not NULL:
                desc.line.owner = d.domain_id, desc.action.virq

    def _domain(self, machine: Machine, dom: int) -> Domain:
        initial = self.initial
        d = self.protocol.domain_type(machine, dom, initial.vcpus, initial.spis)
        for v in d.vcpu:
            if v.vcpu_id:
                v.processor = v.vcpu_id
        if initial.state != "creating":
            d.creation_finished = True
        # The other domain is always running.
        if initial.state == "dying" and dom == 1:
            d.is_dying = True
        if "cpu_on" in self._names:
            d.domain_lock = Lock("domain", dom)
        d.nr_espis = initial.espis
        d.is_hardware_domain = initial.hardware_domain and dom == 1
        for virq in self.virqs:
            d.name_virq(virq)
        for virq in self._reservable:
            d.allocated_irqs[d.allocated_index(virq)]
        return d

    def _route(self, d: Domain, virq: int, desc: IrqDesc, enabled: bool) -> None:
        """Set the state that route would leave, and ISENABLER if ``enabled``."""
        desc.action = IrqAction(d, virq, desc)
        desc.handler = GIC_GUEST_IRQ_TYPE
        desc.GUEST = True
        if enabled:
            desc.DISABLED = False
        d.route_at_start(virq, desc, enabled)
