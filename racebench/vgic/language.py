"""The operation language of scenario files: ``route virq=40 pirq=64``.

To add an operation, add its line to ``OPERATIONS`` and its code to
``system.CODE``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..errors import ScenarioError, meant
from .state import (
    ESPI_BASE_INTID,
    FIRST_PIRQ,
    LAST_PIRQ,
    NR_ESPI_IRQS,
    NR_INTERRUPT_PER_RANK,
    NR_LOCAL_IRQS,
    IrqType,
)

OPERATIONS: Mapping[str, tuple[str, ...]] = {
    "route": ("virq", "pirq", "dom?"),
    "release": ("virq",),
    "setup_irq": ("pirq",),
    "isenabler": ("virq*",),
    "icenabler": ("virq*",),
    "itargetsr": ("virq", "vcpu"),
    "ipriorityr": ("virq", "priority"),
    "irq": ("pirq", "vcpu?", "either?"),
    "late_irq": ("pirq",),
    "fire": ("pirq", "vcpu?", "either?"),
    "eoi": ("virq", "vcpu?"),
    "hweoi": ("virq", "vcpu?"),
    "trap": ("vcpu",),
    "restore": ("vcpu",),
    "move": ("vcpu", "pcpu"),
    "steal": ("vcpu", "pcpu"),
    "cpu_on": ("vcpu",),
    "unpause": (),
    "bind": ("irq", "dom?"),
    "unbind": ("irq", "dom?"),
    "attach": ("irq", "dom?"),
    "level": ("virq", "dom?"),
    "ispendr": ("virq*", "vcpu?"),
    "icpendr": ("virq*",),
    "irouter": ("virq", "vcpu"),
    "kill": (),
    "destroy": (),
}
"""Each operation's arguments: ``?`` may be left out, ``*`` may be a list.

The ``vcpu`` of an interrupt is the one that runs on the pCPU which takes it, that of
ispendr the writer, that of an EOI the one that ends it (by default the one that has it in
an LR): the thread plays that vCPU.  ``irq`` is a vIRQ and a pIRQ.  An interrupt with
``either`` comes to the pCPU of that vCPU or to another one, and both are explored.
"""

_PLAYS = frozenset(("trap", "restore", "eoi", "hweoi"))
"""Operations of the thread that owns the list registers of the ``vcpu`` that they name."""

MAX_PCPU, MAX_PRIORITY, MAX_DOM = 7, 255, 2

_ARGUMENT = re.compile(r"([a-z]+)=(\[(?:[0-9]{1,9}(?:,[0-9]{1,9})*)?\]|[0-9]{1,9})")
_NUMBER = re.compile(r"[0-9]{1,9}")


class LineAtStart(NamedTuple):
    """A pIRQ before the threads start; ``affinity`` None: where routing or boot left it."""

    pirq: int
    type: IrqType = IrqType.LEVEL_HIGH
    affinity: int | None = None
    active: bool = False
    latched: bool = False


class Initial(NamedTuple):
    """The state before the threads start.

    ``routed`` has (virq, pirq, enabled), ``pending`` (virq, "lr_pending", "lr"
    or "inflight"); ``enabled`` are vIRQs without a pIRQ that the guest has enabled,
    ``down`` vCPUs that are not up yet, ``blocked`` those that sleep
    until they are kicked; ``state`` is "creating", "running" or "dying".

    ``targets`` has (virq, vcpu) of the vIRQs that do not go to vCPU 0.  Of the pending
    vIRQs, ``elsewhere`` has (virq, vcpu) of those that are not on vCPU 0, ``active``
    those that the guest has taken, ``migrating`` those that move at their EOI.  ``lines`` are
    pIRQs whose line is not as at boot, ``reserved`` vIRQs whose bit in
    allocated_irqs is set.
    """

    vcpus: int = 2
    spis: int = 64
    state: str = "running"
    routed: tuple[tuple[int, int, bool], ...] = ()
    pending: tuple[tuple[int, str], ...] = ()
    enabled: tuple[int, ...] = ()
    down: tuple[int, ...] = ()
    targets: tuple[tuple[int, int], ...] = ()
    elsewhere: tuple[tuple[int, int], ...] = ()
    active: tuple[int, ...] = ()
    migrating: tuple[int, ...] = ()
    lines: tuple[LineAtStart, ...] = ()
    reserved: tuple[int, ...] = ()
    blocked: tuple[int, ...] = ()
    hardware_domain: bool = False
    espis: int = 0

    def is_virq(self, virq: int) -> bool:
        """Whether the domain has ``virq``, an SPI or extended SPI."""
        return (
            NR_LOCAL_IRQS <= virq < NR_LOCAL_IRQS + self.spis
            or ESPI_BASE_INTID <= virq < ESPI_BASE_INTID + self.espis
        )


def domain_table(initial: Initial) -> dict[str, Any]:
    """``initial`` as the keys of a scenario's [domain]; defaults inside a row are left out."""
    elsewhere = dict(initial.elsewhere)

    def pending(virq: int, on: str) -> dict[str, Any]:
        at = {"vcpu": elsewhere[virq]} if virq in elsewhere else {}
        return {"virq": virq, "on": on, **at, **_flags(initial, virq)}

    return {
        "vcpus": initial.vcpus,
        "spis": initial.spis,
        "espis": initial.espis,
        "state": initial.state,
        "hardware": initial.hardware_domain,
        "routed": [
            {"virq": virq, "pirq": pirq, **({"enabled": True} if on else {})}
            for virq, pirq, on in initial.routed
        ],
        "targets": [{"virq": virq, "vcpu": vcpu} for virq, vcpu in initial.targets],
        "pending": [pending(virq, on) for virq, on in initial.pending],
        "lines": [_line(line) for line in initial.lines],
        **{key: list(getattr(initial, key)) for key in ("enabled", "reserved", "down", "blocked")},
    }


