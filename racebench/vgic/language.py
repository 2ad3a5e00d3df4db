"""The operation language of scenario files: ``route virq=40 pirq=64``.

To add an operation, add its line to ``OPERATIONS`` and its code to
``bench.CODE``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import ScenarioError
from .state import FIRST_PIRQ, LAST_PIRQ, NR_INTERRUPT_PER_RANK, NR_LOCAL_IRQS

OPERATIONS: Mapping[str, tuple[str, ...]] = {
    "route": ("virq", "pirq", "dom?"),
    "release": ("virq",),
    "setup_irq": ("pirq",),
    "isenabler": ("virq*",),
    "icenabler": ("virq*",),
    "itargetsr": ("virq", "vcpu"),
    "ipriorityr": ("virq", "priority"),
    "irq": ("pirq",),
    "late_irq": ("pirq",),
    "eoi": ("virq",),
    "restore": ("vcpu",),
    "move": ("vcpu", "pcpu"),
    "cpu_on": ("vcpu",),
    "unpause": (),
    "kill": (),
    "destroy": (),
}
"""Each operation's arguments: ``?`` may be left out, ``*`` may be a list."""

MAX_PCPU, MAX_PRIORITY, MAX_DOM = 7, 255, 2

_ARGUMENT = re.compile(r"([a-z]+)=(\[(?:[0-9]{1,9}(?:,[0-9]{1,9})*)?\]|[0-9]{1,9})")
_NUMBER = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Initial:
    """The state before the threads start.

    ``routed`` has (virq, pirq, enabled), ``pending`` (virq, "lr_pending", "lr"
    or "inflight"); ``enabled`` are vIRQs that the guest enabled without a pIRQ
    behind them, ``down`` vCPUs that are not up yet; ``state`` is "creating",
    "running" or "dying".
    """

    vcpus: int = 2
    spis: int = 64
    state: str = "running"
    routed: tuple[tuple[int, int, bool], ...] = ()
    pending: tuple[tuple[int, str], ...] = ()
    enabled: tuple[int, ...] = ()
    down: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """One call into the vGIC: a name and its numbers, lists as tuples."""

    name: str
    args: tuple[tuple[str, tuple[int, ...]], ...]

    def value(self, key: str) -> int:
        """The one number of argument ``key``; 1 for a domain that is not named."""
        return dict(self.args).get(key, (1,))[0]

    def values(self, key: str) -> tuple[int, ...]:
        return dict(self.args)[key]

    def __str__(self) -> str:
        shown = (f"{k}={v[0]}" if len(v) == 1 else f"{k}=[{','.join(map(str, v))}]" for k, v in self.args)
        return " ".join((self.name, *shown))


def parse_operation(text: str, file: str, place: str, initial: Initial) -> Operation:
    """The operation that ``text`` writes; ScenarioError names ``file`` and ``place``."""

    def error(what: str, remedy: str) -> ScenarioError:
        return ScenarioError(file, place, what, remedy)

    name, _, rest = " ".join(text.split()).partition(" ")
    form = OPERATIONS.get(name)
    if form is None:
        close = difflib.get_close_matches(name, OPERATIONS, 1)
        hint = f"Did you mean {close[0]}?" if close else f"Write one of {', '.join(OPERATIONS)}."
        raise error(f"unknown operation {name!r}", hint)
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


def _words(rest: str) -> list[str]:
    """Arguments apart, with blanks inside brackets taken out."""
    return re.sub(r"\[[^\]]*\]", lambda m: re.sub(r"\s", "", m[0]), rest).split()


def usage(name: str) -> str:
    """How an operation is written."""
    words = [name]
    for key in OPERATIONS[name]:
        bare = key.rstrip("?*")
        word = f"{bare}=N" if not key.endswith("*") else f"{bare}=[N,..]"
        words.append(f"[{word}]" if key.endswith("?") else word)
    return " ".join(words)


def _check_range(key: str, value: int, initial: Initial, error: object) -> None:
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
    }[key]  # fmt: skip
    if not low <= value <= high:
        raise error(f"{key} {value} is outside {low}..{high}{why}", remedy)  # type: ignore[operator]


def _check_one_register(operation: Operation, error: object) -> None:
    if operation.name in ("isenabler", "icenabler"):
        virqs = operation.values("virq")
        if len({v // NR_INTERRUPT_PER_RANK for v in virqs}) > 1:
            raise error(  # type: ignore[operator]
                f"virq {list(virqs)} are in more than one register",
                "One write covers 32 vIRQs: use one operation for each register.",
            )
        if len(set(virqs)) < len(virqs):
            raise error(f"virq {list(virqs)} names one twice", "Name each once.")  # type: ignore[operator]
