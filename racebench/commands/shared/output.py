"""Where verbs print, and the files that they were asked to write."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from ...errors import UsageError
from ...report.text import brief
from .settings import settings


class Screen(Console):
    """Prints no more once its reader has gone; the run goes on and keeps its exit status."""

    def __init__(self, **how: Any) -> None:
        super().__init__(highlight=False, **how)

    def on_broken_pipe(self) -> None:
        self.quiet = True
        forget_stdout()


class Output:
    """``answer`` is for what a verb says in the end, ``progress`` for what it says meanwhile.

    ``json`` is the file that a verb writes besides; ``-`` has standard output for itself.
    """

    def __init__(self, json: str | None, *, quiet: bool = False) -> None:
        self._json = json
        alone = json == "-"
        self.answer = Screen(quiet=alone)
        self.progress = Screen(stderr=True, quiet=quiet) if alone or quiet else self.answer

    def json(self, value: Mapping[str, Any]) -> None:
        """Write ``value`` where ``--json`` says, if it was given."""
        if self._json == "-":
            print(json.dumps(value, indent=1))
        elif self._json:
            write_text(self._json, json.dumps(value, indent=1) + "\n")


def fancy(screen: Console) -> bool:
    """Whether a live display is fit for ``screen``."""
    return screen.is_terminal and not screen.is_dumb_terminal and not os.environ.get("CI")


def complain(text: str) -> None:
    """Say one line to the user, who has to do something."""
    print(f"racebench: {brief(text)}", file=sys.stderr, flush=True)


def forget_stdout() -> None:
    """Keep the interpreter from complaining of a closed pipe when it exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def new_folder(verb: str) -> Path:
    """``reports/<time>-<verb>``, with a number behind it if that exists; a project may name the folder."""
    base = Path(settings().reports) / f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{verb}"
    path, n = base, 1
    while path.exists():
        n += 1
        path = base.with_name(f"{base.name}-{n}")
    return path


def write_text(target: str, text: str) -> None:
    """Write ``text`` to a file; UsageError if that cannot be."""
    try:
        Path(target).write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise UsageError(f"{target}: cannot be written: {error.strerror}. Name another file.") from error
    except ValueError as error:
        raise UsageError(f"{target!r}: cannot be written: {error}. Name another file.") from error
