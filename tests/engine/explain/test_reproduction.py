"""Findings of the free run, looked for under control: one search for all, and no work on anything else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import racebench as rb
from racebench.engine.explain import answers, conclusion
from racebench.engine.explain.answers import like, reproduce
from racebench.engine.search.loop import Loop, Plan
from racebench.findings import Finding

from .. import programs as p


class Three(rb.State):
    x = rb.shared(0, atomic=True)


def writes(k: int) -> Any:
    def go(s: Three) -> None:
        s.x = k
        rb.check_that(s.x == k, f"lost.t{k}", f"thread {k} reads what another wrote")

    return go


THREE = rb.Program("three", setup=Three, threads={f"t{k}": writes(k) for k in range(3)})


def found(program: rb.Program) -> dict[str, Finding]:
    """What there is to find, as the free run would tell it: without a schedule."""
    known = rb.verify(program).findings
    return {f.rule: replace(f, schedule=(), mode="stress", count=7) for f in known}


def test_all_that_is_wanted_comes_of_one_search(monkeypatch: pytest.MonkeyPatch) -> None:
    loops: list[Loop] = []
    run = Loop.run

    def counted(loop: Loop, *args: Any) -> None:
        loops.append(loop)
        run(loop, *args)

    monkeypatch.setattr(Loop, "run", counted)
    # What is found needs no smaller programs here: each would be a search of its own.
    monkeypatch.setattr(answers, "with_needs", lambda program, found, detect, until: found)
    wanted = [found(THREE)[rule] for rule in ("lost.t0", "lost.t2")]
    loops.clear()
    again = reproduce(THREE, wanted, Plan(seconds=60.0))
    assert list(again) == [f.signature for f in wanted]
    for finding in again.values():
        assert (finding.mode, finding.count) == ("stress", 7)
        assert rb.replay(THREE, finding.schedule).findings[0].signature == finding.signature
    [loop] = loops
    assert loop.tally.seen.keys() >= again.keys()


def test_what_is_not_wanted_is_not_worked_on(monkeypatch: pytest.MonkeyPatch) -> None:
    worked_on: list[str] = []
    concluded = conclusion.concluded

    def noted(scheduler: Any, seen: Any, *args: Any) -> Any:
        worked_on.append(seen.rule)
        return concluded(scheduler, seen, *args)

    wanted = found(THREE)["lost.t1"]
    monkeypatch.setattr(conclusion, "concluded", noted)
    assert list(reproduce(THREE, [wanted], Plan(seconds=60.0))) == [wanted.signature]
    assert worked_on == ["lost.t1"]


def test_what_cannot_happen_does_not_come_again() -> None:
    finding = found(THREE)["lost.t0"]
    assert reproduce(p.account(p.locked_deposit), [finding], Plan(300)) == {}


def test_another_of_the_same_rule_will_do_and_keeps_the_name() -> None:
    finding = replace(found(THREE)["lost.t0"], signature="lost.t0: by another name")
    again = reproduce(THREE, [finding], Plan(300))
    assert list(again) == [finding.signature]
    assert again[finding.signature].signature == finding.signature
    assert again[finding.signature].schedule


def test_one_that_is_wanted_itself_stands_for_no_other() -> None:
    one, other = Finding("a.b", "one", ""), Finding("a.b", "other", "")
    assert like([one, other], [one]) == {"one": one}
    third = Finding("a.b", "third", "")
    assert like([one, other], [third, one]) == {"one": one, "other": third}
    assert like([one], [Finding("c.d", "else", "")]) == {}
