"""Options of several verbs."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...campaign.quantities import duration, natural, positive
from ...scenario.lineage import PARENT
from .settings import settings

Add = Callable[..., Any]
"""``add_argument`` of the verb's parser."""


def columns(text: str) -> int:
    """A width in which a report is readable."""
    value = natural(text)
    if not 40 <= value <= 500:
        raise argparse.ArgumentTypeError("must be 40 to 500")
    return value


def named(text: str) -> str:
    """The name of a file or folder.  An empty one (an unset shell variable) would mean the current folder."""
    if not text or "\0" in text:
        raise argparse.ArgumentTypeError(f"{text!r} is not the name of a file or folder")
    return text


def path(text: str) -> Path:
    return Path(named(text))


def cells(add: Add) -> None:
    """Options: which cells, where they are stored, and how much is printed."""
    scenarios(add, "@thread")
    add(
        "--protocol", nargs="+", action="extend", metavar="P",
        help="bundled id, or path/to/file.py:Name (default: those the scenario names)",
    )  # fmt: skip
    stored(add)
    json(add, "the run object")
    quiet(add, "no progress; with --full, only what is not as expected")
    full(add)


def scenarios(add: Add, default: str) -> None:
    about = f"name, @tag, file or folder (default: {default})"
    add("scenario", nargs="*", metavar="SCENARIO", help=about)


def protocol(add: Add) -> None:
    add("protocol", metavar="PROTOCOL", help="bundled id, or path/to/file.py:Name")


def time(add: Add, seconds: float | None, about: str) -> None:
    """``about`` names the default; None if the verb has several."""
    default = (settings().time or seconds) if seconds else None
    add("--time", type=duration, default=default, metavar="T", help=about)


def against(add: Add) -> None:
    about = "say what is new with each --protocol, held against this one; alone: the one it is derived from"
    add("--against", nargs="?", const=PARENT, metavar="PARENT", help=about)


def jobs(add: Add) -> None:
    jobs = settings().jobs
    add("--jobs", type=positive, default=jobs, metavar="N", help=f"number of processes (default: {jobs})")


def seed(add: Add, of: str) -> None:
    add("--seed", type=natural, default=0, metavar="N", help=f"seed for {of} (default: 0)")


def stored(add: Add, what: str = "the run's own folder") -> None:
    add("--out", type=path, metavar="DIR", help=f"{what} (default: reports/<time>-VERB)")


def json(add: Add, what: str) -> None:
    add("--json", type=named, metavar="FILE", help=f"write {what} to FILE as JSON; - prints nothing else")


def full(add: Add) -> None:
    add("--full", action="store_true", help="print everything, not only the conclusion")


def quiet(add: Add, about: str = "no progress") -> None:
    add("--quiet", "-q", action="store_true", help=about)
