"""What is said first: golden files for what a run may come to, in two widths."""

from __future__ import annotations

from pathlib import Path

import pytest

from racebench.report.ablation import ablation_report
from racebench.report.formats.markdown import render
from racebench.report.fuzzing import fuzz_report
from racebench.report.run import document
from racebench.report.stored_run import Stored
from racebench.report.terminal import show, show_run
from racebench.report.tree import Block

from .samples import ESC, EVIL, cell, console, finding, stored

GOLDEN = Path(__file__).parent / "golden"
TWO = "Two toolstack threads route vIRQ 40 to different pIRQs"
PHRASE = "without the rank lock"
LOST = {
    "rule": "mapping.corrupted",
    "signature": "mapping.corrupted",
    "summary": "pIRQ 64 is lost",
    "scenario": "route_vs_route",
    "protocol": "no_rank_lock",
}


def lost(**how: object) -> dict[str, object]:
    made = finding(**{**LOST, **how})
    made["evidence"] = {**made["evidence"], "ring": [], "preemptions": 1}
    return made


def clean() -> Stored:
    return stored(cell(title=TWO), cell("late_route"), findings=[])


def expected() -> Stored:
    rules = ["mapping.corrupted"]
    broken = cell(
        protocol="no_rank_lock", found=rules, expected=rules, title=TWO, phrase=PHRASE, tags=["routing"]
    )
    late = cell("late_route", vacuous=["x"], tags=["routing"])
    return stored(cell(title=TWO, tags=["routing"]), broken, late, findings=[lost()])


def unexpected() -> Stored:
    """With a rule that is missed, a prediction proved unreachable, and more findings than are named."""
    rules = ["mapping.corrupted", "data_race", "crash.null_desc", "program.error", "lock_order.inversion"]
    odd = cell(protocol="no_rank_lock", found=rules, verdict="unexpected", title=TWO, phrase=PHRASE)
    missed = cell("late_route", "no_rank_lock", expected=["data_race"], verdict="missed")
    unreached = lost(rule="lock_order.inversion", signature="inverted")
    unreached["evidence"]["confirmation"] = {"label": "unreachable", "why": "proved"}  # type: ignore[index]
    schedule = [["vcpu0", "read", "x"]]
    more = [lost(rule=rule, signature=rule, schedule=schedule * n) for n, rule in enumerate(rules[1:4], 1)]
    return stored(cell(title=TWO), odd, missed, findings=[lost(), *more, unreached])


def unknown() -> Stored:
    verify = {"complete": False, "executions": 14, "preemption_bound": 1, "done": 0.4}
    return stored(cell(), cell("late_route", verdict="unknown", verify=verify), findings=[])


def explored() -> Stored:
    """One cell in which a strategy met what is expected, and one in which it met nothing."""
    rules = ["mapping.corrupted"]
    met = {"executions": 10_000, "failures": 212, "first_failure": 31, "strategy": "pct", "seconds": 4.0}
    alone = {"title": TWO, "stress": None, "verify": None}
    broken = cell(protocol="no_rank_lock", found=rules, expected=rules, phrase=PHRASE, explore=met, **alone)
    quiet = cell(explore={**met, "failures": 0, "first_failure": None}, **alone)
    return stored(quiet, broken, findings=[lost(seen={"explore": 212})])


def fuzzed() -> list[Block]:
    """More that is new than is named, beside what a bundled scenario shows too, and where little happened."""
    new = [f"data_race: Domain.field_{n} in vgic_inject_irq and arch_move_irqs" for n in range(4)]
    met: list[dict[str, object]] = [
        {
            "signature": one,
            "after": n,
            "seconds": 1.0 * n,
            "covered": None,
            "scenario": f"reports/f/new-{n}.toml",
        }
        for n, one in enumerate(new, 1)
    ]
    met.append({**met[0], "signature": "crash.null_desc", "covered": "route_vs_route"})
    idle = {"said": "release never succeeds in 412 of 1,200 scenarios", "instead": ""}
    run = {"protocol": "baseline", "drawn": 1200, "met": met, "vacuous": [idle]}
    return fuzz_report({"fuzz": run, "wall_s": 60.0, "interrupted": False}, "reports/f", "baseline")


