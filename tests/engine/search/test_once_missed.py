"""Small programs of which complete searches have missed something, or said what no execution shows.

Each stands for a kind; the enumerator says what is true of it.
"""

from __future__ import annotations

from typing import Any

import pytest

from .. import compared
from ..enumerator import enumerated
from ..states import Sketch


def lock(name: str, *inner: Any) -> Any:
    return "lock", name, inner


def attempt(name: str, *inner: Any) -> Any:
    return "try", name, inner


def two(one: Any, other: Any, *third: Any, **more: Any) -> Sketch:
    return Sketch((("t0", one), ("t1", other), *((f"t{i + 2}", b) for i, b in enumerate(third))), **more)


def both_to_t0(step: Any) -> Any:
    return ("irq0", "t0", (step,)), ("irq1", "t0", (step,))


SET_X, READ_X = ("write", "x", 1), ("read", "x")
TAKE = (lock("a"),)
TAKE_R = (lock("r"),)
READ, WRITE = ("rw_read", ()), ("rw_write", ())
IN_CA = lock("a", ("wait", "ca"))

PROGRAMS = {
    "a nested take of one's own lock hides the outer one": two(
        (lock("r", lock("r"), READ_X),), (lock("r", SET_X),)
    ),
    "and a write in it": two((lock("r", lock("r", SET_X)),), (lock("r", READ_X),)),
    "and a take that is kept": two(TAKE_R, (("take", "r"), lock("r"))),
    "and a nested take that closes a ring": two(
        (lock("r", lock("a")),), (lock("a", lock("r", lock("r"))),)
    ),
    "and a notification": two((lock("r", lock("r", ("notify", "cr"))),), (lock("r", ("wait", "cr")),)),
    "and a crash that only the other order has": two(
        (("crash", "x", 1), lock("r", lock("r"))), (*TAKE_R, SET_X)
    ),
    "a take inside a successful try": two((attempt("r", lock("r")),), TAKE_R),
    "a successful try of one's own lock": two((lock("r", attempt("r", READ_X)),), (lock("r", SET_X),)),
    "a failing try of one's own lock": two((lock("a", attempt("a"), READ_X),), (lock("a", SET_X),)),
    "the same inside a try": two((attempt("a", attempt("a")),), TAKE),
    "the same without interrupts": two((("irqsave", "a", (attempt("a"),)),), (lock("a", ("until", "ref")),)),
    "a look at one's own lock before a nested take": two(TAKE_R, (("locked", "r"), lock("r", lock("r")))),
    "a take of one's own lock that hangs": two((lock("a", lock("a")),), (lock("a", attempt("a")),)),
    "a failing try of a semaphore by its holder": two(
        (("trydown", (("trydown", ()),)),), (("down",),)
    ),
    "a second down before it": two((("down",),), (("up",), ("down",), ("down",), ("trydown", ()))),
    "one that an up made possible": two((("down",),), (("up",), ("trydown", (("trydown", ()),))), count=0),
    "a down that a handler makes impossible, in the place of which another handler hangs": two(
        (("down",),), (SET_X, ("up",)), interrupts=both_to_t0(("down",)), delayed=("x",), count=0
    ),
    "and one of a bounded semaphore": two(
        (("bdown",),), (SET_X, ("bup", 1)), interrupts=both_to_t0(("bdown",)), delayed=("x",), count=1
    ),
    "a predicate that looks at a lock": two((("until", "unlocked", "a"),), (("take", "a"),)),
    "whose holder waits for it": two(
        (lock("b", ("until", "ge", "x", 1)),), (("until", "unlocked", "b"), SET_X)
    ),
    "a predicate that stops at its first half": two(
        (("until", "and", "x", "y"), ("write", "y", 2)), (SET_X,), (("write", "y", 1),)
    ),
    "one over delayed fields": two(
        (("until", "or", "y", "x"), ("write", "y", 2)), (SET_X,), (("write", "y", 1),), delayed=("x", "y")
    ),
    "a predicate that follows a reference": two((("until", "ref"),), (("point", 1),), (("setv", 0, 1),)),
    "a release of another's lock": two((lock("a", SET_X),), (("write", "x", 2), ("release", "a"))),
    "a look at a lock before it": two(TAKE, (("locked", "a"), ("release", "a"))),
    "a wait without the lock": two((READ_X, ("wait", "cr")), (lock("r", ("write", "x", 2)),)),
    "a notification without the lock": two(
        (("wait", "cr"), ("write", "x", 2)), (("inc", "x"), ("notify", "cr"))
    ),
    "a release of another's read side": two((("rw_read", (SET_X,)),), (READ_X, ("rw_unwrite",))),
    "a release of another's write side": two(
        (("rw_write", (("inc", "y"),)),), (("rw_write", (("rw_unwrite",), ("inc", "y"))),)
    ),
    "a reader that becomes a writer": two((("rw_read", (WRITE,)),), (("rw_read", (WRITE,)),), (WRITE,)),
    "a writer that reads": two((("rw_write", (READ,)),), (READ,), (("rw_read", (("rw_unwrite",),)),)),
    "a handler that waits for a writer": two(
        (("rw_read", (("write", "x", 1), READ)),), (WRITE,), interrupts=(("irq0", "t0", (WRITE,)),)
    ),
    "a handler that never returns": two(
        (("down",),), (("sem", ()),), interrupts=(("irq0", "t1", (("until", "ref"),)),)
    ),
    "a handler that hangs over a lock": two(
        (("take", "a"), ("locked", "a"), ("irqsave", "a", ())), TAKE,
        interrupts=(("irq0", "t0", (("irqsave", "a", ()),)),),
    ),
    "a handler beside a failing try": two(
        (attempt("a", attempt("a")),), (), interrupts=(("irq0", "t1", TAKE),)
    ),
    "a sleeper who need not wake, when the last step was a buffer's": two(
        (SET_X,), (lock("r", ("wait", "cr")),), delayed=("x",), spurious=True
    ),
    "two handlers that hang over threads which would race": two(
        (("point", 1),), (("write", "y", 2), ("point", 0)),
        interrupts=(("irq0", "t0", (("sem", (("down",),)),)), ("irq1", "t1", (("until", "or", "y", "x"),))),
    ),
    "what its own thread did wrong just before a crash": two(
        (("trydown", (("release", "a"), ("crashseen", 1))),), ()
    ),
    "what only the shadow of a crash shows": two(
        (("crash", "x", 1),), (attempt("r", SET_X, ("crashseen", 1)),)
    ),
    "and an error there": two(
        (attempt("b", ("crashseen", 1)),), (attempt("b", ("crashseen", 1)), ("raise", "x", 1)),
        interrupts=(("irq0", "t0", (SET_X,)),),
    ),
    "and a check by one who was woken there": two(
        (IN_CA, ("crash", "y", 0)), (lock("a", READ_X, ("notify_all", "ca")), ("crashseen", 0))
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_what_was_missed_once(name: str) -> None:
    sketch = PROGRAMS[name]
    reached = enumerated(sketch)
    assert [f"{'/'.join(m.order)}: {m.text()}" for m in compared.mismatches(sketch, reached)] == []
    assert compared.unshown(sketch, reached) == []
