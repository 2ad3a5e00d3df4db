"""The HTML page."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from typing import Any

from racebench.report.formats.html import render

from ..samples import cell, finding, step, stored

BROKEN = cell("release_vs_isenabler", found=["deadlock.cycle"], verdict="unexpected")


class Page(HTMLParser):
    """Every element with its attributes, and whether they all close."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "input", "br"):
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


def page(*cells: dict[str, Any], **how: Any) -> str:
    return render(stored(*(cells or (BROKEN,)), **how))


def test_the_matrix_leads_to_the_findings() -> None:
    text = page(BROKEN, cell())
    tags = Page(text)
    places = {attrs["id"] for attrs in tags.all("article")}
    links = {attrs["href"] for attrs in tags.all("a")}
    assert links == {f"#{place}" for place in places} == {"#f1"}
    assert "vcpu0 and toolstack wait for each other" in text
    assert "racebench replay runs/x/findings/0001.json" in text


def test_nothing_comes_from_elsewhere_and_the_policy_names_what_is_here() -> None:
    text = page()
    tags = Page(text)
    assert not [a for _, attrs in tags.tags for a in attrs if a in ("src", "style") or a.startswith("on")]
    assert "http" not in text.replace("http-equiv", "")
    [policy] = [m["content"] for m in tags.all("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None and policy.startswith("default-src 'none'")
    for tag in ("style", "script"):
        [inside] = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_one_can_choose_by_what_differs() -> None:
    said = [{"callers": {"reachable": flag, "why": []}} for flag in (True, False, True)]
    findings = [
        finding(signature=f"{i}", schedule=[["a", "read", f"x{i}"]], evidence=evidence)
        for i, evidence in enumerate([*said, {}])
    ]
    text = page(BROKEN, cell(), cell(protocol="mine", verdict="unknown"), findings=findings)
    assert [a["name"] for a in Page(text).all("select")] == ["verdict", "callers"]
    assert "reachable (2)</option>" in text and "not reachable (1)</option>" in text
    assert {a["data-verdict"] for a in Page(text).all("tr") if "data-verdict" in a} == {
        "as_expected", "unexpected", "unknown"
    }  # fmt: skip
    assert not Page(page()).all("select"), "there is nothing to choose from"


def test_no_text_of_a_finding_ends_the_data_of_the_stepper() -> None:
    steps = [step("a", "write", "</script><b>", "<!--", "\u2028")]
    text = page(findings=[finding(threads=["a"], evidence={"steps": steps})])
    [data] = re.findall(r'<script type="application/json">(.*?)</script>', text)
    assert json.loads(data)["failing"][0][1] == "write </script><b>"


def test_many_cells_are_a_matrix_to_choose_from_and_a_list_to_unfold() -> None:
    text = page(BROKEN, *(cell(protocol=f"p{i}") for i in range(12)))
    squares = [a["data-verdict"] for a in Page(text).all("td") if "data-verdict" in a]
    assert squares == ["unexpected", *["as_expected"] * 12]
    assert "<summary>Every cell</summary>" in text


def lanes(text: str) -> list[tuple[str, list[str]]]:
    """The rows of the schedule: what is written in each, and the locks whose bars are beside it."""
    [table] = re.findall(r'<table class="lanes .*?<tbody>(.*?)</tbody>', text, re.DOTALL)
    [legend] = re.findall('<p class="locks">.*?</p>', text)
    locks = dict(re.findall('<b class="(c.)">(.*?)</b>', legend))
    return [
        (re.sub("<.*?>", "", row).strip(), [locks[bar] for bar in re.findall('<i class="(c.) s.">', row)])
        for row in table.split("</tr>")
    ]


def test_swimlanes_show_held_locks_and_old_and_new_values() -> None:
    rows = lanes(page())
    assert ("3  write p[40].desc: None → desc[64]    vgic/x.py:1, holding rank[1]", ["rank[1]"]) in rows
    assert ("6  acquire desc[64]", ["desc[64]", "rank[1]"]) in rows
    assert ("wants rank[1]: blocked forever", ["desc[64]", "rank[1]"]) in rows
    assert page().count('class="switch"') == 2


def test_a_bar_ends_where_its_lock_is_given_back() -> None:
    steps = [step("a", "acquire", "l"), step("a", "release", "l", held=["l"]), step("b", "acquire", "m")]
    rows = lanes(page(findings=[finding(rule="data_race", threads=["a", "b"], evidence={"steps": steps})]))
    assert [bars for _, bars in rows if bars] == [["l"], ["l"], ["m"]]


def test_light_and_dark_and_print() -> None:
    text = page()
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text


def test_a_run_without_cells_or_findings_is_a_page() -> None:
    assert "0 of 0 cells" in render(stored(findings=[]))


def test_a_schedule_without_end_is_cut() -> None:
    steps = [step("a", "acquire", "l") for _ in range(5000)]
    text = page(findings=[finding(threads=["a"], evidence={"steps": steps})])
    assert "3,501 more rows" in text
