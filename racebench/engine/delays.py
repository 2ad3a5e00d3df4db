"""Find the delayed fields of a program, by one setup before a run.

Programs without any are known at once in a process that declares none, and
otherwise by one more setup; they run exactly as if there were no store buffers.
"""

from __future__ import annotations

from typing import Any, NoReturn

from ..errors import ProgramError
from ..primitives import State, lent, state
from ..primitives.single_thread import SingleThread
from ..program import Program
from ..trace import label_of
from .numbering import Numbers


class _Looker(SingleThread, Numbers):
    """A runtime that only records what setup makes."""

    numbers = True

    def __init__(self) -> None:
        SingleThread.__init__(self)
        Numbers.__init__(self)
        self.met: list[State] = []

    def created(self, obj: Any) -> None:
        Numbers.created(self, obj)
        if isinstance(obj, State) and obj._rb_delayed:
            self.met.append(obj)

    def hangs(self, what: str) -> NoReturn:
        raise ProgramError(f"setup waits for what nobody will do: {what}")


def delayed_fields(program: Program) -> list[tuple[Any, str, str]]:
    """(number of the object, field, both in words) of each delayed field that setup makes.

    Empty also if setup raises: the run will report that.
    """
    if not state.delays_declared:
        return []
    looker = _Looker()
    with lent(looker):
        try:
            program.fresh()
        except ProgramError:
            return []
    found: dict[str, tuple[Any, str, str]] = {}
    for obj in looker.met:
        for name in obj._rb_delayed:
            text = f"{label_of(obj)}.{name}"
            if text in found:
                text += f" ({len(found)})"
            found[text] = (obj._rb_id, name, text)  # type: ignore[attr-defined]
    return list(found.values())


def only_controlled(program: Program) -> str:
    """Why ``program`` cannot run freely, in a sentence; empty if it can.

    A real thread cannot be interrupted at a chosen place, or made to delay a store.
    """
    what = ["interrupts"] if program.interrupts else []
    what += ["delayed fields"] if delayed_fields(program) else []
    if not what:
        return ""
    return (
        f"{program.name}: it has {' and '.join(what)}, which only executions under control have. "
        "Use explore or verify."
    )


def late(cls: type) -> ProgramError:
    """The error about an object with delayed fields that setup did not make."""
    return ProgramError(
        f"{cls.__name__} has delayed fields, and not all its objects are made in setup, "
        "the same each time. Make them there."
    )
