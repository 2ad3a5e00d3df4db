"""What can change without a step: told by class, never by asking the value's own code."""

from __future__ import annotations

import array
import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import pathlib
import re
import sys
import threading
import uuid
from typing import Any

import pytest

import racebench as rb
from racebench.values import leaves


class Letter(enum.Enum):
    A = 1
    LIST = [1]  # noqa: RUF012


class Word(str, enum.Enum):  # noqa: UP042
    A = "x"


class Flags(enum.IntFlag):
    A = 1
    B = 2


@dataclasses.dataclass(frozen=True)
class Frozen:
    x: Any = 1


@dataclasses.dataclass(frozen=True, slots=True)
class FrozenSlots:
    x: Any = 1


class LooseFrozen(Frozen):
    """Its own attributes can be set."""


@dataclasses.dataclass
class Open:
    x: Any = 1


class Slotless:
    __slots__ = ()

    def method(self) -> Any:
        return __class__  # type: ignore[name-defined]


class Slotted:
    __slots__ = ("x",)


class Plain:
    def method(self) -> None: ...


class Pair(collections.namedtuple("Pair", "a b")):
    __slots__ = ()


class Pretender:
    @property
    def __class__(self) -> Any:  # type: ignore[override]
        return int


def having(value: Any) -> Any:
    made = Plain()
    made.x = value  # type: ignore[attr-defined]
    return made


def closure() -> Any:
    n = 0

    def count() -> int:
        return n

    return count


def with_default(x: list[int] = []) -> None: ...  # noqa: B006


class Node(rb.State):
    x = rb.shared([])


STAYS: list[Any] = [
    None, 1, True, 1.5, 1j, "a", b"a", range(3), ..., NotImplemented, object(), slice(1), (),
    (1, ("a", (None,))),
    frozenset([1]), Letter.A, Word.A, Flags.A | Flags.B, Frozen(), FrozenSlots((1,)), Pair(1, 2), Slotless(),
    Plain(), len, str.upper, "x".upper, (1).__add__, closure, Slotless.method, Slotless().method,
    Slotless, sys,
    decimal.Decimal(1), fractions.Fraction(1), datetime.datetime(2020, 1, 1), datetime.UTC, re.compile("a"),
    pathlib.PurePosixPath("x"), pathlib.Path("x"), uuid.UUID(int=1), Node(), rb.Lock("a"),
]  # fmt: skip

CHANGES: list[Any] = [
    [], {}, set(), bytearray(), memoryview(b""), array.array("i"), iter([]), (x for x in ()),
    threading.Lock(),
    collections.deque(), collections.OrderedDict(), collections.Counter(), Exception(),
    functools.partial(len),
    Letter.LIST, Frozen([]), FrozenSlots({}), LooseFrozen(), Open(), Slotted(), having(1), ([],),
    (1, (having(1),)), closure(), with_default, [].append, having(1).method, Pretender(),
]  # fmt: skip


@pytest.mark.parametrize("value", STAYS, ids=lambda v: str(type(v).__name__))
def test_what_stays_as_it_is(value: Any) -> None:
    assert leaves(value) == []


@pytest.mark.parametrize("value", CHANGES, ids=lambda v: str(type(v).__name__))
def test_what_changes_unseen(value: Any) -> None:
    if isinstance(value, Pretender):
        object.__getattribute__(value, "__dict__")["x"] = 1
    assert leaves(value)


def test_what_has_no_attributes_yet_is_told_apart() -> None:
    plain, bare = Plain(), []  # type: ignore[var-annotated]
    assert leaves((plain,), bare=bare) == []
    assert bare == [plain]


def test_a_ring_ends() -> None:
    ring: Any = Frozen()
    object.__setattr__(ring, "x", (ring,))
    assert leaves(ring) == []
