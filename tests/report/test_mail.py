"""A run in one mail."""

from __future__ import annotations

from typing import Any

import pytest

from racebench.report.formats.markdown import render
from racebench.report.stored_run import Stored

from .samples import ESC, EVIL, STEPS, cell, finding, step, stored
from .test_headline import RUNS, expected, lost

COMMAND = "racebench run route_vs_route --time 30s"


def mail(run: Stored, width: int = 72) -> str:
    return render(run.surprising(), width)


def checked(text: str, width: int = 72) -> list[str]:
    """Its lines, which are not too many or too long, and obeyed nowhere."""
    lines = text.splitlines()
    assert len(lines) <= 40
    assert all(len(line) <= width for line in lines if "racebench " not in line)
    assert all(line.startswith("    ") for line in lines if line)
    return [line.strip() for line in lines]


@pytest.mark.parametrize("name", RUNS)
def test_whatever_a_run_came_to_it_fits_a_screen_of_mail(name: str) -> None:
    lines = checked(mail(RUNS[name]()))
    assert lines[0]


def test_it_has_the_claim_the_basis_what_breaks_a_schedule_and_the_command() -> None:
    run = expected()
    host = {"python": "3.12.1", "cores": 4}
    document = stored(
        *[one.to_json() for one in run.run.cells], findings=[lost()], options={"command": COMMAND}, host=host
    )
    lines = checked(mail(document))
    assert lines[0].startswith("Without the rank lock, the mapping is corrupted (1 preemption):")
    assert "protocols: baseline, no_rank_lock" in lines
    assert "RaceBench 0.1.0 · Python 3.12.1 · 4 cores" in " ".join(lines)
    assert COMMAND in lines
    assert ["mapping.corrupted", "route_vs_route", "no_rank_lock"] in [line.split() for line in lines]
    assert any("write p[40].desc: None →" in line for line in lines)
    assert lines[-1] == "racebench replay runs/x/findings/0001.json"


def test_of_very_much_the_worst_is_kept_and_the_rest_is_counted() -> None:
    rules = [f"mine.rule_{i}" for i in range(14)]
    names = [f"scenario_of_a_long_name_{i}" for i in range(9)]
    protocols = [f"protocol_of_a_long_name_{i}" for i in range(20)]
    cells = [cell(s, p, found=rules, expected=rules) for s in names for p in protocols]
    many: list[dict[str, Any]] = [step("ab"[i % 2], "write", "x.f", "0", "1") for i in range(90)]
    found = [
        lost(rule=r, signature=f"{r}{s}{p}", scenario=s, protocol=p)
        for r in rules
        for s in names
        for p in protocols
    ]
    found[0]["evidence"] = {"steps": many}
    found[0]["schedule"] = [[s["thread"], s["op"], s["object"]] for s in many]
    lines = checked(mail(stored(*cells, findings=found, options={"command": "racebench run " + "x " * 99})))
    assert "and 4 more rules" in lines
    assert any("+" in line and "protocol_of_a_" in line for line in lines)


def test_what_is_proved_unreachable_breaks_nothing() -> None:
    rule = "lock_order.inversion"
    found = lost(rule=rule, signature="i")
    found["evidence"]["confirmation"] = {"label": "unreachable", "why": "proved"}  # type: ignore[index]
    text = mail(stored(cell(protocol="no_rank_lock", found=[rule], expected=[rule]), findings=[found]))
    assert rule not in text and "is proved unreachable" in " ".join(text.split())


def test_nothing_in_a_file_is_obeyed() -> None:
    odd = finding(rule=EVIL, signature=EVIL, scenario=EVIL, protocol=EVIL, evidence={"steps": STEPS})
    text = mail(stored(cell(EVIL, EVIL, found=[EVIL], title=EVIL), findings=[odd], options={"command": EVIL}))
    checked(text)
    assert ESC not in text
