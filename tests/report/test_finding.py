"""One finding as a panel."""

from __future__ import annotations

from typing import Any

from racebench.report import facts
from racebench.report.finding import finding_panel

from .samples import ESC, EVIL, STEPS, finding, printed, record


def panel(width: int = 80, path: str = "run/findings/0001.json", **how: Any) -> str:
    return printed(finding_panel(record(finding(**how)), path), width)


def test_each_place_says_what_it_stands_for_in_xen() -> None:
    sources = {"write_isenabler": "vgic-v2.c, vgic_v2_distr_mmio_write @ baf2950213", "release": ""}
    evidence = {**finding()["evidence"], "sources": sources}
    words = " ".join(panel(120, evidence=evidence).replace("│", " ").split())
    assert (
        "write_isenabler (vgic/vgic_v2.py:38) Xen: vgic-v2.c, vgic_v2_distr_mmio_write @ baf2950213" in words
    )
    without = panel(120, evidence={**evidence, "sources": {}})
    assert "Xen:" not in without


def test_functions_of_the_lanes_are_explained_once() -> None:
    steps = [{**step, "site": "map_irq (vgic/gic.py:90)"} for step in STEPS]
    evidence = {"steps": steps, "sources": {"map_irq": "gic.c, gic_route_irq_to_guest @ baf2950213"}}
    words = " ".join(panel(120, evidence=evidence).replace("│", " ").split())
    assert words.count("map_irq Xen: gic.c, gic_route_irq_to_guest @ baf2950213") == 1


def test_a_state_of_another_kind_is_shown_too() -> None:
    text = panel(evidence={"before": {"balance": 0}, "after": {"balance": 1}})
    assert "balance: 0 → 1" in text
    assert "state: 0 → 1" in panel(evidence={"before": 0, "after": 1})


def test_it_says_whether_real_callers_meet_and_what_keeps_them_apart() -> None:
    why = ["unbind and unbind: domctl_lock lets one of them run at a time"]
    text = panel(evidence={"callers": {"reachable": False, "why": why}})
    assert "not reachable: unbind and unbind: domctl_lock lets one of them run at a" in text
    assert "│ reachable: b beside c; d " in panel(
        evidence={"callers": {"reachable": True, "why": ["b beside c", "d"]}}
    )
    assert "reachable" not in panel(evidence={})
    assert "not reachable  " in panel(evidence={"callers": {"reachable": False, "why": []}})


def test_what_was_not_reproduced_says_so() -> None:
    evidence = {"reproduced": False, "not_reproduced": "not within 3 s under control"}
    text = panel(schedule=[], evidence=evidence)
    assert "replay: not reproduced: not within 3 s under control" in text
    assert "racebench replay" not in text


def test_nothing_in_a_file_is_obeyed() -> None:
    text = panel(
        160,
        rule=EVIL,
        summary=EVIL,
        scenario=EVIL,
        protocol=EVIL,
        threads=[EVIL],
        evidence={"results": {EVIL: EVIL}, "stacks": {EVIL: [EVIL]}, "before": {EVIL: 1}, "after": {EVIL: 2}},
        seen={EVIL: 1},
        replay_args=[EVIL],
    )
    assert ESC not in text
    assert text.count("[bold]x[/bold]") >= 8


def test_a_recursion_is_counted_not_repeated() -> None:
    sites = ["a (x.py:1)", *["f (x.py:2)"] * 12, "[900 calls left out]", *["f (x.py:2)"] * 12]
    found = {"evidence": {"stacks": {"a": sites}}}
    [note] = facts.notes(record(finding(**found)))
    assert note == ("a was in: a (x.py:1) > f (x.py:2) 12 times > [900 calls left out] > f (x.py:2) 12 times")


def test_of_a_very_long_value_both_ends_are_shown() -> None:
    shown = facts.sentence(record(finding(summary="begin" + "-" * 1_000_000 + "end", evidence={})))
    assert shown.startswith("begin-") and shown.endswith("-end")
    assert len(shown) < 1_300
