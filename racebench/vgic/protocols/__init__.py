"""Locking protocols: one file each; the file name is the id.

A module here defines one Protocol subclass with its ``ID`` equal to the
file's name; nothing else needs to be edited.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from ...errors import UsageError, meant
from ..domain import Protocol


@cache
def protocol_ids() -> tuple[str, ...]:
    """The ids of the bundled protocols, sorted."""
    return tuple(sorted(m.name for m in pkgutil.iter_modules(__path__)))


def is_bundled(code: type[Protocol]) -> bool:
    """Whether ``code`` belongs to this package, and not to a user."""
    return code.__module__.rpartition(".")[0] == __name__


def protocol(name: str) -> type[Protocol]:
    """The bundled protocol called ``name`` (``-`` and ``_`` are the same).

    UsageError names the closest one if there is none.
    """
    # Not the cached function itself: its cache would count as state that threads share unseen.
    return _found(name)


@cache
def _found(name: str) -> type[Protocol]:
    wanted = name.replace("-", "_")
    if wanted not in protocol_ids():
        known = ", ".join(protocol_ids())
        raise UsageError(
            " ".join(f"unknown protocol {name!r}. {meant(wanted, protocol_ids())} Known: {known}.".split())
        )
    module = importlib.import_module(f"{__name__}.{wanted}")
    for value in vars(module).values():
        if isinstance(value, type) and issubclass(value, Protocol) and wanted == value.ID:
            return value
    raise UsageError(f"protocol file {wanted}.py defines no Protocol with ID {wanted!r}.")
