"""Machines for the tests: operations run one after the other, with no engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from racebench.primitives import Lock
from racebench.program import Program
from racebench.vgic import Initial, Protocol, protocol, protocol_ids, written_program
from racebench.vgic.program import System

EBUSY, EINVAL, EIO = -16, -22, -5
UNMASKED = frozenset(protocol_ids()) - {"route_while_running", "head", "new_head"}
"""The trees before 3455cd598c (2019), in which each do_IRQ breaks lock.irqs_on."""


def interrupted(under: str) -> list[str]:
    """What an interrupt breaks under ``under``, whatever comes of it."""
    return ["lock.irqs_on"] if under in UNMASKED else []


def program(
    threads: dict[str, Sequence[str]], under: str | type[Protocol] = "baseline", **initial: Any
) -> Program:
    """The program of ``threads`` from ``Initial(**initial)``."""
    code = protocol(under) if isinstance(under, str) else under
    return written_program("test", Initial(**initial), threads, code)


def system(*, under: str | type[Protocol] = "baseline", naming: Sequence[str] = (), **initial: Any) -> System:
    """A machine at its start, with what the operations ``naming`` mention."""
    state: System = program({"t": naming}, under, **initial).setup()
    return state


def run(
    *operations: str, under: str | type[Protocol] = "baseline", **initial: Any
) -> tuple[list[Any], System]:
    """The return codes of ``operations``, and the machine after them."""
    made = program({"t": operations}, under, **initial)
    state: System = made.setup()
    return made.threads["t"](state), state


def rules(*operations: str, under: str | type[Protocol] = "baseline", **initial: Any) -> list[str]:
    """The rules that are broken after ``operations``."""
    made = program({"t": operations}, under, **initial)
    state = made.setup()
    return [b.rule for b in made.broken_rules(state, {"t": made.threads["t"](state)})]


def locks_held(state: System) -> list[str]:
    """Every lock of the machine that somebody holds."""
    owners: list[Any] = [*state.machine.descs.values()]
    for d in state.machine.domains.values():
        owners += d.states()
    locks = [value for o in owners for value in vars(o).values() if isinstance(value, Lock)]
    return [lock.name for lock in locks if lock.locked()]
