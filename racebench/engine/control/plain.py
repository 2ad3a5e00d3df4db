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
do not come to.  What only one thread can reach is its own; among what several can, objects
are told apart by the names of their attributes only.
"""

from __future__ import annotations

import dis
import functools
import sys
import sysconfig
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

from ...primitives import Field, State, _Primitive
from ...program import Program
from ...values import never_changes
from ..instrument import SLOT, site_of
from ..osthreads import is_ours

TRACED = 3
_WORD = tuple.__itemsize__
_OURS = tuple(f"{__name__.partition('.')[0]}.{part}" for part in ("engine", "trace", "program", "findings"))
_MOST = 20_000
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
    inside: bool = False
    """Whether it is in a container, which who only reads the name may change."""
    library: bool = False
    """Whether it belongs to an object of Python's own library, whose code is not followed."""

    def within(self) -> Spot:
        """Where what is in it is, if it is a container."""
        return self if self.inside else Spot(self.what, self.name, True, self.library)


_STEPPED = Spot("", "")
"""Where each change is a step."""


class Picture(dict[tuple[Any, ...], tuple[Spot, Any, Any]]):
    """By its path from the roots, each spot with its value and what holds it; ``met`` has all that was met, by id."""

    def __init__(self) -> None:
        super().__init__()
        self.met: dict[int, Any] = {}


_Left = deque[tuple[tuple[Any, ...], Spot, Any, Any]]
"""What is still to be looked at: path, spot, value, what holds it."""


def picture(program: Program, state: Any) -> Picture:
    """What the threads of ``program`` can reach that no step announces."""
    roots: _Left = deque([(("state",), Spot("the state", ""), state, None)])
    for function in (*_functions(program), *_code_of(state)):
        roots.extend(_roots(function))
    roots.extend(_of_class(getattr(type(state), "_rb_variant_of", type(state))))
    return _pictured(roots)


def _pictured(left: _Left) -> Picture:
    found = Picture()
    met = found.met
    while left and len(found) < _MOST:
        path, spot, value, holder = left.popleft()
        cls = type(value)
        skipped = issubclass(cls, _SKIPPED)
        if spot.name and not skipped:
            found[path] = spot, value, holder
        if skipped or issubclass(cls, _VALUES) or id(value) in met:
            continue
        if cls.__module__.startswith(_OURS) and not hasattr(cls, "_rb_owner"):
            continue
        met[id(value)] = value
        left.extend(((*path, key), inner, one, value) for key, inner, one in _inside(spot, value))
    return found


def changed(program: Program, before: Picture, after: Picture) -> set[Spot]:
    """Where the two differ, but for what only one thread can reach."""
    differ = []
    one_by_one, others = _by_holder(before), _by_holder(after)
    for key in one_by_one.keys() | others.keys():
        one, other = one_by_one.get(key), others.get(key)
        if one is None or other is None:
            # What a thread has made and filled is new, not changed; nor is what is out of reach by now.
            entry, elsewhere = (one, after) if other is None else (other, before)
            if entry is not None and (entry[2] is None or id(entry[2]) in elsewhere.met):
                differ.append(entry)
        elif not _same(one[1], other[1]) or _is_hidden(type(other[1])):
            differ.append(other)
    if not differ:
        return set()
    # What lies behind a variable around one thread's function, and nowhere else, is that thread's own.
    around: dict[int, int] = {}
    for function in _functions(program):
        cells = deque(root for root in _roots(function) if root[0][0] == "cell")
        for holder in {id(holder) for _, _, holder in _pictured(cells).values()}:
            around[holder] = around.get(holder, 0) + 1
    open_to_all = {id(holder) for path, (_, _, holder) in after.items() if path[0] != "cell"}
    return {
        spot
        for spot, _, holder in filter(None, differ)
        if around.get(id(holder)) != 1 or id(holder) in open_to_all
    }


def _by_holder(picture: Picture) -> dict[Any, tuple[Spot, Any, Any]]:
    """The same by what holds the value: at one place there may be another object by now."""
    return {(path if entry[2] is None else id(entry[2]), path[-1]): entry for path, entry in picture.items()}


def _same(one: Any, other: Any) -> bool:
    return one is other or (type(one) is type(other) and type(one) in _VALUES and one == other)


def _is_hidden(cls: type) -> bool:
    """Whether an instance of ``cls`` has something to change that no attribute or item shows.

    An iterator, a buffer, a generator of random numbers: what it is like cannot be compared.
    """
    if issubclass(cls, (*_VALUES, *_SKIPPED, dict, *_ITEMS, State)) or never_changes(cls):
        return False
    words = sum(len(_slots(base)) for base in cls.__mro__ if not base.__module__ == "builtins")
    words += (cls.__dictoffset__ > 0) + (cls.__weakrefoffset__ > 0)  # type: ignore[attr-defined]
    return cls.__basicsize__ > object.__basicsize__ + words * _WORD


def _functions(program: Program) -> list[Callable[..., Any]]:
    return [*program.threads.values(), *(handler for _, handler in program.interrupts.values())]


