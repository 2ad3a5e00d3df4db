"""Instrumented twins of State classes, and names for what they hold.

A twin is a subclass whose shared fields are properties.  Their accessors are
generated, one small function a field, because a generated accessor with the
attribute name written into it costs half of a general one.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from types import CodeType
from typing import Any

from ..primitives import Field, State, _Primitive
from ..trace import Site

SLOT = "_rb_"
"""Prefix under which a twin keeps a field's value."""

_MAX_SHOWN = 80


class Twins:
    """Makes and remembers the twins of one engine.

    ``namespace`` is the globals of the accessors; ``body(field) ->
    (getter, setter)`` gives the lines that run before the plain access, and
    for a delayed field those in place of it.
    Not thread-safe on purpose: classes are first met in ``setup``, or by the
    one thread that runs; two free threads that race here make equal twins.
    """

    def __init__(
        self,
        namespace: dict[str, Any],
        body: Callable[[Field], tuple[str, str]],
    ) -> None:
        self._namespace, self._body = namespace, body
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
            "_rb_copied": tuple(SLOT + name for name in cls._rb_copied),  # type: ignore[attr-defined]
        }
        for name, declared in fields.items():
            members[name] = self._property(name, declared)
        return type(cls.__name__, (cls,), members)

    def _property(self, name: str, declared: Field) -> property:
        before_get, before_set = self._body(declared)
        if declared.delayed:
            source = f"def get(self):\n    return {before_get}\ndef set(self, value):\n    {before_set}\n"
        else:
            source = (
                f"def get(self):\n    {before_get}\n    return self.{SLOT}{name}\n"
                f"def set(self, value):\n    {before_set}\n    self.{SLOT}{name} = value\n"
            )
        made: dict[str, Any] = {}
        # The source is ours but for the field's name, which Python itself has
        # accepted as an attribute name in a class body.
        exec(compile(source, f"<racebench field {name}>", "exec"), self._namespace, made)
        return property(made["get"], made["set"])


def derived(cls: type, types: Mapping[type, type]) -> type:
    """A user's own subclass of a primitive, over the engine's class for that primitive."""
    for base in cls.__mro__[1:]:
        if base in types:
            return type(cls.__name__, (cls, types[base]), {"__module__": cls.__module__})
    return cls


def show(value: Any, depth: int = 2) -> str:
    """``value`` for a report: labels for our objects, never an address."""
    if isinstance(value, (State, _Primitive)):
        return value.label()
    if isinstance(value, enum.Enum):
        return value.name
    if value is None or isinstance(value, (bool, int, float, str, bytes)):
        text = _repr(value)
    elif isinstance(value, (list, tuple, set, frozenset)) and depth:
        items = sorted(value, key=_repr) if isinstance(value, (set, frozenset)) else value
        text = "[" + ", ".join(show(item, depth - 1) for item in items) + "]"
    elif isinstance(value, dict) and depth:
        text = "{" + ", ".join(f"{show(k, 0)}: {show(v, depth - 1)}" for k, v in value.items()) + "}"
    elif callable(value) or getattr(type(value), "__repr__", None) is object.__repr__:
        text = getattr(value, "__qualname__", type(value).__name__)
    else:
        text = _repr(value)
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 1] + "…"


def _repr(value: Any) -> str:
    """``repr``, which may be a user's own and raise."""
    try:
        return repr(value)
    except Exception as error:
        return f"<{type(value).__name__}, whose repr raised {type(error).__name__}>"


def line_of(code: CodeType, lasti: int) -> int:
    """The source line of instruction ``lasti`` of ``code``."""
    for start, end, line in code.co_lines():
        if start <= lasti < end and line is not None:
            return line
    return code.co_firstlineno


def site_of(code: CodeType, lasti: int) -> Site:
    """The place of instruction ``lasti``, its file shortened to the last two parts."""
    parts = code.co_filename.replace("\\", "/").split("/")
    return Site(code.co_name, "/".join(parts[-2:]), line_of(code, lasti))
