"""Attributes of classes that know nothing of RaceBench, as shared fields, for the time of a run.

Beside each object of such a class that a program makes there is a State, its *cell*, and
the object's attributes are fields of that: so each engine treats them as it treats any
field, lists and dicts in them included.  For that the class gets a property for each name
that code has for an attribute: found in the functions of the class and of its module, in
its slots and annotations.  A name that is not found so stays a plain attribute, which is
told as such if it changes.

The cell is kept in the object itself; an object that was made before the run has none, and
keeps its plain attributes.  A read of an attribute that is missing is a read of the field.
"""

from __future__ import annotations

import dis
import functools
import sys
import types
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from ...primitives import Primitive, State, shared
from .inside import inside

_CELL = "_rb_cell"
_READ = {"LOAD_ATTR", "LOAD_METHOD"}
_HEAP, _IMMUTABLE = 1 << 9, 1 << 8
_STORED = {"STORE_ATTR", "DELETE_ATTR"}
_TAKEN = {*dir(State), "__dict__", "__class__", "__weakref__", "__slots__"}


class _Missing:
    __slots__ = ()

    def __repr__(self) -> str:
        return "<missing>"


_MISSING: Any = _Missing()


# -- which names


@functools.lru_cache(maxsize=4096)
def _names(code: types.CodeType, stored: bool) -> frozenset[str]:
    """The attributes that ``code``, and the code inside it, uses; only those that it sets if ``stored``."""
    found: set[str] = set()
    own, before = code.co_varnames[:1], None
    for one in dis.get_instructions(code):
        # What is only read counts if it is the function's own object that has it.
        of_itself = (
            before is not None and own and own[0] in (before if isinstance(before, tuple) else (before,))
        )
        if one.opname in _STORED or (one.opname in _READ and of_itself and not stored):
            found.add(str(one.argval))
        before = one.argval if one.opname.startswith("LOAD_FAST") else None
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            found |= _names(inner, stored)
    return frozenset(found)


def _codes(values: Iterable[Any]) -> Iterator[types.CodeType]:
    for value in values:
        for one in (value, *(getattr(value, part, None) for part in ("fget", "fset", "fdel", "func"))):
            code = getattr(getattr(one, "__func__", one), "__code__", None)
            if isinstance(code, types.CodeType):
                yield code


def _attributes(cls: type) -> frozenset[str]:
    """The names that may be those of attributes of an object of ``cls``."""
    found: set[str] = set()
    for base in cls.__mro__[:-1]:
        own = vars(base)
        slots = own.get("__slots__", ())
        found.update(own.get("__annotations__", ()), (slots,) if isinstance(slots, str) else slots)
        for code in _codes(own.values()):
            found |= _names(code, False)
    module = sys.modules.get(cls.__module__)
    inside_module = [] if module is None else list(vars(module).values())
    for value in inside_module:
        methods = vars(value).values() if isinstance(value, type) else (value,)
        for code in _codes(methods):
            found |= _names(code, True)
    return frozenset(name for name in found if name not in _TAKEN and _is_data(cls, name))


def _is_data(cls: type, name: str) -> bool:
    """Whether ``name`` can be an attribute of the objects, not something that the class does."""
    known = next((vars(base)[name] for base in cls.__mro__ if name in vars(base)), None)
    if isinstance(known, types.MemberDescriptorType):
        return True
    return not hasattr(type(known), "__get__") and not (name.startswith("__") and name.endswith("__"))


# -- one class


