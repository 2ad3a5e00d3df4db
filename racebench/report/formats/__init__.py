"""Formats of a stored run: one file each, found by its name.

A module here has ``render(stored)``, or ``render(stored, width)`` and the
``WIDTH`` it has unless asked; its docstring's first line says what it is.
``racebench report`` gets an option of its name; nothing else needs to be edited.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import NamedTuple

from ..stored_run import Stored


class Format(NamedTuple):
    """``width`` is None for what has no lines."""

    name: str
    about: str
    width: int | None
    render: Callable[..., str]

    def text(self, stored: Stored, width: int | None = None) -> str:
        """The file's text; ``width`` in place of the format's own, where it has one."""
        return self.render(stored) if self.width is None else self.render(stored, width or self.width)


def formats() -> list[Format]:
    """All that there are, by name."""
    found = []
    for name in sorted(module.name for module in pkgutil.iter_modules(__path__)):
        module = importlib.import_module(f"{__name__}.{name}")
        about = (module.__doc__ or "").splitlines()[0].rstrip(".")
        found.append(Format(name, about, getattr(module, "WIDTH", None), module.render))
    return found
