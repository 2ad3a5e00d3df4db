"""Which values can change without a visible step.

A step is a read or a write of a shared field, or an operation of a primitive.  A
number is replaced by writing the field; a list, or an object with attributes,
can be changed at any later time by a thread that has read the field.  A value that is
not known to be immutable counts as one that changes.
"""

from __future__ import annotations

import enum
import operator
import types
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import fields
from typing import Any


class Instrumented:
    """Base of the objects that have steps of their own: states and primitives."""

    __slots__ = ()


ATOMS: frozenset[type] = frozenset(
    (
        *(type(None), bool, int, float, complex, str, bytes, range, type(...), type(NotImplemented), object),
        *(types.ModuleType, types.WrapperDescriptorType, types.MethodDescriptorType),
        *(types.GetSetDescriptorType, types.MemberDescriptorType, type),
    )
)
"""Classes whose own instances never change in place, or are code and not data."""

# Listed by name, because using the class would import its module.
_NEVER_CHANGE = frozenset(
    (
        *("decimal.Decimal", "fractions.Fraction", "uuid.UUID", "re.Pattern"),
        *("datetime.date", "datetime.time", "datetime.datetime", "datetime.timedelta", "datetime.timezone"),
        *("pathlib.PurePosixPath", "pathlib.PureWindowsPath", "pathlib.PosixPath", "pathlib.WindowsPath"),
    )
)


class _Member(enum.Enum):
    ONE = 1


_OF_MEMBERS = set(_Member.ONE.__dict__) | {"_hashable_values_", "_sort_order_"}
"""The attributes that every member of an enumeration has."""


def leaves(value: Any, fixed: Collection[type] = ATOMS, bare: list[Any] | None = None) -> list[Any]:
    """The objects in ``value`` (or itself) that can change unseen; empty if there are none.

    Instances of the classes in ``fixed`` are known not to change.  An object that could have
    attributes but has none is not returned, but added to ``bare``.
    """
    found: list[Any] = []
    seen: set[int] = set()
    # ``to_do`` keeps every object alive, so that no id is used twice.
    to_do = [value]
    for one in to_do:
        if type(one) in fixed or id(one) in seen:
            continue
        seen.add(id(one))
        within = parts(one)
        if within is None and is_bare(one):
            within = _of_base(one, _base(type(one)))
            if bare is not None:
                bare.append(one)
        if within is None:
            found.append(one)
        else:
            to_do.extend(within)
    return found


def parts(value: Any) -> Iterable[Any] | None:
    """The objects to which ``value``, itself immutable, refers; None if it can change."""
    cls = type(value)
    if never_changes(cls):
        return ()
    if frozen(cls):
        return _attributes(value)
    base = _base(cls)
    if base is not enum.Enum and not adds_nothing(cls, base):
        return None
    return _of_base(value, base)


def is_bare(value: Any) -> bool:
    """Whether it could have attributes, as an object of any plain class, but has none."""
    cls = type(value)
    layout = _WITH_ATTRIBUTES.get(_base(cls))
    return layout == (cls.__basicsize__, cls.__dictoffset__) and not object.__getattribute__(
        value, "__dict__"
    )


def _base(cls: type) -> type:
    if issubclass(cls, enum.Enum):
        return enum.Enum
    return next((base for base in cls.__mro__ if base in ATOMS or base in _PARTS), object)


def _of_base(value: Any, base: type) -> Iterable[Any] | None:
    within = _PARTS.get(base)
    if within is None:
        return () if base is not object or is_bare(value) else None
    return within(value)


def never_changes(cls: type) -> bool:
    """Whether instances of ``cls`` never change in place, or only by visible steps."""
    if issubclass(cls, (Instrumented, types.ModuleType, type)):
        return True
    if issubclass(cls, enum.Enum):
        # All members of an enumeration exist already.
        return not any(leaves(member._value_) or set(member.__dict__) - _OF_MEMBERS for member in cls)
    for base in cls.__mro__:
        if base in ATOMS or f"{base.__module__.partition('.')[0]}.{base.__qualname__}" in _NEVER_CHANGE:
            return adds_nothing(cls, base)
        if base in _PARTS:
            return False
    return False


