"""What changes in an execution without a step: plain attributes, lists, globals, closures.

Nothing announces such a change, and to look at each access would cost every program
dear.  So pictures are taken of what the threads can reach, before and after a few of
the executions (the first, second, fourth, eighth...): what differs was changed by some
thread.  Only then a few executions more are traced, line by line, for who uses it.

What one thread alone uses is its own, and says nothing about the proof.  Nor does what
is used with one lock held, always the same: the steps of the lock are searched in all
their orders, so all orders of the uses are.  What else one thread changes and another
one uses too is what schedules would have to be about, and are not: the answer is
unknown, and names it.  That may be a false alarm, for two threads that fill a list
which nobody looks at, or if something other than a lock orders them; the other way
round a proof could be wrong.  Not noticed: a change that is undone in the same
execution, a use under another name (``getattr``, code in C), one that a few executions
do not come to.  Objects are told apart by the names of their attributes only.
"""

from __future__ import annotations

import dis
import functools
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import (
    BuiltinFunctionType,
    CodeType,
    FrameType,
    FunctionType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
)
from typing import Any

from ..primitives import State, _Primitive
from ..program import Program
from .instrument import SLOT, site_of
from .osthreads import is_ours

TRACED = 3
_MOST = 2_000
_VALUES = (int, float, complex, str, bytes, bool, type(None))
_ITEMS = (list, tuple, set, frozenset, deque)
_SKIPPED = (_Primitive, ModuleType, type, FunctionType, BuiltinFunctionType, MethodType)
_NAMED = {"LOAD_ATTR", "LOAD_METHOD", "LOAD_GLOBAL", "LOAD_DEREF", "LOAD_CLASSDEREF"}
_STORES = {"STORE_ATTR", "DELETE_ATTR", "STORE_GLOBAL", "STORE_DEREF", "DELETE_GLOBAL", "DELETE_DEREF"}


@dataclass(frozen=True, slots=True)
class Spot:
    """A place that a value can be in: ``what`` it is in words, and the ``name`` that code has for it."""

    what: str
    name: str


Picture = dict[tuple[Any, ...], tuple[Spot, Any]]
"""By its path from the roots, each spot with its value."""


def picture(program: Program, state: Any) -> Picture:
    """What the threads of ``program`` can reach that no step announces."""
    seen: set[int] = set()
    found: Picture = {}
    left: deque[tuple[tuple[Any, ...], Spot, Any]] = deque(_roots(program, state))
    while left and len(found) < _MOST:
        path, spot, value = left.popleft()
        cls = type(value)
        if not issubclass(cls, _SKIPPED):
            found[path] = spot, value
        if issubclass(cls, (*_VALUES, *_SKIPPED)) or id(value) in seen:
            continue
        seen.add(id(value))
        left.extend(((*path, key), inner, one) for key, inner, one in _inside(spot, value))
    return found


def changed(before: Picture, after: Picture) -> set[Spot]:
    """Where the two differ."""
    spots = set()
    for path in before.keys() | after.keys():
        one, other = before.get(path), after.get(path)
        if one is None or other is None or not _same(one[1], other[1]):
            spots.add((other or one)[0])  # type: ignore[index]
    return spots


def _same(one: Any, other: Any) -> bool:
    return one is other or (type(one) is type(other) and type(one) in _VALUES and one == other)


def _roots(program: Program, state: Any) -> Iterator[tuple[tuple[Any, ...], Spot, Any]]:
    yield ("state",), Spot("the state", ""), state
    handlers = {name: handler for name, (_, handler) in program.interrupts.items()}
    for function in (*program.threads.values(), *handlers.values()):
        while isinstance(function, (functools.partial, MethodType)):
            function = function.func if isinstance(function, functools.partial) else function.__func__
        if not isinstance(function, FunctionType):
            continue
        cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=False)
        for name, cell in cells:
            try:
                value = cell.cell_contents
            except ValueError:
                continue
            yield ("cell", id(cell)), Spot(f"{name}, a variable around {function.__qualname__}", name), value
        for name in function.__code__.co_names:
            if name in function.__globals__:
                value = function.__globals__[name]
                yield ("global", function.__module__, name), Spot(f"the global {name}", name), value


