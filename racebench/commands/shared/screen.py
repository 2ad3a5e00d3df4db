"""The output of verbs: the terminal, and the file of ``--json``."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from rich.console import Console

from .output import forget_stdout, write_text


class Screen(Console):
    """A console that prints no more once its reader has gone; the run goes on and keeps its exit status."""

    def __init__(self, **how: Any) -> None:
        super().__init__(highlight=False, **how)

    def on_broken_pipe(self) -> None:
        self.quiet = True
        forget_stdout()


class Output:
    """``answer`` is for a verb's result, ``progress`` for messages before it.

    ``json`` is the file that a verb also writes; with ``-`` nothing else goes to standard output.
    """

    def __init__(self, json: str | None, *, quiet: bool = False) -> None:
        self._json = json
        alone = json == "-"
        self.answer = Screen(quiet=alone)
        self.progress = Screen(stderr=True, quiet=quiet) if alone or quiet else self.answer

    def json(self, value: Mapping[str, Any]) -> None:
        """Write ``value`` to the file of ``--json``, if that was given."""
        if self._json == "-":
            print(json.dumps(value, indent=1))
        elif self._json:
            write_text(self._json, json.dumps(value, indent=1) + "\n")


def fancy(screen: Console) -> bool:
    """Whether ``screen`` can show a live display."""
    return screen.is_terminal and not screen.is_dumb_terminal and not os.environ.get("CI")
