"""Limits on depth, size and shape of values that come from files, checked once before any use.

Python prints and writes nested values by recursion, and refuses to print whole
numbers of more than 4,300 digits.  Nobody writes such values by hand, but without this
check every place that quotes a value would have to expect them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from .errors import ResultError

MOST_LEVELS, MOST_PARTS = 64, 16
_LARGEST = 1 << 63

# The look-behind and the possessive quantifiers bound the work, so that no text makes it slow.
_PART = r"(?:[A-Za-z0-9_-]++|\"[^\"\n]*+\"|'[^'\n]*+')"
_LONG_KEY = re.compile(rf"(?<![A-Za-z0-9_-]){_PART}(?:[ \t]*+\.[ \t]*+{_PART}){{{MOST_PARTS}}}")


def beyond(value: Any, *, numbers: bool = True) -> str:
    """What is too deep or too large in ``value`` (lists, dicts and scalars), in words; "" if nothing is.

    Without ``numbers`` only the depth counts: a program's own values may be any.
    """
    level: list[Any] = [value]
    for _ in range(MOST_LEVELS):
        below: list[Any] = []
        for one in level:
            if isinstance(one, (dict, list)):
                below += _inside(one)
            elif numbers and isinstance(one, int) and not -_LARGEST <= one < _LARGEST:
                return "a number is beyond 64 bits"
            elif numbers and isinstance(one, float) and not math.isfinite(one):
                return "a number is not finite"
        if not below:
            return ""
        level = below
    return f"nested too deeply: more than {MOST_LEVELS} levels"


def _inside(one: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return one.values() if isinstance(one, dict) else one


def long_key(text: str) -> bool:
    """Whether the TOML ``text`` has a dotted key so long that parsing it takes quadratic time."""
    return _LONG_KEY.search(text) is not None


_MUST: Any = object()


class Fields:
    """A JSON object that is being read: values are got by key and kind."""

    def __init__(self, value: Any, place: str) -> None:
        if not isinstance(value, Mapping):
            raise ResultError(f"{place}: not an object. Give what RaceBench stored.")
        self._value, self._place = value, place

    def get(self, key: str, kind: Any, default: Any = _MUST) -> Any:
        """The value of ``key``, of ``kind``; ``default`` if there is none."""
        value = self._value.get(key, default)
        if value is _MUST or not (value is default or fits(value, kind)):
            what = f"{self._place}: {key}: missing or of the wrong type"
            raise ResultError(f"{what}. Give what RaceBench stored.")
        return value

    def all(self, kinds: Mapping[str, tuple[Any, ...]]) -> dict[str, Any]:
        """The values of all these keys, each of its kind, with a default if it may be missing."""
        values = {key: self.get(key, *kind) for key, kind in kinds.items()}
        return {key: tuple(v) if isinstance(v, list) else v for key, v in values.items()}


def fits(value: Any, kind: Any) -> bool:
    """Whether ``value`` is of ``kind``.

    Kinds: a class; ``[kind]``, a list of any length; ``(kind, ...)``, a list of that length; a dict from
    keys to kinds, where a key with a question mark may be missing or null; ``{str: kind}``, an object with
    any keys.
    """
    if kind is float:
        return isinstance(value, int | float) and not beyond(value)
    if isinstance(kind, type):
        return isinstance(value, kind) and not (kind is int and beyond(value))
    if isinstance(kind, list | tuple):
        if not isinstance(value, list | tuple):
            return False
        kinds = kind if isinstance(kind, tuple) else kind * len(value)
        return len(value) == len(kinds) and all(map(fits, value, kinds))
    if not isinstance(value, Mapping):
        return False
    if str in kind:
        return all(fits(one, kind[str]) for one in value.values())
    return all(_has(value, key, one) for key, one in kind.items())


def _has(value: Mapping[str, Any], key: str, kind: Any) -> bool:
    name = key.removesuffix("?")
    return name != key if value.get(name) is None else fits(value[name], kind)
