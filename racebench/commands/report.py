"""``racebench report``: a stored run in the formats of others."""

from __future__ import annotations

import argparse

from rich.text import Text

from ..campaign.stop import Stop
from ..errors import UsageError
from ..report.html import html
from ..report.junit import junit
from ..report.markdown import WIDTH as MARKDOWN_WIDTH
from ..report.markdown import markdown
from ..report.sarif import sarif
from ..report.stored import Stored
from ..report.svg import WIDTH as SVG_WIDTH
from ..report.svg import svg
from ..report.text import clean
from .shared import arguments
from .shared.output import Screen, write_text
from .shared.stored import read_stored

ABOUT = "write a stored run as files for people and for CI"
EXAMPLE = "report reports/example --html example.html"
_FORMATS = {
    "html": "one page with matrix, findings and swimlanes",
    "markdown": "plain text for a mailing list or a pull request",
    "junit": "JUnit XML for CI: a cell is a test case",
    "sarif": "SARIF 2.1.0 for code scanning",
    "svg": "a picture of the terminal's report",
}


def declare(add: arguments.Add) -> None:
    add("run", type=arguments.path, metavar="RUN_DIR")
    for name, what in _FORMATS.items():
        add(f"--{name}", type=arguments.named, metavar="F", help=what)
    add(
        "--width", type=arguments.columns, metavar="N", help="of markdown (default: 72) and svg (default: 80)"
    )


def act(args: argparse.Namespace, stop: Stop) -> int:
    wanted = {name: target for name in _FORMATS if (target := getattr(args, name))}
    if not wanted:
        raise UsageError(f"no format: give one or more of {', '.join(f'--{name} F' for name in _FORMATS)}.")
    stored, screen = read_stored(args.run), Screen()
    for name, target in wanted.items():
        write_text(target, _rendered(name, stored, args.width))
        screen.print(Text(f"{name}: {clean(target)}"), soft_wrap=True)
    return 0


def _rendered(name: str, stored: Stored, width: int | None) -> str:
    if name == "markdown":
        return markdown(stored, width or MARKDOWN_WIDTH)
    if name == "svg":
        return svg(stored, width or SVG_WIDTH)
    return {"html": html, "junit": junit, "sarif": sarif}[name](stored)
