"""One object, as pictures have it: what it has, and whose it is.  None of its own code runs."""

from __future__ import annotations

import enum
import functools
import gc
import os
import sys
import threading
import types
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from itertools import chain
from operator import is_
from pathlib import Path
from typing import Any, NamedTuple

from ...primitives import Primitive, State
from ...values import never_changes
from ..instrument import SLOT
from ..osthreads import is_ours

_WORD = tuple.__itemsize__
_PACKAGE = __name__.partition(".")[0]
OURS = tuple(f"{_PACKAGE}.{part}" for part in ("engine", "trace", "program", "findings"))
VALUES = (int, float, complex, str, bytes, bool, type(None))
ITEMS = (list, tuple, set, frozenset, deque)
_METHODS = (types.BuiltinFunctionType, types.MethodType, types.MethodWrapperType)
CODE = (types.FunctionType, types.ModuleType, type, *_METHODS)
REFERS = (*_METHODS, functools.partial, property, staticmethod, classmethod, weakref.ref)
_ROOT = str(Path(__file__).parents[2]) + os.sep
_LIBRARY = os.path.dirname(os.__file__)
NOTHING = object()
_OF_THREADS = frozenset(vars(threading.Thread()))
"""What Python itself keeps in a thread: what it was given to run is handed over when it starts."""


class Items(list[Any]):
    """What a container holds."""


def same(one: Any, other: Any) -> bool:
    if type(one) is Items and type(other) is Items:
        # Nearly always the very same objects: a loop in C sees that, and no value is compared.
        return len(one) == len(other) and (all(map(is_, one, other)) or all(map(_same_value, one, other)))
    return one is not NOTHING and _same_value(one, other)


def _same_value(one: Any, other: Any) -> bool:
    return one is other or (type(one) is type(other) and type(one) in VALUES and one == other)


def is_hidden(cls: type) -> bool:
    """Whether an instance of ``cls`` has something to change that no attribute or item shows.

    An iterator, a buffer, a generator of random numbers: what it is like cannot be compared.
    """
    if issubclass(cls, (*VALUES, State)) or never_changes(cls):
        return False
    words = sum(len(_slots_of(base)) for base in cls.__mro__ if base.__module__ != "builtins")
    words += (cls.__dictoffset__ > 0) + (cls.__weakrefoffset__ > 0)
    return cls.__basicsize__ > object.__basicsize__ + words * _WORD


def referred(value: Any) -> Iterator[Any]:
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
        if not isinstance(value.__self__, types.ModuleType):
            yield value.__self__


def led_to(value: Any) -> Iterator[Any]:
    """What a thread that has ``value``, an object of its own, can come to by it."""
    if isinstance(value, types.FunctionType):
        yield from map(content_of, value.__closure__ or ())
        yield from defaults_of(value)
    elif isinstance(value, types.GeneratorType) and not is_library(value.gi_code):
        return  # It is looked at as it runs.
    elif type(value) not in VALUES and not isinstance(value, (type, types.ModuleType, types.CodeType)):
        yield from gc.get_referents(value)


@functools.lru_cache(maxsize=4096)
def names_in(code: types.CodeType) -> frozenset[str]:
    """The names in ``code`` and in the code inside it; a string may be one, for ``getattr`` or a dict.

    A name that nobody can write is not the program's: pytest puts such into code
    that asserts, and they lead to all that pytest has.
    """
    strings = (one for one in code.co_consts if type(one) is str)
    names = frozenset(name for name in (*code.co_names, *strings) if not name.startswith("@"))
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            names |= names_in(inner)
    return names


def is_library(code: types.CodeType) -> bool:
    """Whether ``code`` is Python's own, which is taken to look after itself."""
    name = code.co_filename
    return name.startswith("<frozen ") or (name.startswith(_LIBRARY) and "site-packages" not in name)


def is_library_module(module: str) -> bool:
    return module != "__main__" and module.partition(".")[0] in sys.stdlib_module_names


def is_of_the_program(module: str) -> bool:
    """Whether it is neither Python's own nor installed."""
    installed = "site-packages" in (getattr(sys.modules.get(module), "__file__", "") or "")
    return not is_library_module(module) and not installed


@functools.cache
def is_our_module(module: str) -> bool:
    """Whether it is of RaceBench's package, the machine under test included: that keeps all in its states."""
    return module.partition(".")[0] == _PACKAGE


class Kind(enum.IntEnum):
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
    """One way to a value: ``what`` it is in words, "" if each use is a step, and its ``name`` in code.

    ``inside``: it is in what the name stands for, so that who only reads the name may change it.
    """

    what: str
    name: str
    inside: bool = False

    def within(self) -> Spot:
        return Spot(self.what, self.name, True)


