"""Which attributes the objects of a class may have: found in code, slots and annotations."""

from __future__ import annotations

import dis
import functools
import sys
import types
from collections.abc import Iterable, Iterator

from ...primitives import Primitive, State

_READS = {"LOAD_ATTR", "LOAD_METHOD"}
_STORES = {"STORE_ATTR", "DELETE_ATTR"}
# Reading a function's instructions is slow, and most functions of a module have none of these.
_USES = {dis.opmap[name] for name in _READS | _STORES if name in dis.opmap}
_HEAP, _IMMUTABLE = 1 << 9, 1 << 8
_TAKEN = {*dir(State), "__slots__"}


@functools.lru_cache(maxsize=4096)
def _in_code(code: types.CodeType) -> tuple[frozenset[str], frozenset[str]]:
    """The attributes that ``code``, and the code inside it, uses, and those of them that it sets."""
    stores: set[str] = set()
    reads: set[str] = set()
    own, before = code.co_varnames[:1], None
    for one in dis.get_instructions(code) if _USES & {*code.co_code[::2]} else ():
        # A name that is only read counts if it is read from the function's first argument.
        names = before if isinstance(before, tuple) else (before,)
        if one.opname in _STORES:
            stores.add(str(one.argval))
        elif one.opname in _READS and own and own[0] in names:
            reads.add(str(one.argval))
        before = one.argval if one.opname.startswith("LOAD_FAST") else None
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            used, given = _in_code(inner)
            reads |= used
            stores |= given
    return frozenset(reads | stores), frozenset(stores)


def _codes(values: Iterable[object]) -> Iterator[types.CodeType]:
    for value in values:
        for one in (value, *(getattr(value, part, None) for part in ("fget", "fset", "fdel", "func"))):
            code = getattr(getattr(one, "__func__", one), "__code__", None)
            if isinstance(code, types.CodeType):
                yield code


@functools.lru_cache(maxsize=512)
def attributes(cls: type) -> frozenset[str]:
    """The possible attribute names of objects of ``cls``; must be called before any is replaced."""
    found: set[str] = set()
    for base in cls.__mro__[:-1]:
        own = vars(base)
        slots = own.get("__slots__", ())
        found.update(own.get("__annotations__", ()), (slots,) if isinstance(slots, str) else slots)
        for code in _codes(own.values()):
            found |= _in_code(code)[0]
    module = sys.modules.get(cls.__module__)
    for value in [] if module is None else list(vars(module).values()):
        for code in _codes(vars(value).values() if isinstance(value, type) else (value,)):
            found |= _in_code(code)[1]
    return frozenset(name for name in found if name not in _TAKEN and _is_data(cls, name))


def _is_data(cls: type, name: str) -> bool:
    """Whether ``name`` can be an attribute of the objects, and is no method or other descriptor."""
    known = next((vars(base)[name] for base in cls.__mro__ if name in vars(base)), None)
    if isinstance(known, types.MemberDescriptorType):
        return True
    return not hasattr(type(known), "__get__") and not (name.startswith("__") and name.endswith("__"))


def _names_used(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            yield from _names_used(inner)


def closed(cls: type) -> str:
    """Why the attributes of objects of ``cls`` cannot be instrumented, in words; empty if they can."""
    holds = cls.__dictoffset__ or any(
        isinstance(one, types.MemberDescriptorType) for one in vars(cls).values()
    )
    if not holds or not cls.__flags__ & _HEAP or cls.__flags__ & _IMMUTABLE:
        return "is written in C, or has no attributes"
    if issubclass(cls, (BaseException, State, Primitive)):
        return "is an exception, or RaceBench's own"
    for base in cls.__mro__[:-1]:
        for code in _codes(vars(base).values()):
            if not {"__dict__", "vars"}.isdisjoint(_names_used(code)):
                return f"uses the dict of its objects in {code.co_name}"
    return ""
