"""Draw random small scenarios in which a real machine can be.

A thread plays one actor, and makes the operations that the table of callers gives to that
actor and that the protocol's tree has: a vCPU writes registers and ends its own
interrupts, the toolstack routes and releases, a pCPU takes a physical interrupt, the
scheduler moves a vCPU.  Two callers that always exclude each other are not drawn together.
Nor is what the hardware rules out: a vCPU traps before Xen emulates one of its register
writes, a guest that was never started has enabled nothing, the vCPUs of a dying domain do
not run.

The toolstack either routes any vIRQ to any pIRQ (route, release), or it is the one of today's
callers, for which a number is a vIRQ and a pIRQ, and which reserve it first.  If the tree
has extended SPIs, all numbers of a scenario may be extended SPIs.  The domain may be the
hardware domain, which nobody kills, and which has no device model.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from .callers import GUEST, MADE_BY, NAKED, never_beside
from .language import OPERATIONS, Initial, LineAtStart, Operation
from .state import ESPI_BASE_INTID, IrqType

Threads = Mapping[str, tuple[Operation, ...]]

VIRQS, PIRQS, PCPUS = (40, 41), (64, 65), (2, 3)
ESPIS, NR_ESPIS = (ESPI_BASE_INTID, ESPI_BASE_INTID + 1), 32
STATES = ("creating", "running", "dying")

_STATE_WEIGHTS = (2, 7, 2)
_ROUTED = (0.7, 0.25)
_MOST_OPERATIONS = 3
_VCPU = (*GUEST, "do_IRQ")
_TOOLSTACK = ("bind", "unbind", "attach", "kill")
_ROLES: Mapping[str, tuple[float, tuple[str, ...]]] = {
    "toolstack0": (3, _TOOLSTACK),
    "toolstack1": (2, _TOOLSTACK),
    "pcpu1": (2, ("do_IRQ",)),
    "pcpu2": (1, ("do_IRQ",)),
    "xen": (0.3, ("",)),
    "vcpu0": (4, _VCPU),
    "vcpu1": (2, _VCPU),
    "scheduler": (1, ("a move of a vCPU",)),
    "model": (0.7, ("set_irq_level",)),
    "rcu": (1, ("domain_vgic_free",)),
}
"""Each actor: its weight, and the callers as which it acts; "" is for operations without a caller."""
_WEIGHTS = {
    **dict.fromkeys(("isenabler", "icenabler"), 4.0),
    **dict.fromkeys(("itargetsr", "eoi"), 3.0),
    **dict.fromkeys(("route", "bind", "irq"), 2.0),
    **dict.fromkeys(("fire", "kill"), 0.4),
}
"""The weights of operations that are not drawn as often as most."""
_IN_GUEST = frozenset(("eoi", "hweoi", "trap"))
_ANYWHERE = frozenset(("restore", "irq", "fire"))


def op(name: str, **args: int | tuple[int, ...]) -> Operation:
    """``op("route", virq=40, pirq=64)``."""
    return Operation(name, tuple((k, v if isinstance(v, tuple) else (v,)) for k, v in args.items()))


class Drawn(NamedTuple):
    """A scenario without a name: its initial state, and the operations of its threads."""

    initial: Initial
    threads: Threads

    def size(self) -> tuple[int, int, int]:
        """The numbers of operations, of threads, and of numbers that they and the initial state name."""
        lists = [v for v in self.initial if isinstance(v, tuple)]
        before = sum(map(len, lists)) + sum(on for _, _, on in self.initial.routed)
        before += bool(self.initial.espis) + self.initial.hardware_domain
        ops = [op for ops in self.threads.values() for op in ops]
        return len(ops), len(self.threads), before + sum(len(n) for op in ops for _, n in op.args)

    def key(self) -> tuple[object, ...]:
        """A key that is equal for two scenarios which differ only in the names of threads."""
        return self.initial, tuple(sorted(tuple(map(str, ops)) for ops in self.threads.values()))


def draw(
    rng: random.Random, absent: Collection[str] = (), state: str | None = None, espis: bool = False
) -> Drawn:
    """Draw a scenario of two or three threads, without ``absent`` operations; ``state`` fixes the domain's.

    ``espis``: its numbers may be those of extended SPIs.
    """
    return _Draw(rng, absent, state or rng.choices(STATES, _STATE_WEIGHTS)[0], espis).drawn()


def played(initial: Initial, vcpu: int, operations: tuple[Operation, ...]) -> tuple[Operation, ...]:
    """Add to the operations of ``vcpu``'s thread the entries into the guest and exits that they need.

    An operation of the guest itself needs the guest to be entered; before Xen emulates a register
    write, the guest has been left and its list registers have been examined.
    """
    inside = any(on == "lr" and dict(initial.elsewhere).get(virq, 0) == vcpu for virq, on in initial.pending)
    made: list[Operation] = []
    for one in operations:
        if one.name not in _ANYWHERE and one.name != "unpause" and (one.name in _IN_GUEST) != inside:
            made.append(op("trap" if inside else "restore", vcpu=vcpu))
            inside = not inside
        inside = one.name == "restore" or (inside and one.name != "trap")
        made.append(one)
    return tuple(made)


class _Draw:
    def __init__(self, rng: random.Random, absent: Collection[str], state: str, espis: bool) -> None:
        self.rng, self.state = rng, state
        extended = espis and rng.random() < 0.15
        self.hardware = state != "dying" and rng.random() < 0.1
        self.initial = Initial(state=state, espis=NR_ESPIS if extended else 0, hardware_domain=self.hardware)
        self.naked = rng.random() < 0.5
        self.pirqs = ESPIS if extended else PIRQS
        self.virqs = VIRQS if self.naked and not extended else self.pirqs
        self.names = [name for name in OPERATIONS if name not in absent and self._is_called(name)]
        self.late = set(self.pirqs)
        self.threads: dict[str, tuple[Operation, ...]] = {}
        # The vCPUs that do not run, because another thread moves them.
        self.still: set[int] = set()

    def _is_called(self, name: str) -> bool:
        """Whether this scenario's toolstack has ``name``; operations of other actors are always there."""
        if name in NAKED:
            return self.naked
        return not self.naked or MADE_BY.get(name) not in (*_TOOLSTACK[:3], "set_irq_level")

    def drawn(self) -> Drawn:
        self._initial()
        weights = {name: weight for name, (weight, _) in _ROLES.items()}
        wanted = 3 if self.rng.random() < 0.3 else 2
        while len(self.threads) < wanted and any(weights.values()):
            name = self.rng.choices(list(weights), list(weights.values()))[0]
            weights[name] = 0
            made = self._thread(name)
            if made:
                self.threads[name] = made
        return Drawn(self.initial._replace(down=self._down()), self.threads)

    def _down(self) -> tuple[int, ...]:
        """The vCPUs that are switched on by a thread, and have no thread themselves."""
        ops = [one for ops in self.threads.values() for one in ops]
        asked = {one.value("vcpu") for one in ops if one.name == "cpu_on"}
        return tuple(sorted(n for n in asked if f"vcpu{n}" not in self.threads))

    # -- the initial state

    def _initial(self) -> None:
        rng, running = self.rng, self.state == "running"
        enabled = []
        for virq, pirq, likely in zip(self.virqs, self.pirqs, _ROUTED, strict=True):
            if rng.random() < likely:
                self._route(virq, pirq)
            # A scenario file has no extended SPI that is enabled with no pIRQ behind it.
            elif running and not self.initial.espis and rng.random() < 0.2:
                enabled.append(virq)
                if rng.random() < 0.3:
                    self._pending(virq, ("lr_pending", "lr"))
            elif not self.naked and "attach" in self.names and rng.random() < 0.2:
                self._add(lines=LineAtStart(pirq, IrqType.INVALID))
        self.initial = self.initial._replace(enabled=tuple(enabled))
        if self.state == "dying" and rng.random() < 0.2:
            self._add(blocked=0)

    def _add(self, **more: object) -> None:
        added: Mapping[str, Any] = {key: (*getattr(self.initial, key), one) for key, one in more.items()}
        self.initial = self.initial._replace(**added)

    def _route(self, virq: int, pirq: int) -> None:
        rng, running = self.rng, self.state == "running"
        enabled = self.state != "creating" and rng.random() < 0.6
        self._add(routed=(virq, pirq, enabled))
        if not self.naked:
            self._add(reserved=virq)
        if enabled and "ispendr" in self.names and rng.random() < 0.15:
            self._add(lines=LineAtStart(pirq, latched=True))
        if running and rng.random() < 0.3:
            self._pending(virq, ("lr_pending", "lr") if enabled else ("inflight", "lr"))
            self.late.discard(pirq)
        elif running and rng.random() < 0.15:
            self._add(targets=(virq, 1))

    def _pending(self, virq: int, places: tuple[str, str]) -> None:
        rng, on = self.rng, self.rng.choice(places)
        self._add(pending=(virq, on))
        if on == "lr" and rng.random() < 0.25:
            self._add(active=virq)
        if rng.random() < 0.2:
            self._add(targets=(virq, 1))
            routed = any(v == virq for v, _, _ in self.initial.routed)
            self._add(**({"migrating": virq} if on == "lr" and routed else {"elsewhere": (virq, 1)}))

    # -- the threads

    def _thread(self, name: str) -> tuple[Operation, ...]:
        """The operations of actor ``name``; none if it cannot run beside the other threads."""
        vcpu = int(name[-1]) if name.startswith("vcpu") else None
        if vcpu is not None and not self._runs(vcpu):
            return ()
        count = (
            1 if name.startswith("pcpu") else self.rng.choices(range(1, _MOST_OPERATIONS + 1), (6, 3, 1))[0]
        )
        made: list[Operation] = []
        for _ in range(count):
            names = [one for one in self._of(name) if one != "destroy" or not made]
            if names:
                what = self.rng.choices(names, [_WEIGHTS.get(one, 1.0) for one in names])[0]
                one = self._operation(what, vcpu)
                if one is not None:
                    made.append(one)
        if vcpu is None or not made:
            return tuple(made)
        # The guest of a domain that is being created runs after the unpause.
        start = (op("unpause"),) if self.state == "creating" else ()
        return played(self.initial, vcpu, (*start, *made))

    def _runs(self, vcpu: int) -> bool:
        """Whether ``vcpu`` can be a thread; while the domain is being created, only vCPU 0 can."""
        return vcpu not in self.still and (self.state == "running" or (self.state == "creating" and not vcpu))

    def _of(self, actor: str) -> list[str]:
        """The operations that ``actor`` may make beside the threads drawn so far."""
        callers = _ROLES[actor][1]
        others = {MADE_BY.get(one.name, "") for ops in self.threads.values() for one in ops}
        kept = [c for c in callers if not any(never_beside(c, other) for other in others)]
        if self.state != "dying":
            kept = [c for c in kept if c != "domain_vgic_free"]
        if self.state != "running" or self.hardware:
            kept = [c for c in kept if c != "kill"]
        if self.hardware:
            kept = [c for c in kept if c != "set_irq_level"]
        if self.state == "creating":
            kept = [c for c in kept if c != "a move of a vCPU"]
        names = [name for name in self.names if MADE_BY.get(name, "") in kept and name != "unpause"]
        return [name for name in names if name != "late_irq" or not actor.startswith("vcpu")]

    def _operation(self, name: str, vcpu: int | None) -> Operation | None:
        """``name`` with drawn numbers, by vCPU ``vcpu`` or another actor; None if it has no numbers."""
        args: dict[str, int | tuple[int, ...]] = {}
        for key in OPERATIONS[name]:
            bare = key.rstrip("?*")
            numbers = self._numbers(name, bare, vcpu)
            if numbers:
                args[bare] = self.virqs if key.endswith("*") and self.rng.random() < 0.1 else numbers
            elif not key.endswith("?"):
                return None
        return op(name, **args)

    def _numbers(self, name: str, key: str, vcpu: int | None) -> tuple[int, ...]:
        rng = self.rng
        if key == "vcpu":
            return self._vcpu(name, vcpu)
        if key == "either":
            # Only a running domain has vCPUs that run; their threads are found by name.
            alone = vcpu is None and self.state == "running" and rng.random() < 0.3
            return (rng.randrange(self.initial.vcpus),) if alone else ()
        if key == "pirq" and name == "late_irq":
            some = sorted(self.late)[:: rng.choice((1, -1))][:1]
            self.late.difference_update(some)
            return tuple(some)
        if key == "dom":
            other = self.state == "dying" or rng.random() < 0.2
            return (2,) if other and name == "bind" and rng.random() < 0.7 else ()
        if key == "virq":
            return (rng.choices(self.virqs, (4, 1))[0],)
        if name == "setup_irq":
            # Xen knows the type of its own lines from the device tree.
            unknown = {line.pirq for line in self.initial.lines if line.type is IrqType.INVALID}
            return tuple(sorted(set(self.pirqs) - unknown))[-1:]
        choices = {"pirq": self.pirqs, "irq": self.pirqs, "pcpu": PCPUS, "priority": (0, 255)}
        return (rng.choices(choices[key], (4, 1) if key == "irq" else None)[0],)

    def _vcpu(self, name: str, vcpu: int | None) -> tuple[int, ...]:
        """The vCPU that operation ``name`` names: itself, another one, one that does not run, or none."""
        if MADE_BY.get(name) == "a move of a vCPU":
            free = [n for n in range(self.initial.vcpus) if f"vcpu{n}" not in self.threads]
            moved = self.rng.choice(free) if free else None
            self.still |= set() if moved is None else {moved}
            return () if moved is None else (moved,)
        if vcpu is None:
            return ()
        if name == "cpu_on":
            return (1 - vcpu,)
        return (self.rng.randrange(2),) if name in ("itargetsr", "irouter") else (vcpu,)
