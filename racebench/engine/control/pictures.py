"""Pictures of what the threads of a program can reach and no step announces.

A walk from the state and from the threads' functions meets every object that they can
come to: by attributes, items, variables around a function, its defaults, the globals that
its code names, the dicts of classes and modules, properties, bound methods, weak
references.  What is shared by a field is left out, since its steps announce it, and so is
what RaceBench keeps in a lock.  When the execution is over each place is looked at again.

An object may be reached in several ways, and code may use any of them: a place has all
the names that lead to it.  What only one thread's function leads to, by a variable around
it or a default, is that thread's own.  No code of the user's runs here.
"""

from __future__ import annotations

import enum
import functools
import sys
import sysconfig
import weakref
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from types import (
    BuiltinFunctionType,
    CellType,
    CodeType,
    FunctionType,
    MemberDescriptorType,
    MethodType,
    MethodWrapperType,
    ModuleType,
)
from typing import Any, NamedTuple

from ...primitives import Field, Primitive, State
from ...program import Program
from ...values import never_changes
from ..instrument import SLOT
from ..osthreads import is_ours

_MOST = 50_000
_WORD = tuple.__itemsize__
_OURS = tuple(f"{__name__.partition('.')[0]}.{part}" for part in ("engine", "trace", "program", "findings"))
_VALUES = (int, float, complex, str, bytes, bool, type(None))
_ITEMS = (list, tuple, set, frozenset, deque)
_CODE = (FunctionType, BuiltinFunctionType, MethodType, MethodWrapperType, type, ModuleType)
_REFERS = (functools.partial, property, staticmethod, classmethod, weakref.ref)
_LIBRARY = sysconfig.get_path("stdlib")
_NOTHING = object()
_COMMON = -1
"""The owner of what the state, a global, a class or a module leads to; else it is a thread's number."""


class _Items(list[Any]):
    """What a container holds."""


class _Kind(enum.Enum):
    """What of an object is looked at, beside a name where there is one."""

    ITEMS = enum.auto()
    CELL = enum.auto()
    DEFAULTS = enum.auto()
    HIDDEN = enum.auto()
    """Something that cannot be compared, and so counts as changed."""
    ATTRIBUTE = enum.auto()
    MEMBER = enum.auto()
    """A global, or an attribute of a module, a class or a function."""


class Spot(NamedTuple):
    """One way to a value: ``what`` it is in words, "" if each use is a step, and the ``name`` code has for it.

    ``inside``: it is in what the name stands for, so that who only reads the name may change it.
    """

    what: str
    name: str
    inside: bool = False

    def within(self) -> Spot:
        return Spot(self.what, self.name, True)


@dataclass(frozen=True, slots=True)
class Place:
    """What was changed: in words, and the names that code may have used for it."""

    what: str
    names: frozenset[str]
    loose: bool
    certain: bool
    """Whether it was changed for sure, and is not only what cannot be compared."""

    @classmethod
    def of(cls, spots: set[Spot], certain: bool) -> Place | None:
        """None if each way to it is a step."""
        plain = min((spot for spot in spots if spot.what), default=None)
        names = frozenset(spot.name for spot in spots if spot.name)
        loose = any(spot.inside for spot in spots)
        return None if plain is None else cls(plain.what, names, loose, certain)


class _Space(NamedTuple):
    """A dict of globals, or a class: ``whole``, or only what of it some code names."""

    holder: Any
    called: str
    whole: bool


_NOWHERE = Spot("", "")
_At = tuple[int, _Kind, str]


