"""One finding as a panel."""

from __future__ import annotations

from typing import Any

import pytest

from racebench.report import facts
from racebench.report.finding import finding_panel

from .samples import ESC, EVIL, STEPS, finding, printed, record


def panel(width: int = 80, path: str = "run/findings/0001.json", **how: Any) -> str:
    return printed(finding_panel(record(finding(**how)), path), width)


@pytest.mark.parametrize("width", [40, 80, 160])
def test_a_deadlock_says_who_holds_what_and_wants_what_where(width: int) -> None:
    words = " ".join(panel(width).replace("│", " ").split())
    assert "vcpu0 and toolstack wait for one another" in words
    if width >= 80:
        assert "deadlock.cycle: release_vs_isenabler x baseline" in words
        assert "vcpu0 holds rank[1] taken in write_isenabler (vgic/vgic_v2.py:38)" in words
        assert "wants desc[64] in vgic_enable_irqs (vgic/vgic.py:63), held by toolstack" in words
        assert "seen: 1 in verify, 1,309 in stress" in words
        assert "replay: racebench replay run/findings/0001.json" in words


def test_each_place_says_what_it_stands_for_in_xen() -> None:
    sources = {"write_isenabler": "vgic-v2.c, vgic_v2_distr_mmio_write @ baf2950213", "release": 64}
    evidence = {**finding()["evidence"], "sources": sources}
    words = " ".join(panel(120, evidence=evidence).replace("│", " ").split())
    assert (
        "write_isenabler (vgic/vgic_v2.py:38) Xen: vgic-v2.c, vgic_v2_distr_mmio_write @ baf2950213" in words
    )
    without = panel(120, evidence={**evidence, "sources": "none"})
    assert "Xen:" not in without


def test_functions_of_the_lanes_are_explained_once() -> None:
    stacks = [{**step, "stack": ["map_irq"]} for step in STEPS]
    evidence = {"steps": stacks, "sources": {"map_irq": "gic.c, gic_route_irq_to_guest @ baf2950213"}}
    words = " ".join(panel(120, evidence=evidence).replace("│", " ").split())
    assert words.count("map_irq Xen: gic.c, gic_route_irq_to_guest @ baf2950213") == 1


def test_a_corrupted_mapping_shows_what_changed() -> None:
    row = {"virq": 40, "pirq": None, "status": []}
    before = {"mapping": [row], "vcpus": [{"vcpu": 0}]}
    after = {"mapping": [{**row, "pirq": 65}], "vcpus": [{"vcpu": 0}]}
    evidence = {"before": before, "after": after, "results": {"a": "[0]", "b": "[0]"}, "steps": STEPS}
    text = panel(rule="mapping.corrupted", summary="pIRQ 64 is lost", evidence=evidence)
    assert "pIRQ 64 is lost" in text
    assert "- → 65" in text
    assert "vCPUs" not in text
    assert "a returned [0], b returned [0]" in text


def test_a_state_of_another_kind_is_shown_too() -> None:
    text = panel(evidence={"before": {"balance": 0}, "after": {"balance": 1}})
    assert "balance: 0 → 1" in text
    assert "state: 0 → 1" in panel(evidence={"before": 0, "after": 1})


def test_what_was_not_reproduced_says_so() -> None:
    evidence = {"reproduced": False, "not_reproduced": "not within 3 s under control"}
    text = panel(schedule=[], evidence=evidence)
    assert "replay: not reproduced: not within 3 s under control" in text
    assert "racebench replay" not in text


def test_the_command_names_the_code_it_needs() -> None:
    args = ["--protocol", "my files/mine.py:Mine"]
    assert "0001.json --protocol 'my files/mine.py:Mine'" in panel(120, replay_args=args)


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
