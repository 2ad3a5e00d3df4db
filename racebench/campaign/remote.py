"""Run a cell in a child of a pool.

The parent imports this module only to name the function: the engines, which take a
moment to load, are imported in the child.
"""

from __future__ import annotations

from functools import partial

from .cell import CellListener, CellResult, Earlier, Plan
from .child import Link
from .place import Place


def in_child(link: Link, place: Place, plan: Plan, seconds: float, earlier: Earlier) -> CellResult:
    """Run ``run_cell`` in a child of a pool; its listener's calls are sent to the parent as messages."""
    from .cell_run import run_cell

    return run_cell(place.target(), plan, seconds, _Relay(link), link.stop, earlier)


class _Relay(CellListener):
    """A cell's listener in a child; it sends messages to the parent."""

    def __init__(self, link: Link) -> None:
        for word in ("cell_started", "cell_progress", "cell_so_far", "finding"):
            setattr(self, word, partial(link.tell, word))