class Picture:
    """What was met, and by place, which is an object's id and what of it, the value there and the ways to it.

    All that was met is kept, so that an id is not another's.
    """

    def __init__(self, program: Program, state: Any) -> None:
        self.truncated = False
        self._met: dict[int, Any] = {}
        self._owners: dict[int, set[int]] = {}
        self._values: dict[_At, Any] = {}
        self._spots: dict[_At, set[Spot]] = {}
        self._done: set[tuple[int, Spot, int]] = set()
        self._left: deque[tuple[Spot, Any, int]] = deque()
        self._names: set[str] = set()
        self._spaces: dict[int, _Space] = {}
        self._looked: dict[int, tuple[bool, int]] = {}
        self._objects: dict[int, tuple[Any, set[Spot]]] = {}
        self._dicts: set[int] = set()
        self._ours: dict[type, frozenset[str]] = {}
        self._slots: dict[type, dict[str, MemberDescriptorType]] = {}
        self._hidden: dict[type, bool] = {}
        functions = [*program.threads.values(), *(handler for _, handler in program.interrupts.values())]
        self._left.append((_NOWHERE, state, _COMMON))
        self._left.extend((_NOWHERE, function, n) for n, function in enumerate(functions))
        self._walk()

    def changed(self) -> set[Place]:
        """Where it is no longer as it was, but for what only one thread can reach.

        What a thread has made and filled is new, not changed.
        """
        ways = [
            (self._spots[at], at[1] is not _Kind.HIDDEN)
            for at, before in self._values.items()
            if self._is_open(at[0]) and not _same(before, self._now(at))
        ]
        for value, spots in self._objects.values():
            if self._is_open(id(value)):
                for name, _ in self._own(value):
                    if (id(value), _Kind.ATTRIBUTE, name) not in self._values:
                        ways.append(({self._way(value, name, spot) for spot in spots}, True))
        for space in self._spaces.values():
            for name, _, spot in self._members(space):
                if (id(space.holder), _Kind.MEMBER, name) not in self._values:
                    ways.append(({spot}, True))
        return {place for spots, certain in ways if (place := Place.of(spots, certain)) is not None}

    def _is_open(self, holder: int) -> bool:
        """Whether several threads can reach it, and not as the dict of an object that was met itself."""
        owners = self._owners[holder]
        return (_COMMON in owners or len(owners) > 1) and holder not in self._dicts

    def _now(self, at: _At) -> Any:
        value, kind, name = self._met[at[0]], at[1], at[2]
        if kind is _Kind.ITEMS:
            return _items(value)
        if kind is _Kind.CELL:
            return _content(value)
        if kind is _Kind.DEFAULTS:
            return _Items((value.__defaults__, value.__kwdefaults__))
        if kind is _Kind.ATTRIBUTE:
            return dict(self._own(value)).get(name, _NOTHING)
        if kind is _Kind.MEMBER:
            return (value if type(value) is dict else vars(value)).get(name, _NOTHING)
        return _NOTHING

    # -- the walk

    def _walk(self) -> None:
        while self._left or self._more_names():
            spot, value, owner = self._left.popleft()
            if (id(value), spot, owner) in self._done:
                continue
            if len(self._done) >= _MOST:
                self.truncated = True
                return
            self._done.add((id(value), spot, owner))
            self._meet(value, owner)
            self._look(spot, value, owner)

    def _more_names(self) -> bool:
        """Whether code that was met meanwhile names more of a module or a class than was looked at."""
        for space in list(self._spaces.values()):
            at = id(space.holder)
            # All of a class is there at first; of the others more may be named by now.
            known = space.whole, 0 if space.whole and isinstance(space.holder, type) else len(self._names)
            if self._looked.get(at) == known:
                continue
            self._looked[at] = known
            for name, one, spot in self._members(space):
                if (at, _Kind.MEMBER, name) not in self._values:
                    self._note(space.holder, _Kind.MEMBER, name, spot, one)
                    self._go(spot, one, _COMMON)
        return bool(self._left)

    def _meet(self, value: Any, owner: int) -> None:
        self._met[id(value)] = value
        self._owners.setdefault(id(value), set()).add(owner)

    def _note(self, holder: Any, kind: _Kind, name: str, spot: Spot, value: Any) -> None:
        at = id(holder), kind, name
        self._values[at] = value
        self._spots.setdefault(at, set()).add(spot)

    def _go(self, spot: Spot, value: Any, owner: int) -> None:
        if type(value) not in _VALUES:
            self._left.append((spot, value, owner))

    def _look(self, spot: Spot, value: Any, owner: int) -> None:
        cls = type(value)
        if cls is FunctionType:
            self._function(spot, value, owner)
        elif issubclass(cls, type):
            for base in value.__mro__:
                self._enter(base, f"{base.__name__}.", base.__module__)
        elif issubclass(cls, ModuleType):
            self._enter(vars(value), f"{value.__name__}.", value.__name__)
        elif issubclass(cls, (MethodType, BuiltinFunctionType, MethodWrapperType, *_REFERS)):
            for one in _referred(value):
                self._go(spot.within(), one, owner)
        elif value is sys.modules:
            self._enter(value, "the module ", None)
        elif issubclass(cls, (dict, *_ITEMS)):
            # Each use of a tracked container is a step, though what it holds may have more.
            spot = _NOWHERE if hasattr(cls, "_rb_owner") else spot.within()
            items = _items(value)
            self._note(value, _Kind.ITEMS, "", spot, items)
            for one in items:
                self._go(spot, one, owner)
            self._attributes(spot, value, owner)
        elif value is not sys.stdout and value is not sys.stderr:
            self._instance(spot, value, owner)

    def _instance(self, spot: Spot, value: Any, owner: int) -> None:
        cls = type(value)
        ours = cls.__module__.startswith(_OURS) and not issubclass(cls, Primitive)
        # What is written to a log is for people.
        if ours or cls.__module__.startswith("logging"):
            return
        if cls not in self._hidden:
            self._hidden[cls] = _is_hidden(cls)
        if self._hidden[cls]:
            self._note(value, _Kind.HIDDEN, "", spot, _NOTHING)
        self._attributes(spot, value, owner)
        self._go(_NOWHERE, cls, _COMMON)

    def _attributes(self, spot: Spot, value: Any, owner: int) -> None:
        self._objects.setdefault(id(value), (value, set()))[1].add(spot)
        for name, one in self._own(value):
            way = self._way(value, name, spot)
            self._note(value, _Kind.ATTRIBUTE, name, way, one)
            self._go(way, one, owner)

    def _own(self, value: Any) -> list[tuple[str, Any]]:
        """The attributes that ``value`` itself has, by its slots and its dict, but for what is RaceBench's."""
        cls = type(value)
        if cls not in self._slots:
            self._slots[cls] = {name: slot for base in cls.__mro__ for name, slot in _slots(base)}
            self._ours[cls] = _of_racebench(cls) if issubclass(cls, Primitive) else frozenset()
        found = []
        for name, slot in self._slots[cls].items():
            with suppress(AttributeError):
                found.append((name, slot.__get__(value)))
        with suppress(AttributeError):
            own = object.__getattribute__(value, "__dict__")
            self._dicts.add(id(own))
            found += own.items()
        ours = self._ours[cls]
        fields = {SLOT + name for name in cls._rb_fields} if issubclass(cls, State) else ()
        return [
            (name, one)
            for name, one in found
            if type(name) is str and name not in ours and (name in fields or not name.startswith("_rb_"))
        ]

    def _way(self, value: Any, name: str, spot: Spot) -> Spot:
        """The way to the attribute ``name`` of ``value``, to which there is ``spot``."""
        cls = type(value)
        if name.startswith(SLOT):
            return Spot("", name.removeprefix(SLOT))
        # Code of Python's own is not followed: its object is used by the name that led to it.
        library = _is_library(cls.__module__)
        return spot.within() if library else Spot(f"{cls.__name__}.{name}, a plain attribute", name)

    def _function(self, spot: Spot, function: FunctionType, owner: int) -> None:
        code, called = function.__code__, function.__qualname__
        if is_ours(code.co_filename) or is_library(code):
            return
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=False):
            way = Spot(f"{name}, a variable around {called}", name)
            self._meet(cell, owner)
            self._note(cell, _Kind.CELL, "", way, _content(cell))
            self._go(way, _content(cell), owner)
        way = Spot(f"a default argument of {called}", spot.name, True)
        self._note(
            function, _Kind.DEFAULTS, "", way, _Items((function.__defaults__, function.__kwdefaults__))
        )
        self._go(way, function.__defaults__, owner)
        self._go(way, function.__kwdefaults__, owner)
        self._names |= _names_in(code)
        self._enter(vars(function), f"{called}.", function.__module__ or "")
        self._enter(function.__globals__, "the global ", "" if "globals" in _names_in(code) else None)

    # -- namespaces

    def _enter(self, holder: Any, called: str, module: str | None) -> None:
        """What ``holder`` has, of ``module``: if that is Python's own, or None, only what some code names."""
        if module == "builtins" or (module is not None and _is_ours(module)):
            return
        self._meet(holder, _COMMON)
        whole = module is not None and not _is_library(module) and not _is_installed(module)
        known = self._spaces.get(id(holder))
        if known is None or (whole and not known.whole):
            self._spaces[id(holder)] = _Space(holder, called, whole)

    def _members(self, space: _Space) -> Iterator[tuple[str, Any, Spot]]:
        is_class = isinstance(space.holder, type)
        known = vars(space.holder) if is_class else space.holder
        suffix = ", a class attribute" if is_class else ""
        for name in list(known) if space.whole else self._names & known.keys():
            one = known[name]
            if type(name) is not str or isinstance(one, (Field, MemberDescriptorType)):
                continue
            special = name[:2] == name[-2:] == "__" and not isinstance(one, ModuleType)
            if special or name.startswith(("_rb_", "_abc_")):
                continue
            # A function that nobody names nobody calls; a class may be asked for its own by an operator.
            if is_class or name in self._names or not isinstance(one, _CODE):
                yield name, one, Spot(f"{space.called}{name}{suffix}", name)