class Code(NamedTuple):
    """What a function's code says, whatever its cells, defaults and attributes hold."""

    names: frozenset[str]
    """Empty if it is of RaceBench's package, whose modules and classes have nothing that changes."""
    is_seen: bool
    """Whether it is neither Python's own nor RaceBench's, so that what it may touch counts."""


class Shape(NamedTuple):
    """What all instances of a class have in common."""

    slots: dict[str, types.MemberDescriptorType]
    """All slots that an instance has."""
    has_dict: bool
    ours: frozenset[str]
    """The attributes of a primitive that RaceBench's own code uses; what it is called is the user's."""
    fields: frozenset[str]
    """The attributes that hold the fields of a state."""
    is_hidden: bool
    is_silent: bool
    """Whether an instance is RaceBench's own, or a log, whose lines are for people."""
    is_library: bool
    ways: dict[str, Spot]
    """By its name, the way to an attribute, whatever leads to the instance; filled as they are met."""


class Known:
    """What code and classes say of themselves, for the pictures of one program: each is asked once."""

    def __init__(self) -> None:
        # By id, with what has the id: code that is equal may be of another file.
        self._code: dict[int, tuple[types.CodeType, Code]] = {}
        self._shapes: dict[type, Shape] = {}

    def code(self, code: types.CodeType) -> Code:
        known = self._code.get(id(code))
        if known is None:
            seen = not is_ours(code.co_filename) and not is_library(code)
            names = names_in(code) if seen and not code.co_filename.startswith(_ROOT) else frozenset()
            known = self._code[id(code)] = code, Code(names, seen)
        return known[1]

    def shape(self, cls: type) -> Shape:
        known = self._shapes.get(cls)
        if known is None:
            of_racebench = cls.__module__.startswith(OURS) and not issubclass(cls, Primitive)
            of_threads = _OF_THREADS if issubclass(cls, threading.Thread) else frozenset()
            known = self._shapes[cls] = Shape(
                {name: slot for base in cls.__mro__ for name, slot in _slots_of(base)},
                cls.__dictoffset__ != 0,
                _used_by_racebench(cls) | of_threads,
                frozenset(SLOT + name for name in cls._rb_fields) if issubclass(cls, State) else frozenset(),
                is_hidden(cls),
                of_racebench or cls.__module__.startswith("logging"),
                is_library_module(cls.__module__),
                {},
            )
        return known


def _slots_of(cls: type) -> list[tuple[str, types.MemberDescriptorType]]:
    return [
        (name, member) for name, member in vars(cls).items() if type(member) is types.MemberDescriptorType
    ]


def _used_by_racebench(cls: type) -> frozenset[str]:
    if not issubclass(cls, Primitive):
        return frozenset()
    functions = [
        one for base in cls.__mro__ for one in vars(base).values() if isinstance(one, types.FunctionType)
    ]
    code = [one.__code__ for one in functions if is_ours(one.__code__.co_filename)]
    return frozenset[str]().union(*map(names_in, code)) - {"cls", "index"}


def items_of(value: Any) -> Items:
    """What a container holds, by the method of the built-in class that it is."""
    cls = type(value)
    if issubclass(cls, dict):
        return Items(chain.from_iterable(list(dict.items(value))))
    base = next(base for base in ITEMS if issubclass(cls, base))
    items = Items(base.__iter__(value))
    if base in (set, frozenset):
        items.sort(key=id)
    return items


def dict_of(value: Any) -> dict[str, Any]:
    """The attributes that an object has of its own, by name; none of the object's code runs."""
    try:
        found: dict[str, Any] = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return {}
    return found


def slot_of(value: Any, slot: types.MemberDescriptorType) -> Any:
    try:
        return slot.__get__(value)
    except AttributeError:
        return NOTHING


def defaults_of(function: types.FunctionType) -> Items:
    return Items((function.__defaults__, function.__kwdefaults__))


def content_of(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return NOTHING


def _member(holder: Any, name: str) -> Any:
    return (holder if type(holder) is dict else vars(holder)).get(name, NOTHING)


NOW: dict[Kind, Callable[[Any, Any], Any]] = {
    Kind.ITEMS: lambda value, _: items_of(value),
    Kind.CELL: lambda value, _: content_of(value),
    Kind.DEFAULTS: lambda value, _: defaults_of(value),
    Kind.HIDDEN: lambda value, _: NOTHING,
    Kind.ATTRIBUTE: lambda value, name: dict_of(value).get(name, NOTHING),
    Kind.MEMBER: _member,
}
"""What is there now, of an object and a name; for an attribute that is in no slot."""