def _flags(initial: Initial, virq: int) -> dict[str, bool]:
    return {key: True for key in ("active", "migrating") if virq in getattr(initial, key)}


def _line(line: LineAtStart) -> dict[str, Any]:
    default = LineAtStart(line.pirq)
    row = {key: v for key, v in line._asdict().items() if key == "pirq" or v != getattr(default, key)}
    return row | ({"type": line.type.value} if "type" in row else {})


class Operation(NamedTuple):
    """One call into the vGIC: a name and its numbers, lists as tuples."""

    name: str
    args: tuple[tuple[str, tuple[int, ...]], ...]

    def value(self, key: str) -> int:
        """The single number of argument ``key``; 1 for a domain that is not named."""
        return dict(self.args).get(key, (1,))[0]

    def maybe(self, key: str) -> int | None:
        """The single number of argument ``key``; None if it is not given."""
        numbers = dict(self.args).get(key)
        return None if numbers is None else numbers[0]

    def values(self, key: str) -> tuple[int, ...]:
        return dict(self.args)[key]

    def __str__(self) -> str:
        shown = (f"{k}={v[0]}" if len(v) == 1 else f"{k}=[{','.join(map(str, v))}]" for k, v in self.args)
        return " ".join((self.name, *shown))


def parse_operation(text: str, file: str, place: str, initial: Initial) -> Operation:
    """Parse ``text`` as an operation; ScenarioError names ``file`` and ``place``."""

    def error(what: str, remedy: str) -> ScenarioError:
        return ScenarioError(file, place, what, remedy)

    name, _, rest = " ".join(text.split()).partition(" ")
    form = OPERATIONS.get(name)
    if form is None:
        raise error(
            f"unknown operation {name!r}", meant(name, OPERATIONS, f"Write one of {', '.join(OPERATIONS)}.")
        )
    given: dict[str, tuple[int, ...]] = {}
    for word in _words(rest):
        match = _ARGUMENT.fullmatch(word)
        if match is None:
            raise error(f"{word!r} is not name=number", f"Write {usage(name)}.")
        key = match[1]
        if key in given:
            raise error(f"{key} is given twice", f"Write {usage(name)}.")
        numbers = _NUMBER.findall(match[2])
        given[key] = tuple(int(n) for n in numbers)
    args = []
    for key in form:
        bare = key.rstrip("?*")
        values = given.pop(bare, None)
        if values is None:
            if key.endswith("?"):
                continue
            raise error(f"{name} needs {bare}", f"Write {usage(name)}.")
        if not values or (len(values) > 1 and not key.endswith("*")):
            raise error(f"{name} takes one {bare}", f"Write {usage(name)}.")
        for value in values:
            _check_range(bare, value, initial, error)
        args.append((bare, values))
    if given:
        raise error(f"{name} has no {', '.join(given)}", f"Write {usage(name)}.")
    operation = Operation(name, tuple(args))
    _check_one_register(operation, error)
    return operation


