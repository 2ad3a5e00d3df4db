"""Strategies: one file each.  A strategy only decides who makes the next step.

A module here has one Strategy subclass, which goes by the module's name;
nothing else needs to be edited.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Mapping, Sequence

# By name: one of the modules here is called as the library's.
from random import Random
from typing import Any

from ...trace import Op
from ..offer import Offer


class Strategy:
    """Base: ``pick`` is called when there is a choice, ``end`` with the finished log.

    ``rng`` is seeded once, so the choices of n executions are a prefix of
    those of n + 1.  Only ``random()`` and ``getrandbits()`` are drawn from it:
    they are the same on every Python version.
    One that has chosen may set ``stay``: it would choose the same at so many more steps as
    long as the same threads can run, and the one that does offers no timeout and no sleep.
    Whoever makes such steps without asking takes them off ``stay`` before it asks again, and
    at the end.  If nobody does, the strategy is asked at each step.
    """

    def __init__(self, seed: int, threads: int) -> None:
        self.rng = Random(seed)
        self.threads = threads
        self.stay = 0
        self.name = type(self).__module__.rpartition(".")[2]

    def joined(self) -> None:
        """The program has started one more thread, for the first time; its index is the next."""
        self.threads += 1

    @property
    def member(self) -> Strategy:
        """Whose the last execution was: its own, if it is not made of others."""
        return self

    def begin(self) -> None:
        """A new execution starts."""

    def pick(self, enabled: Sequence[Offer], current: Offer | None) -> Offer:
        """One of ``enabled``; ``current`` made the last step, None if it cannot go on."""
        raise NotImplementedError

    def end(self, log: Iterable[tuple[Offer, Op, Any]], found: bool) -> None:
        """The execution is over; ``found`` says whether a rule broke."""

    def reward(self, new: bool) -> None:
        """The last execution showed something new, or did not."""

    def statistics(self) -> Mapping[str, Any]:
        """What it has to say of its executions, for a report."""
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
