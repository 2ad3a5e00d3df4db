"""One object in a picture: its parts and its owner.  None of the object's own code runs."""

from __future__ import annotations

import functools
import gc
import os
import sys
import threading
import types
import weakref
from collections import deque
from collections.abc import Iterator
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
"""The attributes that Python itself keeps in a thread; the function to run is handed over at its start."""


BOOKKEEPING = frozenset(
    f"_rb_{name}"
    for name in (
        *("cell", "copied", "defaults", "delayed", "era", "field", "fields", "fifos", "hash", "id", "leaves"),
        *("left", "owner", "read", "serial", "thread", "variant_of", "write"),
    )
)
"""The attributes in which RaceBench keeps what it knows of a user's object or class."""


def is_bookkeeping(value: Any, name: str) -> bool:
    """Return whether RaceBench keeps its own in the attribute ``name`` of ``value``.

    In objects of its own classes that is any name that begins so.
    """
    return name in BOOKKEEPING or (name.startswith("_rb_") and is_our_module(type(value).__module__))


class Items(list[Any]):
    """The content of a container."""


def same(one: Any, other: Any) -> bool:
    if type(one) is Items and type(other) is Items:
        # Nearly always they are the very same objects: a loop in C finds that without comparing values.
        return len(one) == len(other) and (all(map(is_, one, other)) or all(map(_same_value, one, other)))
    return one is not NOTHING and _same_value(one, other)


def _same_value(one: Any, other: Any) -> bool:
    return one is other or (type(one) is type(other) and type(one) in VALUES and one == other)


def is_hidden(cls: type) -> bool:
    """Return whether instances of ``cls`` can change without any attribute or item showing it.

    For example an iterator, a buffer or a random number generator: its inner state cannot be compared.
    """
    if issubclass(cls, (*VALUES, State)) or never_changes(cls):
        return False
    words = sum(len(_slots_of(base)) for base in cls.__mro__ if base.__module__ != "builtins")
    words += (cls.__dictoffset__ > 0) + (cls.__weakrefoffset__ > 0)
    return cls.__basicsize__ > object.__basicsize__ + words * _WORD


def referred(value: Any) -> Iterator[Any]:
    """Return the objects that an object which does not change itself refers to."""
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
    """Return what a thread can reach through ``value``, an object of its own."""
    if isinstance(value, types.FunctionType):
        yield from map(content_of, value.__closure__ or ())
        yield from defaults_of(value)
    elif isinstance(value, types.GeneratorType) and not is_library(value.gi_code):
        return  # Its variables are looked at while it runs.
    elif type(value) not in VALUES and not isinstance(value, (type, types.ModuleType, types.CodeType)):
        yield from gc.get_referents(value)


@functools.lru_cache(maxsize=4096)
def names_in(code: types.CodeType) -> frozenset[str]:
    """Return the names in ``code`` and nested code; a string may be one, for ``getattr`` or a dict.

    A name that cannot be written in source code is not the program's: pytest puts such names into code that
    asserts, and they lead to everything that pytest has.
    """
    strings = (one for one in code.co_consts if type(one) is str)
    names = frozenset(name for name in (*code.co_names, *strings) if not name.startswith("@"))
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            names |= names_in(inner)
    return names


def is_library(code: types.CodeType) -> bool:
    """Return whether ``code`` is Python's own, which is assumed to be correct by itself."""
    name = code.co_filename
    return name.startswith("<frozen ") or (name.startswith(_LIBRARY) and "site-packages" not in name)


def is_library_module(module: str) -> bool:
    return module != "__main__" and module.partition(".")[0] in sys.stdlib_module_names


def is_of_the_program(module: str) -> bool:
    """Return whether ``module`` is neither Python's own nor installed."""
    installed = "site-packages" in (getattr(sys.modules.get(module), "__file__", "") or "")
    return not is_library_module(module) and not installed


@functools.cache
def is_our_module(module: str) -> bool:
    """Return whether ``module`` is RaceBench's; machines under test in it keep all in their states."""
    return module.partition(".")[0] == _PACKAGE


class Spot(NamedTuple):
    """One way to a value: ``what`` describes it, "" if each use is a step; ``name`` is its name in code.

    ``inside``: the value is inside what the name stands for, so code that only reads the name may change
    it.
    """

    what: str
    name: str
    inside: bool = False

    def within(self) -> Spot:
        return Spot(self.what, self.name, True)


class Code(NamedTuple):
    """What a function's code alone says, whatever its cells, defaults and attributes hold."""

    names: frozenset[str]
    """Empty if the code is RaceBench's, whose modules and classes have nothing that changes."""
    is_seen: bool
    """Whether the code is neither Python's own nor RaceBench's, so that what it may touch counts."""


class Shape(NamedTuple):
    """What all instances of a class have in common."""

    slots: dict[str, types.MemberDescriptorType]
    """All slots that an instance has."""
    has_dict: bool
    ours: frozenset[str]
    """The attributes of a primitive that RaceBench's own code uses, except its name, which is the user's."""
    fields: frozenset[str]
    """The attributes that hold the fields of a state."""
    is_hidden: bool
    is_silent: bool
    """Whether instances are RaceBench's own, or loggers, whose lines are only for people."""
    is_library: bool
    ways: dict[str, Spot]
    """By attribute name, the way to it, whatever leads to the instance; filled during the walk."""


class Known:
    """The facts about code and classes that the pictures of one program need; each is computed once."""

    def __init__(self) -> None:
        # By id, together with the object that has the id: equal code may be of another file.
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


# -- the parts of an object: each function reads one, by its name if it has one


def items_of(value: Any, _: str = "") -> Items:
    """Return the content of a container, read by the method of its built-in base class."""
    cls = type(value)
    if issubclass(cls, dict):
        return Items(chain.from_iterable(list(dict.items(value))))
    base = next(base for base in ITEMS if issubclass(cls, base))
    items = Items(base.__iter__(value))
    if base in (set, frozenset):
        items.sort(key=id)
    return items


def dict_of(value: Any) -> dict[str, Any]:
    """Return the object's own attributes by name; none of the object's code runs."""
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


def defaults_of(function: types.FunctionType, _: str = "") -> Items:
    return Items((function.__defaults__, function.__kwdefaults__))


def content_of(cell: types.CellType, _: str = "") -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return NOTHING


def hidden(value: Any, _: str) -> Any:
    """Return what no part equals: this one cannot be compared, and so counts as changed."""
    return NOTHING


def attribute(value: Any, name: str) -> Any:
    """Return an attribute that is in no slot."""
    return dict_of(value).get(name, NOTHING)


def member(holder: Any, name: str) -> Any:
    """Return a global, or an attribute of a module, a class or a function."""
    return (holder if type(holder) is dict else vars(holder)).get(name, NOTHING)
