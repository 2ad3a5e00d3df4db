"""Other output of the verbs: error lines, and the files that the user asked for."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from ...errors import UsageError
from ...report.text import brief
from .settings import settings


def complain(text: str) -> None:
    """Print one line to stderr, for a user who has to do something."""
    print(f"racebench: {brief(text)}", file=sys.stderr, flush=True)


def forget_stdout() -> None:
    """Keep the interpreter from reporting a closed pipe when it exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def new_folder(verb: str) -> Path:
    """A new ``reports/<time>-<verb>``, with a number if that exists; a project may rename ``reports``."""
    base = Path(settings().reports) / f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{verb}"
    path, n = base, 1
    while path.exists():
        n += 1
        path = base.with_name(f"{base.name}-{n}")
    return path


def write_text(target: str, text: str) -> None:
    """Write ``text`` to a file; UsageError if that fails."""
    try:
        Path(target).write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise UsageError(f"{target}: cannot be written: {error.strerror}. Name another file.") from error
    except ValueError as error:
        raise UsageError(f"{target!r}: cannot be written: {error}. Name another file.") from error
