"""The picture of a finding."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from racebench.report.formats.svg import render

from ..samples import cell, finding, step, stored

BROKEN = cell("release_vs_isenabler", found=["deadlock.cycle"], verdict="unexpected")


def words(text: str) -> list[str]:
    return ["".join(part.itertext()) for part in ET.fromstring(text).iter("{http://www.w3.org/2000/svg}text")]


def test_it_shows_the_schedule_and_who_waits_and_loads_nothing() -> None:
    text = render(stored(BROKEN))
    said = words(text)
    assert said[0] == "deadlock.cycle: release_vs_isenabler x baseline"
    assert "  write p[40].desc: None → desc[64]" in said and "wants rank[1]: blocked forever" in said
    assert {"vcpu0 waits for desc[64]", "toolstack waits for rank[1]", "rank[1] held"} <= set(said)
    assert text.count('class="wait"') == text.count('class="head" d') == 2
    assert said[-1] == "racebench replay runs/x/findings/0001.json"
    assert not re.search(r"https?:|@import|@font-face|<script|href", text.replace("http://www.w3.org", ""))


def test_a_bar_stands_where_its_lock_is_held() -> None:
    steps = [step("a", "acquire", "l"), step("a", "release", "l", held=["l"]), step("b", "acquire", "m")]
    one = finding(rule="data_race", threads=["a", "b"], evidence={"steps": steps})
    text = render(stored(findings=[one]))
    bars = re.findall(r'<rect class="(c\d)" x="[\d.]+" y="(\d+)" width="5" height="18"/>', text)
    assert [kind for kind, _ in bars] == ["c0", "c0", "c1"] and 'class="wait"' not in text


def test_everything_is_inside() -> None:
    root = ET.fromstring(render(stored(BROKEN, findings=[finding(summary="long " * 30, evidence={})])))
    wide, high = float(root.get("width", "0")), float(root.get("height", "0"))
    for part in root.iter():
        assert float(part.get("x", "0")) <= wide and float(part.get("y", "0")) <= high


def test_of_many_findings_it_shows_the_first_and_without_any_the_sum() -> None:
    others = [finding(signature=str(i), scenario="z", schedule=[["a", "read", f"x{i}"]]) for i in range(3)]
    assert "and 3 more findings" in words(render(stored(BROKEN, findings=[finding(), *others])))
    assert words(render(stored(cell(), findings=[])))[0] == "RaceBench"


def test_it_is_the_same_each_time() -> None:
    assert render(stored(BROKEN)) == render(stored(BROKEN))
