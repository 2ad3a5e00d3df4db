"""Whether the calling code is the program's."""

from __future__ import annotations

from ...primitives import runtime


def inside() -> bool:
    """Whether the calling thread runs code of a program, in a run."""
    now = runtime.current
    return now is not None and now.runs_program()
