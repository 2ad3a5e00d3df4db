"""Make strings from files and users' programs harmless and short; write numbers for people."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from math import ceil
from typing import Any

from ..findings import counted as counted

_LONGEST = 1200
_BARS = " ▁▂▃▄▅▆▇█"
_ENUM = re.compile(r"<(\w+\.\w+): [^<>]*>")


def clean(value: Any) -> str:
    """``value`` as one line without control characters."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(value))


def brief(value: Any) -> str:
    """``clean``, without the middle of a very long text: a message ends with the remedy."""
    text = str(value)
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST // 2]} … {text[-_LONGEST // 2 :]}"
    return clean(text)


def field_value(value: Any) -> str:
    """The repr of a field's value; an enum member only by its name."""
    return _ENUM.sub(r"\1", clean(value))


def count(n: Any) -> str:
    """A whole number with separators; ``-`` for none."""
    return f"{n:,}" if isinstance(n, int) else "-"


def duration(seconds: Any) -> str:
    """Seconds in words: ``3 ms``, ``1.2 s``, ``4 min 05 s``."""
    if not isinstance(seconds, (int, float)) or not -1e12 < seconds < 1e12:
        return "-"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms" if seconds >= 0.001 or not seconds else f"{seconds * 1e6:.0f} us"
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"


def sparkline(values: Sequence[float]) -> str:
    """A bar for each of ``values``, the largest one as high as the line; a space for 0."""
    most = max(values, default=0) or 1
    return "".join(_BARS[ceil((len(_BARS) - 1) * value / most)] for value in values)


def joined(parts: Iterable[Any], separator: str = ", ") -> str:
    return separator.join(clean(part) for part in parts)


def clipped(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
