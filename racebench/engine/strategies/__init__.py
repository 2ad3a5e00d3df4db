"""Strategies: one file each.  A strategy only decides which thread makes the next step.

A module here has one Strategy subclass, which has the module's name;
nothing else needs to be edited.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Mapping, Sequence

# ``from random import Random``, because a module of this package is also called ``random``.
from random import Random
from typing import Any

from ...trace import Op
from ..offer import Offer


class Strategy:
    """Base: ``pick`` is called when there is a choice, ``end`` with the finished log.

    ``rng`` is seeded once, so the choices of n executions are a prefix of
    those of n + 1.  Only ``random()`` and ``getrandbits()`` are drawn from it:
    they are the same on every Python version.
    After a choice a strategy may set ``stay``: the number of following steps at which it would
    choose the same thread, as long as the same threads can run and that thread offers no
    timeout and no sleep.  A caller that makes such steps without calling ``pick`` subtracts
    them from ``stay`` before it calls ``pick`` again, and at the end.  A caller may also ignore
    ``stay`` and call ``pick`` at each step.
    """

    def __init__(self, seed: int, threads: int) -> None:
        self.rng = Random(seed)
        self.threads = threads
        self.stay = 0
        self.name = type(self).__module__.rpartition(".")[2]

    def joined(self) -> None:
        """Handle one more thread that the program has started for the first time; its index is the next."""
        self.threads += 1

    @property
    def member(self) -> Strategy:
        """The strategy that chose the last execution: itself, unless it consists of others."""
        return self

    def begin(self) -> None:
        """Start a new execution."""

    def pick(self, enabled: Sequence[Offer], current: Offer | None) -> Offer:
        """Return one of ``enabled``; ``current`` made the last step, None if it cannot continue."""
        raise NotImplementedError

    def end(self, log: Iterable[tuple[Offer, Op, Any]], found: bool) -> None:
        """End the execution; ``found`` says whether a rule broke."""

    def reward(self, new: bool) -> None:
        """Learn whether the last execution showed something new."""

    def statistics(self) -> Mapping[str, Any]:
        """Statistics of its executions, for a report."""
        return {}

    def below(self, n: int) -> int:
        """A uniform integer in 0..n-1."""
        return int(self.rng.random() * n)


def discover() -> dict[str, type[Strategy]]:
    """The strategy of each module here, by the module's name."""
    found: dict[str, type[Strategy]] = {}
    for _, name, _ in sorted(pkgutil.iter_modules(__path__), key=lambda module: module.name):
        module = importlib.import_module(f"{__name__}.{name}")
        for value in vars(module).values():
            if (
                isinstance(value, type)
                and issubclass(value, Strategy)
                and value.__module__ == module.__name__
            ):
                found[name] = value
    return found


STRATEGIES: dict[str, type[Strategy]] = discover()