def _roots(function: Any) -> Iterator[tuple[tuple[Any, ...], Spot, Any, Any]]:
    """The variables around ``function``, and the globals that it, and what it may call, name."""
    to_do, met = [_bare_function(function)], set[int]()
    for one in to_do:
        if one is None or id(one) in met or is_ours(one.__code__.co_filename) or is_library(one.__code__):
            continue
        met.add(id(one))
        for name, cell in zip(one.__code__.co_freevars, one.__closure__ or (), strict=False):
            try:
                value = cell.cell_contents
            except ValueError:
                continue
            spot = Spot(f"{name}, a variable around {one.__qualname__}", name)
            yield ("cell", id(cell)), spot, value, cell
            to_do += _code_of(value)
        for name in _names_in(one.__code__):
            if name in one.__globals__:
                value = one.__globals__[name]
                # What functions have in common has no holder of its own: it is told by its name.
                yield ("global", one.__module__, name), Spot(f"the global {name}", name), value, None
                to_do += _code_of(value)
                if isinstance(value, type):
                    yield from _of_class(value)
                elif isinstance(value, (ModuleType, FunctionType)):
                    yield from _of_namespace(value)


def _bare_function(function: Any) -> FunctionType | None:
    while isinstance(function, (functools.partial, MethodType)):
        function = function.func if isinstance(function, functools.partial) else function.__func__
    return function if isinstance(function, FunctionType) else None


def _code_of(value: Any) -> list[FunctionType | None]:
    """The functions that may run when ``value`` is called, or its methods are."""
    cls = value if isinstance(value, type) else type(value)
    if isinstance(value, (FunctionType, MethodType, functools.partial)):
        return [_bare_function(value)]
    return [one for one in vars(cls).values() if isinstance(one, FunctionType)]


def _of_class(cls: type) -> Iterator[tuple[tuple[Any, ...], Spot, Any, Any]]:
    """The attributes of ``cls`` that are data; of a class of Python's own, or ours, none."""
    if cls.__module__ == "builtins" or is_ours(
        getattr(sys.modules.get(cls.__module__), "__file__", "") or ""
    ):
        return
    for base in cls.__mro__:
        for name, value in list(vars(base).items()):
            if not name.startswith("_") and not isinstance(value, Field) and not hasattr(value, "__get__"):
                spot = Spot(f"{base.__name__}.{name}, a class attribute", name)
                yield ("class", base.__module__, base.__qualname__, name), spot, value, None


def _of_namespace(value: Any) -> Iterator[tuple[tuple[Any, ...], Spot, Any, Any]]:
    """What is data in a module of the program's, or kept with a function."""
    module = value.__name__ if isinstance(value, ModuleType) else value.__module__ or ""
    top = module.partition(".")[0]
    if (top in sys.stdlib_module_names and top != "__main__") or top == __name__.partition(".")[0]:
        return
    for name, one in list(vars(value).items()):
        if not name.startswith("_") and not callable(one) and not isinstance(one, ModuleType):
            yield (
                ("namespace", module, value.__name__, name),
                Spot(f"{value.__name__}.{name}", name),
                one,
                None,
            )


def _names_in(code: CodeType) -> set[str]:
    """The names in ``code`` and in the code inside it."""
    names = set(code.co_names)
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            names |= _names_in(inner)
    return names


def is_library(code: CodeType) -> bool:
    """Whether ``code`` is Python's own, which is taken to look after itself."""
    return code.co_filename.startswith(_LIBRARY) and "site-packages" not in code.co_filename


_LIBRARY = sysconfig.get_path("stdlib")


def _inside(spot: Spot, value: Any) -> Iterator[tuple[Any, Spot, Any]]:
    """What ``value`` holds: a key, the spot, and what is there.  Runs no code of the user's."""
    cls = type(value)
    # Each use of a tracked container, or of a field, is a step; what it holds may have more.
    stepped = hasattr(cls, "_rb_owner")
    spot = _STEPPED if stepped else spot.within()
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
        if issubclass(cls, State) and name.removeprefix(SLOT) in cls._rb_fields:
            yield name, _STEPPED, one
        elif not name.startswith("_rb_"):
            yield name, _attribute(cls.__name__, cls.__module__, name), one


@functools.lru_cache(maxsize=4096)
def _attribute(cls: str, module: str, name: str) -> Spot:
    library = module.partition(".")[0] in sys.stdlib_module_names
    return Spot(f"{cls}.{name}, a plain attribute", name, False, library)


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

    ``under`` has the locks that were held at all uses.  Whoever reads a name that is
    ``loose`` may change what it names.
    """

    names: frozenset[str]
    loose: frozenset[str] = frozenset()
    by: dict[str, dict[str, tuple[bool, str]]] = field(default_factory=dict)
    under: dict[str, frozenset[str]] = field(default_factory=dict)

    def tracer(self, task: Any) -> Callable[[FrameType, str, Any], Any]:
        """What ``sys.settrace`` is to have in the thread of ``task``; one thread runs at a time."""

        def look(frame: FrameType, event: str, argument: Any) -> Any:
            if event == "call":
                if is_ours(frame.f_code.co_filename) or is_library(frame.f_code):
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
        looks = not writes and name not in self.loose
        held = {lock.name for lock, _, _ in task.held if looks or getattr(lock, "writer", task) is task}
        self.under[name] = self.under.get(name, frozenset(held)) & held
        known = self.by.setdefault(name, {}).get(thread)
        if known is None or (writes and not known[0]):
            self.by[name][thread] = writes, str(site_of(frame.f_code, frame.f_lasti))

    def told(self, spots: set[Spot], all_of_them: bool = False) -> list[str]:
        """A sentence for each of ``spots`` that two threads use with no lock in common, or of all."""
        sentences = []
        for spot in sorted(spots, key=lambda spot: spot.what):
            users = self.by.get(spot.name, {})
            # Changed, and nobody was seen to use it: by another name, as with ``vars``.
            hidden = not users and not spot.library
            if all_of_them or hidden or (len(users) > 1 and not self.under[spot.name]):
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