def adds_nothing(cls: type, base: type) -> bool:
    """Whether instances of ``cls`` have no room for more data than those of its ``base``."""
    return (cls.__basicsize__, cls.__dictoffset__) == (base.__basicsize__, base.__dictoffset__)


def frozen(cls: type) -> bool:
    """Whether ``cls`` itself, not a base of it, is a frozen dataclass."""
    return bool(getattr(cls.__dict__.get("__dataclass_params__"), "frozen", False))


def getter_of_all(cls: type) -> Callable[[Any], tuple[Any, ...]] | None:
    """A fast function for all objects to which an instance of ``cls`` refers, if ``cls`` fixes them."""
    if cls is tuple:
        return tuple
    if frozen(cls) and not cls.__dictoffset__ and all(hasattr(cls, f.name) for f in fields(cls)):
        names = [f.name for f in fields(cls)]
        if len(names) > 1:
            return operator.attrgetter(*names)
    return None


def _attributes(value: Any) -> list[Any] | None:
    """The fields of a frozen dataclass; None if the object has further attributes."""
    names = [field.name for field in fields(value)]
    if not getattr(value, "__dict__", {}).keys() <= set(names):
        return None
    return [getattr(value, name) for name in names if hasattr(value, name)]


def _of_function(function: types.FunctionType) -> list[Any] | None:
    """The defaults of a function; None if it has closure variables or attributes, which can change."""
    own = set(function.__code__.co_freevars) - {"__class__"}
    if own or function.__dict__:
        return None
    return [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]


_PARTS: dict[Any, Callable[[Any], Iterable[Any] | None]] = {
    enum.Enum: lambda member: (member._value_,),
    tuple: lambda value: tuple.__iter__(value),
    frozenset: lambda value: frozenset.__iter__(value),
    slice: lambda value: (value.start, value.stop, value.step),
    types.FunctionType: _of_function,
    types.MethodType: lambda method: (method.__self__, method.__func__),
    types.BuiltinFunctionType: lambda function: (function.__self__,),
    types.MethodWrapperType: lambda method: (method.__self__,),
}


def _layout(base: type) -> tuple[int, int]:
    """The size and dict offset of instances of a plain class over ``base``."""
    plain = type("plain", (base,), {})
    return plain.__basicsize__, plain.__dictoffset__


_BASES: tuple[type, ...] = (object, int, float, complex, str, bytes, tuple, frozenset)
_WITH_ATTRIBUTES: dict[Any, tuple[int, int]] = {base: _layout(base) for base in _BASES}


def described(value: Any) -> str:
    """``value`` in words, from its class only: none of its own code runs."""
    name = type(value).__name__
    if isinstance(value, types.FunctionType):
        return f"the function {value.__qualname__} with variables of its own"
    if type(value) in (list, dict, set, bytearray) or name == "deque":
        return f"a {name} that something else has too"
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def kept_when_copied(value: Any) -> Iterator[Any]:
    """The objects in ``value`` that must not be copied: states, primitives, modules."""
    seen: set[int] = set()
    to_do = [value]
    for one in to_do:
        if type(one) in ATOMS - {types.ModuleType} or id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, (Instrumented, types.ModuleType)):
            yield one
        elif isinstance(one, dict):
            to_do += [*dict.keys(one), *dict.values(one)]
        elif type(one) in (list, tuple, set, frozenset) or type(one).__name__ == "deque":
            to_do += one
        else:
            to_do += getattr(one, "__dict__", {}).values()
            names = (getattr(base, "__slots__", ()) for base in type(one).__mro__)
            to_do += [
                getattr(one, n, None) for some in names for n in ((some,) if type(some) is str else some)
            ]