def _same(one: Any, other: Any) -> bool:
    if type(one) is _Items and type(other) is _Items:
        return len(one) == len(other) and all(map(_same_value, one, other))
    return one is not _NOTHING and _same_value(one, other)


def _same_value(one: Any, other: Any) -> bool:
    return one is other or (type(one) is type(other) and type(one) in _VALUES and one == other)


def _is_hidden(cls: type) -> bool:
    """Whether an instance of ``cls`` has something to change that no attribute or item shows.

    An iterator, a buffer, a generator of random numbers: what it is like cannot be compared.
    """
    if issubclass(cls, (*_VALUES, State)) or never_changes(cls):
        return False
    words = sum(len(_slots(base)) for base in cls.__mro__ if not base.__module__ == "builtins")
    words += (cls.__dictoffset__ > 0) + (cls.__weakrefoffset__ > 0)  # type: ignore[attr-defined]
    return cls.__basicsize__ > object.__basicsize__ + words * _WORD


def _referred(value: Any) -> Iterator[Any]:
    """What an object that itself stays as it is leads to."""
    if isinstance(value, functools.partial):
        yield from (value.func, value.args, value.keywords, vars(value))
    elif isinstance(value, property):
        yield from (value.fget, value.fset, value.fdel)
    elif isinstance(value, weakref.ref):
        yield weakref.ref.__call__(value)
    elif isinstance(value, (staticmethod, classmethod)):
        yield value.__func__
    else:
        yield getattr(value, "__func__", None)
        if not isinstance(value.__self__, ModuleType):
            yield value.__self__


