"""The terminal's report as one SVG picture that loads nothing."""

from __future__ import annotations

import io

from rich.console import Console

from .stored import Stored
from .terminal import show_run

WIDTH = 80

# rich's own format fetches a font from the network.
_FORMAT = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{
  font-family: "Fira Code", "DejaVu Sans Mono", Menlo, Consolas, monospace;
  font-size: {char_height}px; line-height: {line_height}px; font-variant-east-asian: full-width;
}}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def svg(stored: Stored, width: int = WIDTH) -> str:
    """What ``racebench explain`` prints in ``width`` columns, coloured."""
    screen = Console(
        file=io.StringIO(),
        width=width,
        record=True,
        highlight=False,
        force_terminal=True,
        legacy_windows=False,
    )
    show_run(screen, stored.run, stored.claims, stored.findings, stored.history)
    return screen.export_svg(title="racebench", code_format=_FORMAT, unique_id="racebench")
