"""Delayed stores in the free run: a lock is a barrier however it is given up."""

from __future__ import annotations

import racebench as rb


class Tally(rb.State):
    x = rb.shared(0, delayed=True)

    def __init__(self) -> None:
        self.lock = rb.Lock("lock")


class Stop(Exception):
    pass


def counts(s: Tally) -> None:
    with s.lock:
        s.x += 1


def counts_and_raises(s: Tally) -> None:
    try:
        with s.lock:
            s.x += 1
            raise Stop
    except Stop:
        pass


def counts_bare(s: Tally) -> None:
    s.x += 1


def program(counting: object) -> rb.Program:
    return rb.Program(
        "tally", Tally, {"a": counting, "b": counting},
        check=lambda s, results: None if s.x == 2 else rb.broken("tally.lost", f"{s.x}"),
    )  # fmt: skip


def test_what_was_stored_under_a_lock_is_out_when_it_is_given_up() -> None:
    assert not rb.stress(program(counts), seconds=0.3).findings


def test_so_it_is_if_an_exception_gives_it_up() -> None:
    assert not rb.stress(program(counts_and_raises), seconds=0.3).findings


def test_its_twin_without_the_lock_loses_a_store() -> None:
    result = rb.stress(program(counts_bare), seconds=60, stop_on_first=True)
    assert [finding.rule for finding in result.findings] == ["tally.lost"]