@functools.lru_cache(maxsize=4096)
def _names_in(code: CodeType) -> frozenset[str]:
    """The names in ``code`` and in the code inside it; a string may be one, for ``getattr`` or a dict.

    A name that nobody can write is not the program's: pytest puts such into code
    that asserts, and they lead to all that pytest has.
    """
    strings = (one for one in code.co_consts if type(one) is str)
    names = frozenset(name for name in (*code.co_names, *strings) if not name.startswith("@"))
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            names |= _names_in(inner)
    return names


def is_library(code: CodeType) -> bool:
    """Whether ``code`` is Python's own, which is taken to look after itself."""
    name = code.co_filename
    return name.startswith("<frozen ") or (name.startswith(_LIBRARY) and "site-packages" not in name)


def _is_library(module: str) -> bool:
    return module != "__main__" and module.partition(".")[0] in sys.stdlib_module_names


def _is_installed(module: str) -> bool:
    return "site-packages" in (getattr(sys.modules.get(module), "__file__", "") or "")


def _is_ours(module: str) -> bool:
    return module.startswith(_OURS) or is_ours(getattr(sys.modules.get(module), "__file__", "") or "")


def _slots(cls: type) -> list[tuple[str, MemberDescriptorType]]:
    return [(name, member) for name, member in vars(cls).items() if type(member) is MemberDescriptorType]


def _of_racebench(cls: type) -> frozenset[str]:
    """The attributes of a primitive that RaceBench's own code uses; what it is called is the user's."""
    functions = [one for base in cls.__mro__ for one in vars(base).values() if isinstance(one, FunctionType)]
    code = [one.__code__ for one in functions if is_ours(one.__code__.co_filename)]
    return frozenset[str]().union(*map(_names_in, code)) - {"cls", "index"}


def _items(value: Any) -> _Items:
    """What a container holds, by the method of the built-in class that it is."""
    cls = type(value)
    if issubclass(cls, dict):
        return _Items(one for pair in list(dict.items(value)) for one in pair)
    base = next(base for base in _ITEMS if issubclass(cls, base))
    items = _Items(base.__iter__(value))
    if base in (set, frozenset):
        items.sort(key=id)
    return items


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return _NOTHING
