"""Instrumented twins of State classes, and texts for their values.

A twin is a subclass whose shared fields are properties.  Their accessors are
generated, one small function for each field, because an accessor with the
attribute name written into it costs half of a general one.  Each is compiled once
for all fields; for one field the names in its code are replaced.
"""

from __future__ import annotations

import enum
import functools
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from types import CodeType, FunctionType
from typing import Any

from ..errors import exactly
from ..primitives import Field, Primitive, State
from ..trace import Site, label_of

SLOT = "_rb_field "
"""Prefix under which a twin keeps a field's value.  No code can write such a name: a field called ``id`` must
not be taken for the number that RaceBench itself gives each object."""

VALUE = "_rb_value"
"""The placeholder in an accessor's code for the attribute that keeps the field's value."""

_MAX_SHOWN = 80

Copier = Callable[[Any, Any], Any]
"""(default, owner) -> the owner's own value."""


class Twins:
    """Makes and caches the twins of one engine.

    ``namespace`` is the globals of the accessors; ``body(field) -> (getter, setter,
    names)`` gives their lines: all of the getter's, and those of the setter that run
    before the plain write, or for a delayed field instead of it.  ``names`` maps global
    names in these lines to the names that the field's own accessors use.
    ``copier(field, copy)`` gives the function that makes a new object's value from a default
    that has to be copied.
    Not thread-safe on purpose: a class is first used in ``setup``, or by the
    one thread that runs; two free threads that race here make equal twins.
    """

    def __init__(
        self,
        namespace: dict[str, Any],
        body: Callable[[Field], tuple[str, str, Mapping[str, str]]],
        copier: Callable[[Field, Copier], Copier] = lambda declared, copy: copy,
    ) -> None:
        self._namespace, self._body, self._copier = namespace, body, copier
        self._twins: dict[type, type] = {}

    def of(self, cls: type) -> type:
        """The twin of State subclass ``cls``."""
        twin = self._twins.get(cls)
        if twin is None:
            twin = self._twins[cls] = self._make(cls)
        return twin

    def _make(self, cls: type) -> type:
        fields: dict[str, Field] = cls._rb_fields  # type: ignore[attr-defined]
        members: dict[str, Any] = {
            "_rb_variant_of": cls,
            "__module__": cls.__module__,
            "__qualname__": cls.__qualname__,
            "__doc__": cls.__doc__,
            "_rb_defaults": {SLOT + name: f.default for name, f in fields.items()},
        }
        for name, declared in fields.items():
            members[name] = self._property(name, declared)
        copied = cls._rb_copied  # type: ignore[attr-defined]
        members["_rb_copied"] = tuple(
            (SLOT + name, self._copier(fields[name], copy)) for name, copy in copied
        )
        return type(cls.__name__, (cls,), members)

    def _property(self, name: str, declared: Field) -> property:
        getting, setting, names = self._body(declared)
        if not declared.delayed:
            setting = f"{setting}\n    self.{VALUE} = value"
        names = {**names, VALUE: SLOT + name}
        getter, setter = (
            FunctionType(
                code.replace(
                    co_names=tuple(names.get(one, one) for one in code.co_names),
                    co_filename=f"<racebench field {name}>",
                ),
                self._namespace,
            )
            for code in _accessors(getting, setting)
        )
        return property(getter, setter)


# Cached, because compiling is the most expensive part of making a twin.
@functools.lru_cache(maxsize=64)
def _accessors(getting: str, setting: str) -> tuple[CodeType, CodeType]:
    """The code of a getter and a setter."""
    source = f"def get(self):\n    {getting}\ndef set(self, value):\n    {setting}\n"
    made: dict[str, Any] = {}
    exec(source, made)
    return made["get"].__code__, made["set"].__code__


def derived(cls: type, types: Mapping[type, type]) -> type:
    """A user's subclass of a primitive, combined with the engine's class for that primitive."""
    for base in cls.__mro__[1:]:
        if base in types:
            return type(cls.__name__, (cls, types[base]), {"__module__": cls.__module__})
    return cls


class _Showing(threading.local):
    now = False


showing = _Showing()
"""Whether the calling thread is in ``show``: its reads are then no steps of the program."""


def show(value: Any, depth: int = 2) -> str:
    """``value`` for a report, whatever it is: labels for our objects, never an address."""
    before, showing.now = showing.now, True
    try:
        return exactly(_shown(value, depth))
    except KeyboardInterrupt:
        raise
    except BaseException:
        return f"<{type(value).__name__}, which cannot be shown>"
    finally:
        showing.now = before


def _shown(value: Any, depth: int) -> str:
    if isinstance(value, State):
        return label_of(value)
    if isinstance(value, Primitive):
        return value.label()
    if isinstance(value, enum.Enum):
        return value.name
    if value is None or isinstance(value, (bool, int, float, str, bytes)):
        text = _repr(value)
    elif isinstance(value, (list, tuple, set, frozenset, deque)) and depth:
        items = list(_inside(value))
        if isinstance(value, (set, frozenset)):
            items.sort(key=_repr)
        text = "[" + ", ".join(show(item, depth - 1) for item in items) + "]"
    elif isinstance(value, dict) and depth:
        inside = dict.items(value)
        text = "{" + ", ".join(f"{show(k, 0)}: {show(v, depth - 1)}" for k, v in inside) + "}"
    elif callable(value) or getattr(type(value), "__repr__", None) is object.__repr__:
        name = getattr(value, "__qualname__", None)
        text = name if isinstance(name, str) else type(value).__name__
    else:
        text = _repr(value)
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 1] + "…"


def _inside(value: Any) -> Iterator[Any]:
    """The items of ``value``, read without making a step even if reading them would be one."""
    base = next(cls for cls in (list, tuple, set, frozenset, deque) if isinstance(value, cls))
    found: Iterator[Any] = base.__iter__(value)
    return found


def _repr(value: Any) -> str:
    """``repr``, which may be a user's and raise."""
    try:
        return repr(value)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return f"<{type(value).__name__}, whose repr raised {type(error).__name__}>"


def line_of(code: CodeType, lasti: int) -> int:
    """The source line of instruction ``lasti`` of ``code``."""
    for start, end, line in code.co_lines():
        if start <= lasti < end and line is not None:
            return line
    return code.co_firstlineno


def site_of(code: CodeType, lasti: int) -> Site:
    """The place of instruction ``lasti``, its file shortened to the last two parts."""
    # Everything that a site depends on.  Not the code itself: code of another file may be equal to it,
    # and the cache would keep it alive.
    key = code.co_filename, code.co_name, code.co_firstlineno, code.co_linetable, lasti
    site = _sites.get(key)
    if site is None:
        parts = code.co_filename.replace("\\", "/").split("/")
        site = Site(code.co_name, "/".join(parts[-2:]), line_of(code, lasti))
        if len(_sites) >= _MOST_SITES:
            _sites.clear()
        # Two threads that race here store equal sites.
        _sites[key] = site
    return site


_MOST_SITES = 1 << 12
_sites: dict[tuple[str, str, int, bytes, int], Site] = {}
