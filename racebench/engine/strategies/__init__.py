"""Strategies: one file each.  A strategy only decides who makes the next step.

A module here that defines a Strategy subclass with a ``NAME`` is found by
that name; nothing else needs to be edited.
"""

from __future__ import annotations

import importlib
import pkgutil
import random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ...trace import Op
    from ..control.scheduler import Task


class Strategy:
    """Base: ``pick`` is called when there is a choice, ``end`` with the finished log.

    ``rng`` is seeded once, so the choices of n executions are a prefix of
    those of n + 1.  Only ``random()`` and ``getrandbits()`` are drawn from it:
    they are the same on every Python version.
    """

    NAME = ""

    def __init__(self, seed: int, threads: int) -> None:
        self.rng = random.Random(seed)
        self.threads = threads

    def begin(self) -> None:
        """A new execution starts."""

    def pick(self, enabled: list[Task], current: Task | None) -> Task:
        """One of ``enabled``; ``current`` made the last step, None if it cannot go on."""
        raise NotImplementedError

    def end(self, log: list[tuple[Task, Op, Any]], found: bool) -> None:
        """The execution is over; ``found`` says whether a rule broke."""

    def below(self, n: int) -> int:
        """A uniform integer in 0..n-1."""
        return int(self.rng.random() * n)


def _discover() -> dict[str, type[Strategy]]:
    found: dict[str, type[Strategy]] = {}
    for module in pkgutil.iter_modules(__path__):
        namespace = vars(importlib.import_module(f"{__name__}.{module.name}"))
        for value in namespace.values():
            if (
                isinstance(value, type)
                and issubclass(value, Strategy)
                and value.__module__ == f"{__name__}.{module.name}"
                and value.NAME
            ):
                found[value.NAME] = value
    return dict(sorted(found.items()))


STRATEGIES: dict[str, type[Strategy]] = _discover()
