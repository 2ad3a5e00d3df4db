"""Files, the environment, the interpreter's settings and the clock: what threads share beside objects."""

from __future__ import annotations

import io
import logging
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import racebench as rb


class Outer(rb.State):
    x = rb.shared(0, atomic=True)


def putenv(s: Outer) -> None:
    os.environ["RACEBENCH_OUTSIDE"] = "1"
    s.x += 1
    os.environ.pop("RACEBENCH_OUTSIDE", None)


def recursion(s: Outer) -> None:
    s.x += 1
    sys.setrecursionlimit(sys.getrecursionlimit() + 1)
    s.x += 1
    sys.setrecursionlimit(sys.getrecursionlimit() - 1)


def file(s: Outer) -> None:
    s.x += 1
    with open(os.devnull, "w") as there:
        there.write("1")


def path(s: Outer) -> None:
    s.x += 1
    Path(os.devnull).write_text("1")


def connects(s: Outer) -> None:
    s.x += 1
    socket.socket().close()


def in_memory(s: Outer) -> str:
    s.x += 1
    there = io.StringIO()
    there.write("1")
    return there.getvalue()


def prints(s: Outer) -> None:
    s.x += 1
    print("here", os.getpid(), file=sys.stderr)
    logging.getLogger("racebench.tests").warning("here")


def steps(s: Outer) -> None:
    s.x += 1


OUTSIDE = (putenv, recursion, file, path, connects)


@pytest.mark.parametrize("uses", OUTSIDE)
def test_two_threads_that_reach_outside_have_no_proof(uses: Callable[[Outer], None]) -> None:
    result = rb.verify(rb.Program("outside", Outer, {"a": uses, "b": uses}))
    assert (result.verdict, result.complete) == (rb.Verdict.UNKNOWN, False)
    said = next(one for one in result.stats["unseen"] if "by files, the environment" in one)
    assert said.startswith("outside: a calls ")
    assert f" in {uses.__name__} (control/test_environment.py:" in said


@pytest.mark.parametrize("uses", OUTSIDE)
def test_one_alone_has_it_for_itself(uses: Callable[[Outer], None]) -> None:
    result = rb.verify(rb.Program("outside", Outer, {"a": uses, "b": steps}))
    assert (result.verdict, result.complete, result.stats["unseen"]) == (rb.Verdict.CLEAN, True, ())


@pytest.mark.parametrize("uses", [in_memory, prints])
def test_what_nobody_else_reads_is_no_doubt(uses: Callable[[Outer], Any]) -> None:
    result = rb.verify(rb.Program("inside", Outer, {"a": uses, "b": uses}))
    assert (result.verdict, result.complete, result.stats["unseen"]) == (rb.Verdict.CLEAN, True, ())


def test_a_profiler_that_was_there_is_there_again() -> None:
    before = sys.getprofile()
    rb.verify(rb.Program("inside", Outer, {"a": steps, "b": steps}))
    assert sys.getprofile() is before


@pytest.mark.parametrize(
    "mode", [rb.verify, lambda p: rb.explore(p, executions=5)], ids=["verify", "explore"]
)
def test_a_wait_for_the_clock_is_no_deadlock(mode: Any) -> None:
    def waits(s: Outer) -> None:
        until = time.monotonic() + 1000
        rb.wait_until(lambda: time.monotonic() > until)

    result = mode(rb.Program("clock", Outer, {"a": waits, "b": steps}))
    assert (result.verdict, result.findings) == (rb.Verdict.UNKNOWN, ())
    assert "a waits in waits (control/test_environment.py:" in result.stats["unseen"][0]

    def waits_for_ever(s: Outer) -> None:
        rb.wait_until(lambda: s.x > 1)

    result = mode(rb.Program("clock", Outer, {"a": waits_for_ever, "b": steps}))
    assert {f.rule for f in result.findings} == {"deadlock.wait"}
