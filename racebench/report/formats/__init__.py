"""Formats of a stored run: one file each, found by its name.

A module here has ``render(stored)``, or ``render(stored, width)`` and the default
``WIDTH``; the first line of its docstring is the option's help text.
``racebench report`` gets an option of its name; nothing else needs to be edited.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import NamedTuple

from ..stored_run import Stored


class Format(NamedTuple):
    """``width`` is None for a format without lines."""

    name: str
    about: str
    width: int | None
    render: Callable[..., str]

    def text(self, stored: Stored, width: int | None = None) -> str:
        """The file's text; ``width`` replaces the format's default width, if it has one."""
        return self.render(stored) if self.width is None else self.render(stored, width or self.width)


def formats() -> list[Format]:
    """All formats, by name."""
    found = []
    for name in sorted(module.name for module in pkgutil.iter_modules(__path__)):
        module = importlib.import_module(f"{__name__}.{name}")
        about = (module.__doc__ or "").splitlines()[0].rstrip(".")
        found.append(Format(name, about, getattr(module, "WIDTH", None), module.render))
    return found