def played_twice(threads: Mapping[str, Sequence[Operation]]) -> tuple[str, str] | None:
    """The fault and its remedy if two threads play one vCPU (only one may touch its LRs); else None."""
    plays: dict[int, str] = {}
    for name, operations in threads.items():
        for op in operations:
            vcpu = op.maybe("vcpu") if op.name in _PLAYS else None
            if vcpu is not None and plays.setdefault(vcpu, name) != name:
                return f"{plays[vcpu]} and {name} both play vCPU {vcpu}: {op}", "A vCPU is one thread."
    return None


def placed_twice(threads: Mapping[str, Sequence[Operation]]) -> tuple[str, str] | None:
    """The fault and its remedy if an interrupt with ``either`` is no thread of its own; else None."""
    for name, operations in threads.items():
        for op in operations:
            vcpu = op.maybe("either")
            if vcpu is not None and op.maybe("vcpu") is not None:
                return f"{name}: {op}: vcpu and either say where it comes", "Write one of the two."
            if vcpu is not None and (len(operations) > 1 or name == f"vcpu{vcpu}"):
                return (
                    f"{name}: {op} is not a pCPU's only operation",
                    "Give it a thread of its own, pcpu1 say.",
                )
    return None


def _words(rest: str) -> list[str]:
    """Split the arguments, without the blanks inside brackets."""
    return re.sub(r"\[[^\]]*\]", lambda m: re.sub(r"\s", "", m[0]), rest).split()


def usage(name: str) -> str:
    """The syntax of an operation."""
    words = [name]
    for key in OPERATIONS[name]:
        bare = key.rstrip("?*")
        word = f"{bare}=N" if not key.endswith("*") else f"{bare}=[N,..]"
        words.append(f"[{word}]" if key.endswith("?") else word)
    return " ".join(words)


def _check_range(key: str, value: int, initial: Initial, error: object) -> None:
    if key == "virq" and initial.is_virq(value):
        return
    if key == "irq":
        _check_range("virq", value, initial, error)
        key = "pirq"
    if key == "pirq" and ESPI_BASE_INTID <= value < ESPI_BASE_INTID + NR_ESPI_IRQS:
        return
    last_virq = NR_LOCAL_IRQS + initial.spis - 1
    low, high, why, remedy = {
        "virq": (
            NR_LOCAL_IRQS, last_virq, f" (domain.spis = {initial.spis})",
            "Raise spis or choose a lower virq.",
        ),
        "pirq": (FIRST_PIRQ, LAST_PIRQ, " (SPIs)", "Choose a physical SPI."),
        "vcpu": (
            0, initial.vcpus - 1, f" (domain.vcpus = {initial.vcpus})",
            "Raise vcpus or choose a lower vcpu.",
        ),
        "pcpu": (0, MAX_PCPU, "", "Choose a lower pcpu."),
        "priority": (0, MAX_PRIORITY, "", "Choose a byte."),
        "dom": (1, MAX_DOM, "", "Domain 1 is the scenario's own."),
    }["vcpu" if key == "either" else key]  # fmt: skip
    if key == "virq" or not low <= value <= high:
        raise error(f"{key} {value} is outside {low}..{high}{why}", remedy)  # type: ignore[operator]


def _check_one_register(operation: Operation, error: object) -> None:
    if any(key.endswith("*") for key in OPERATIONS[operation.name]):
        virqs = operation.values("virq")
        if len({v // NR_INTERRUPT_PER_RANK for v in virqs}) > 1:
            raise error(  # type: ignore[operator]
                f"virq {list(virqs)} are in more than one register",
                "One write covers 32 vIRQs: use one operation for each register.",
            )
        if len(set(virqs)) < len(virqs):
            raise error(f"virq {list(virqs)} names one twice", "Name each once.")  # type: ignore[operator]
