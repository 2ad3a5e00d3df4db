"""How deep and how large what a file holds may be: asked once, before anything else looks at it.

Python shows and writes nested values by recursion, and refuses to show whole
numbers of more than 4,300 digits.  Neither is met in what people write, and
every place that quotes a value would have to expect it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

MOST_LEVELS, MOST_PARTS = 64, 16
_LARGEST = 1 << 63

# Anchored by what may not stand before it and bounded, so that no text makes it slow.
_PART = r"(?:[A-Za-z0-9_-]++|\"[^\"\n]*+\"|'[^'\n]*+')"
_LONG_KEY = re.compile(rf"(?<![A-Za-z0-9_-]){_PART}(?:[ \t]*+\.[ \t]*+{_PART}){{{MOST_PARTS}}}")


def beyond(value: Any, *, numbers: bool = True) -> str:
    """What is too deep or too large in ``value``, of lists, dicts and scalars; empty if nothing is.

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
