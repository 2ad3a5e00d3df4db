"""Short searches that only say what they met."""

from __future__ import annotations

from racebench.engine.search.glance import glance, shows
from racebench.engine.search.loop import Plan

from .. import bugs, programs

_PLAN = Plan(400, 60.0)


def test_what_few_schedules_show_is_told_for_certain() -> None:
    racy, locked = programs.account(programs.racy_deposit), programs.account(programs.locked_deposit)
    [signature] = glance(racy, _PLAN).seen
    assert shows(racy, signature, _PLAN)
    assert not shows(locked, signature, _PLAN)


def test_what_has_many_schedules_is_walked_through() -> None:
    """The fault is not among the first sixty that a search for all of them runs."""
    program = bugs.reorder(6, 1)
    assert shows(program, "reorder.half in checker", _PLAN)
    assert shows(program, "reorder.half in checker", Plan(400))
    assert not shows(program, "reorder.half in checker", Plan(400, 0.0))


def test_another_signature_is_no_answer() -> None:
    assert not shows(programs.account(programs.racy_deposit), "another one", _PLAN)
