"""``racebench report``: export a stored run to other formats."""

from __future__ import annotations

import argparse

from rich.text import Text

from ..campaign.stop import Stop
from ..errors import UsageError
from ..report.formats import formats
from ..report.run import document
from ..report.terminal import show_run
from ..report.text import clean
from .shared import arguments
from .shared.output import write_text
from .shared.run_folder import read_stored
from .shared.screen import Screen

ABOUT = "export a stored run for people and for CI"
EXAMPLE = "report reports/example --html example.html"


def declare(add: arguments.Add) -> None:
    add("run", type=arguments.path, metavar="RUN_DIR")
    known = formats()
    for form in known:
        add(f"--{form.name}", type=arguments.named, metavar="F", help=form.about)
    only = "what is not as expected; with --markdown, a mail of 40 lines; with no format, on the screen"
    add("--brief", action="store_true", help=only)
    wide = " and ".join(f"{form.name} (default: {form.width})" for form in known if form.width)
    add("--width", type=arguments.columns, metavar="N", help=f"line width of {wide}")


def act(args: argparse.Namespace, stop: Stop) -> int:
    known = formats()
    wanted = [(form, target) for form in known if (target := getattr(args, form.name))]
    if not wanted and not args.brief:
        options = ", ".join(f"--{form.name} F" for form in known)
        raise UsageError(f"no format: give one or more of {options}, or --brief.")
    stored, screen = read_stored(args.run), Screen()
    stored = stored.surprising() if args.brief else stored
    for form, target in wanted:
        write_text(target, form.text(stored, args.width))
        screen.print(Text(f"{form.name}: {clean(target)}"), soft_wrap=True)
    if not wanted:
        show_run(screen, document(stored))
    return 0
