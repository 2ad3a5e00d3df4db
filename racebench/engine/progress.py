"""How far a run is, for its observers."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

PROGRESS_S = 0.1


class Progress(NamedTuple):
    """How far a run is; handed to ``progress`` callbacks in the calling thread."""

    executions: int
    failures: int
    seconds: float
    note: str = ""


ProgressCall = Callable[[Progress], None]