class _Properties:
    """The properties of one class: ``cell`` is the State that goes with an object of it."""

    def __init__(self, cls: type, names: Iterable[str], atomic: bool) -> None:
        self.cls = cls
        self.names = frozenset(names)
        fields: dict[str, Any] = {name: shared(_MISSING, atomic=atomic) for name in sorted(self.names)}
        self.cell: type = type(cls.__name__, (State,), {"__module__": cls.__module__, **fields})
        self.before = {name: vars(cls)[name] for name in self.names if name in vars(cls)}
        slots = [one for one in self.before.values() if isinstance(one, types.MemberDescriptorType)]
        self._slot = slots[0] if slots and not _has_dict(cls) else None

    def cell_of(self, obj: Any) -> Any:
        """The cell of ``obj``; None if it has none."""
        if self._slot is None:
            return obj.__dict__.get(_CELL)
        try:
            found = self._slot.__get__(obj)
        except AttributeError:
            return None
        return found if isinstance(found, State) else None

    def made(self, obj: Any) -> Any:
        """The cell of an object that the program is making; None if ``obj`` was there before the run."""
        if not inside():
            return None
        if self._slot is not None:
            try:
                self._slot.__get__(obj)
                return None
            except AttributeError:
                cell = self.cell()
                self._slot.__set__(obj, cell)
                return cell
        own = obj.__dict__
        if _CELL in own or not self.names.isdisjoint(own):
            return own.get(_CELL)
        # What its class does when an attribute is set is for the program's own.
        return own.setdefault(_CELL, self.cell())

    def init(self) -> Any:
        """The ``__init__`` that gives a new object its cell: who makes it decides what it is called."""
        cls: Any = self.cls
        made, own = self.made, vars(cls).get("__init__")

        @functools.wraps(cls.__init__)
        def init(obj: Any, *args: Any, **how: Any) -> None:
            made(obj)
            if own is not None:
                own(obj, *args, **how)
            elif hasattr(super(cls, obj).__init__, "__func__"):
                super(cls, obj).__init__(*args, **how)

        return init

    def property(self, name: str) -> property:
        cell_of, made, before = self.cell_of, self.made, self.before.get(name, _MISSING)

        def get(obj: Any) -> Any:
            cell = cell_of(obj) or made(obj)
            value = _plain(obj, name, before) if cell is None else getattr(cell, name)
            if value is not _MISSING:
                return value
            if before is not _MISSING and not isinstance(before, types.MemberDescriptorType):
                return before
            raise AttributeError(
                f"{type(obj).__name__!r} object has no attribute {name!r}", name=name, obj=obj
            )

        def put(obj: Any, value: Any) -> None:
            cell = cell_of(obj) or made(obj)
            if cell is not None:
                setattr(cell, name, value)
            elif isinstance(before, types.MemberDescriptorType):
                before.__set__(obj, value)
            else:
                obj.__dict__[name] = value

        def drop(obj: Any) -> None:
            get(obj)
            put(obj, _MISSING)

        return property(get, put, drop)


def give_cell(obj: Any, cell: Any) -> None:
    """Have ``cell`` go with ``obj``."""
    obj.__dict__[_CELL] = cell


def _plain(obj: Any, name: str, before: Any) -> Any:
    """What an object without a cell has."""
    if isinstance(before, types.MemberDescriptorType):
        return before.__get__(obj)
    return obj.__dict__.get(name, _MISSING)


def _has_dict(cls: type) -> bool:
    return cls.__dictoffset__ != 0


@functools.lru_cache(maxsize=512)
def _prepared(cls: type, only: str, atomic: bool) -> _Properties:
    return _Properties(cls, [only] if only else _attributes(cls), atomic)


def is_open(cls: type) -> bool:
    """Whether attributes of the objects of ``cls`` can be seen: not those of a class written in C."""
    made_by_python = cls.__flags__ & _HEAP and not cls.__flags__ & _IMMUTABLE
    holds = _has_dict(cls) or any(isinstance(one, types.MemberDescriptorType) for one in vars(cls).values())
    return bool(made_by_python) and holds and not issubclass(cls, (BaseException, State, Primitive))


@contextmanager
def shared_attributes(cls: type, only: str = "", atomic: bool = False) -> Iterator[None]:
    """Have the attributes of ``cls``, or the one named, be fields; undone afterwards."""
    made = _prepared(cls, only, atomic)
    with ExitStack() as undo:
        changed = {name: made.property(name) for name in made.names}
        if not only:
            changed["__init__"] = made.init()
        for name, value in changed.items():
            undo.callback(_put_back, cls, name, vars(cls).get(name, _MISSING))
            setattr(cls, name, value)
        yield


def _put_back(cls: type, name: str, before: Any) -> None:
    if before is _MISSING:
        delattr(cls, name)
    else:
        setattr(cls, name, before)