def _inside(spot: Spot, value: Any) -> Iterator[tuple[Any, Spot, Any]]:
    """What ``value`` holds: a key, the spot, and what is there.  Runs no code of the user's."""
    cls = type(value)
    if hasattr(cls, "_rb_owner"):
        # Each use of it is a step.
        return
    if issubclass(cls, dict):
        for key, one in list(dict.items(value)):
            yield ("key", key if type(key) in _VALUES else id(key)), spot, one
        return
    base = next((base for base in _ITEMS if issubclass(cls, base)), None)
    if base is not None:
        items = list(base.__iter__(value))
        if base in (set, frozenset):
            items.sort(key=id)
        yield "len", spot, len(items)
        for n, one in enumerate(items):
            yield n, spot, one
        return
    for name, one in _attributes(value).items():
        if not (issubclass(cls, State) and name.startswith(SLOT)):
            yield name, Spot(f"{cls.__name__}.{name}, a plain attribute", name), one


def _attributes(value: Any) -> dict[str, Any]:
    """The attributes that ``value`` itself has, by its dict and its slots."""
    found: dict[str, Any] = {}
    for cls in type(value).__mro__:
        for name in _slots(cls):
            with suppress(AttributeError):
                found[name] = cls.__dict__[name].__get__(value)
    with suppress(AttributeError):
        found.update(object.__getattribute__(value, "__dict__"))
    return {name: one for name, one in found.items() if type(name) is str}


def _slots(cls: type) -> list[str]:
    return [name for name, member in list(cls.__dict__.items()) if type(member) is MemberDescriptorType]


# -- who uses it


@dataclass(slots=True)
class Uses:
    """Who uses each of some names, and where: the first place that writes it, or else that reads it.

    ``under`` has the locks that were held at all uses.
    """

    names: frozenset[str]
    by: dict[str, dict[str, tuple[bool, str]]] = field(default_factory=dict)
    under: dict[str, frozenset[str]] = field(default_factory=dict)

    def tracer(self, task: Any) -> Callable[[FrameType, str, Any], Any]:
        """What ``sys.settrace`` is to have in the thread of ``task``; one thread runs at a time."""

        def look(frame: FrameType, event: str, argument: Any) -> Any:
            if event == "call":
                if is_ours(frame.f_code.co_filename):
                    return None
                # By the instruction: a lock may be taken in the middle of a line.
                frame.f_trace_opcodes, frame.f_trace_lines = True, False
            elif event == "opcode":
                name, writes = _names(frame.f_code).get(frame.f_lasti, ("", False))
                if name in self.names:
                    self._used(name, task, writes, frame)
            return look

        return look

    def _used(self, name: str, task: Any, writes: bool, frame: FrameType) -> None:
        thread = task.name
        # A read-write lock that is shared with other readers guards against no other writer.
        held = {lock.name for lock, _, _ in task.held if not writes or getattr(lock, "writer", task) is task}
        self.under[name] = self.under.get(name, frozenset(held)) & held
        known = self.by.setdefault(name, {}).get(thread)
        if known is None or (writes and not known[0]):
            self.by[name][thread] = writes, str(site_of(frame.f_code, frame.f_lasti))

    def told(self, spots: set[Spot], all_of_them: bool = False) -> list[str]:
        """A sentence for each of ``spots`` that two threads use with no lock in common, or of all."""
        sentences = []
        for spot in sorted(spots, key=lambda spot: spot.what):
            users = self.by.get(spot.name, {})
            if all_of_them or (len(users) > 1 and not self.under[spot.name]):
                ordered = sorted(users.items(), key=lambda item: not item[1][0])
                parts = [f"{'written' if w else 'used'} by {t} in {site}" for t, (w, site) in ordered]
                how = " and ".join(parts) or "changed by the threads"
                sentences.append(
                    f"{spot.what}, is {how}: RaceBench does not see that. "
                    "Declare it with racebench.shared in a State."
                )
        return sentences


@functools.lru_cache(maxsize=4096)
def _names(code: CodeType) -> Mapping[int, tuple[str, bool]]:
    """By offset, the name that an instruction has, and whether it stores there."""
    return {
        instruction.offset: (str(instruction.argval), instruction.opname in _STORES)
        for instruction in dis.get_instructions(code)
        if instruction.opname in _NAMED or instruction.opname in _STORES
    }


def traced(tracer: Callable[[FrameType, str, Any], Any], call: Callable[[], None]) -> None:
    """``call()`` with ``tracer`` in this thread, and what was there put back."""
    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        call()
    finally:
        sys.settrace(before)