def ablated() -> list[Block]:
    """An answer of each kind, one with what replays it."""
    best = {"scenario": "route_vs_release", "rule": "mapping.corrupted", "preemptions": 1}
    best["replay"] = "racebench replay reports/a/findings/0001.json"
    said = {
        "needed": "without vgic_lock_rank in vgic_connect_hw_irq, called by route_irq_to_guest",
        "not needed": "without spin_lock(desc) in release_guest_irq",
        "open": "rank before desc in vgic_enable_irqs",
    }
    answers = [
        {"what": what, "verdict": verdict, "best": best if verdict == "needed" else None, "breaks": []}
        for verdict, what in said.items()
    ]
    ablation = {"protocol": "baseline", "answers": answers, "scenarios": ["a", "b"], "executions": 4120}
    return ablation_report({**ablation, "interrupted": False, "seconds": 61.0}, "reports/a", full=False)


RUNS = {
    "clean": clean, "expected": expected, "unexpected": unexpected, "unknown": unknown, "explored": explored,
}  # fmt: skip
OTHERS = {"fuzzed": fuzzed, "ablated": ablated}
NAMES = [f"{run}-{width}.txt" for run in (*RUNS, *OTHERS) for width in (80, 120)]


def drawn(name: str) -> str:
    run, width = name.removesuffix(".txt").split("-")
    screen = console(int(width))
    if run in OTHERS:
        show(screen, OTHERS[run]())
    else:
        show_run(screen, document(RUNS[run]()), full=False)
    return str(screen.file.getvalue())  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", NAMES)
def test_it_says_what_it_did(name: str) -> None:
    """If this is red after a change that is meant: ``python -m tests.report.test_headline``, and look."""
    assert drawn(name) == (GOLDEN / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("run", RUNS)
def test_it_fits_in_fifteen_lines_wherever_it_stands(run: str) -> None:
    screen = console(80)
    text = document(RUNS[run]())
    show_run(screen, text, full=False)
    headline = screen.file.getvalue().split("\n\n")[0]  # type: ignore[attr-defined]
    assert len(headline.splitlines()) <= 15
    mail = render(RUNS[run](), 72)
    assert mail.index(headline[:30]) < 30


def test_what_is_new_is_said_and_comes_first() -> None:
    cells = [cell(protocol="no_rank_lock", found=["mapping.corrupted", "crash.null_desc"])]
    run = stored(*cells, findings=[lost(), lost(rule="crash.null_desc", signature="c", schedule=[])])
    screen = console(120)
    show_run(
        screen, document(Stored(run.run, run.findings, history={"mapping.corrupted": (2, 2), "c": (1, 2)}))
    )
    text = screen.file.getvalue()  # type: ignore[attr-defined]
    assert "1 finding that no older run beside this one has seen" in text
    assert "crash.null_desc in route_vs_route x no_rank_lock, no schedule, new" in text
    assert text.index("crash.null_desc in") < text.index("mapping.corrupted in")


def test_what_was_held_against_its_parent_is_the_conclusion() -> None:
    comparison = {"protocol": "mine", "parent": "baseline", "cells": 2, "new": [], "fixed": [], "both": 1}
    run = stored(cell(), against=[{**comparison, "open": [], "regression": False}], findings=[])
    screen = console(80)
    show_run(screen, document(run), full=False)
    said = "mine against baseline: nothing new, nothing fixed, 1 finding in both.\n"
    assert screen.file.getvalue().startswith(said)  # type: ignore[attr-defined]


def test_what_is_new_with_a_protocol_comes_before_what_its_parent_has_too() -> None:
    seen = {"signature": "c", "rule": "data_race", "summary": "", "finding": "x", "cells": [], "count": 1}
    comparison = {"protocol": "mine", "parent": "baseline", "cells": 2, "new": [seen], "fixed": [], "both": 1}
    found = [lost(), lost(rule="data_race", signature="c", schedule=[["a", "read", "x"]])]
    run = stored(cell(), against=[{**comparison, "open": [], "regression": True}], findings=found)
    screen = console(80)
    show_run(screen, document(run), full=False)
    text = screen.file.getvalue()  # type: ignore[attr-defined]
    assert "1 new finding, nothing fixed" in " ".join(text.split())
    assert text.index("data_race in") < text.index("mapping.corrupted in")


def test_nothing_in_a_file_is_obeyed() -> None:
    odd = cell(EVIL, EVIL, title=EVIL, phrase=EVIL, found=[EVIL], verdict="unexpected", tags=[EVIL])
    screen = console(80)
    show_run(screen, document(stored(odd, cell(), findings=[lost(scenario=EVIL, protocol=EVIL, rule=EVIL)])))
    assert ESC not in screen.file.getvalue()  # type: ignore[attr-defined]


if __name__ == "__main__":
    for name in NAMES:
        (GOLDEN / name).write_text(drawn(name), encoding="utf-8")
