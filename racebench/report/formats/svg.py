"""A picture of the terminal's report."""

from __future__ import annotations

import io
from importlib.resources import files

from rich.console import Console

from ..run import document
from ..stored import Stored
from ..terminal import show_run

WIDTH = 80


def render(stored: Stored, width: int) -> str:
    """What ``racebench explain`` prints in ``width`` columns, coloured; it loads nothing."""
    screen = Console(
        file=io.StringIO(),
        width=width,
        record=True,
        highlight=False,
        force_terminal=True,
        legacy_windows=False,
    )
    show_run(screen, document(stored))
    # rich's own format fetches a font from the network.
    template = files(__package__).joinpath("svg.template").read_text("utf-8")
    return screen.export_svg(title="racebench", code_format=template, unique_id="racebench")
