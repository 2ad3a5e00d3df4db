"""Files that the command line was asked to write."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import UsageError


def write_json(target: str, value: Mapping[str, Any]) -> None:
    """Write ``value`` to a file; ``-`` prints it."""
    text = json.dumps(value, indent=1)
    if target == "-":
        print(text)
    else:
        write_text(target, text + "\n")


def write_text(target: str, text: str) -> None:
    """Write ``text`` to a file; UsageError if that cannot be."""
    try:
        Path(target).write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise UsageError(f"{target}: cannot be written: {error.strerror}. Name another file.") from error
    except ValueError as error:
        raise UsageError(f"{target!r}: cannot be written: {error}. Name another file.") from error
