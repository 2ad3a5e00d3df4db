"""The page in a browser: its script is driven, and what is shown then is asserted."""

from __future__ import annotations

import json
import re
import shutil
import struct
import subprocess
import zlib
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from racebench.report.formats.html import render

from ..samples import STEPS, cell, finding, step, stored

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")

REST = [
    step("toolstack", "acquire", "desc[64]"),
    step("toolstack", "write", "p[40].desc", "None", "gone", held=["desc[64]"]),
    step("toolstack", "release", "desc[64]", held=["desc[64]"]),
]
PASSING = {
    "at": 2,
    **dict.fromkeys(("failing", "passing"), ["toolstack", "acquire", "desc[64]"]),
    "schedule": [[s["thread"], s["op"], s["object"]] for s in (*STEPS[:2], *REST)],
    "rest": REST,
}
DEADLOCK = finding(evidence={**finding()["evidence"], "passing": PASSING})
RACE = finding(
    rule="data_race", signature="race", scenario="route_vs_route", protocol="no_rank_lock",
    evidence={"callers": {"reachable": True, "why": []}},
)  # fmt: skip
CELLS = (
    cell("release_vs_isenabler", found=["deadlock.cycle"], verdict="unexpected"),
    cell(protocol="no_rank_lock"),
)


DARK, LIGHT = 0, 1


def shown(
    folder: Path, *, at: str = "", script: str = "", width: int = 1200, theme: int = LIGHT, **how: Any
) -> str:
    """The document as it is once it is loaded and ``script`` has acted; its picture is ``page.png``."""
    text = render(stored(*CELLS, findings=[DEADLOCK, RACE], **how))
    if script:
        # The page's own policy lets no other script act.
        text = re.sub(r'<meta http-equiv="Content-Security-Policy".*?>', "", text)
        text = text.replace("</body>", f"<script>{script}</script></body>")
    page = folder / "page.html"
    page.write_text(text, encoding="utf-8")
    command = [
        str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}",
        f"--screenshot={folder / 'page.png'}", f"--window-size={width},900",
        f"--blink-settings=preferredColorScheme={theme}", "--virtual-time-budget=2000", "--dump-dom",
        page.as_uri() + at,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout


def looks(folder: Path) -> tuple[int, int, int]:
    """Of the picture: its width, how bright its corner is, of 765, and how many kinds of bytes it has.

    The first pixel has no neighbour, so no filter changes it; a picture of one colour has a few kinds.
    """
    picture = (folder / "page.png").read_bytes()
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    parts, at = {b"IHDR": b"", b"IDAT": b""}, 8
    while at < len(picture):
        size, kind = struct.unpack(">I4s", picture[at : at + 8])
        parts[kind] = parts.get(kind, b"") + picture[at + 8 : at + 8 + size]
        at += size + 12
    width, depth, colours = struct.unpack(">I4xBB", parts[b"IHDR"][:10])
    assert depth == 8 and colours in (2, 6), "red, green and blue, a byte each"
    pixels = zlib.decompress(parts[b"IDAT"])
    return width, sum(pixels[1:4]), len(set(pixels))


def status(document: str) -> str:
    [said] = re.findall(r'<p class="status".*?>(.*?)</p>', document)
    return unescape(re.sub("<.*?>", "", said))


def boards(document: str) -> int:
    return document.count("<svg viewBox=")


def values(document: str) -> dict[str, list[str]]:
    [table] = re.findall(r'<table class="values">.*?<tbody>(.*?)</tbody>', document)
    rows = re.findall(r"<th.*?>(.*?)</th>(.*?)</tr>", table)
    return {field: re.findall(r"<td.*?>(.*?)</td>", cells) for field, cells in rows}


def press(*keys: str) -> str:
    events = "".join(
        f'panel.dispatchEvent(new KeyboardEvent("keydown", {{key: "{k}", bubbles: true}}));' for k in keys
    )
    return f'document.querySelector(".stepper .open").click(); const panel = document.activeElement; {events}'


def test_a_link_leads_to_a_step_and_the_policy_lets_the_script_of_the_page_act(tmp_path: Path) -> None:
    document = shown(tmp_path, at="#f1-s2")
    assert status(document).startswith("Step 2 of 6.") and "vcpu0: read rank[1].ienable (0)" in status(
        document
    )
    marked = re.findall(r'<tr aria-current="step".*?href="#f1-s(\d)"', document)
    assert marked == ["2", "2", "1"], "in both schedules; of the lanes the row above those that are folded"
    tables = re.findall('<table class="lanes.*?</table>', document, re.DOTALL)
    linked = re.findall(r'href="#f1-s(\d)"', "".join(tables))
    assert linked == ["1", "2", "3", "4", "5", "6"], "every number in the lanes leads to its step"
    assert document.count('class="panel"') == 1, "the others are as they were"
    width, corner, kinds = looks(tmp_path)
    assert width == 1200 and corner > 650 and kinds > 64


def test_what_is_folded_unfolds_and_a_narrow_dark_page_is_drawn(tmp_path: Path) -> None:
    script = """
        const fold = document.querySelector(".lanes details"), inside = fold.querySelector("li");
        const results = [inside.checkVisibility()];
        fold.querySelector("summary").focus({preventScroll: true});
        results.push(document.activeElement === fold.querySelector("summary"));
        document.activeElement.click();
        results.push(inside.checkVisibility(), inside.innerText.trim());
        document.title = results.join("; ");"""
    document = shown(tmp_path, script=script, width=500, theme=DARK)
    assert "<title>false; true; true; 2   read rank[1].ienable = 0</title>" in document
    width, corner, kinds = looks(tmp_path)
    assert width == 500 and corner < 200 and kinds > 64


def test_the_arrow_keys_walk_state_locks_and_waits(tmp_path: Path) -> None:
    document = shown(tmp_path, script=press("ArrowRight", "ArrowRight", "ArrowRight"))
    assert "fails: vcpu0: write p[40].desc (None → desc[64])" in status(document)
    assert "nearest that passes: toolstack: acquire desc[64]" in status(document)
    assert values(document)["p[40].desc"] == ["● desc[64]", "None"]
    assert re.findall(r'class="held">(.*?)<', document) == [
        "holds rank[1]",
        "holds desc[64]",
        "holds rank[1]",
    ]
    assert 'class="wait"' not in document
    document = shown(tmp_path, script=press("End"))
    assert "toolstack waits for rank[1], which vcpu0 holds" in status(document)
    assert "vcpu0 waits for desc[64], which toolstack holds; here it breaks" in status(document)
    assert document.count('class="wait"') == 2
    assert "nothing is broken at its end" in status(document)
    document = shown(tmp_path, script=press("End", "ArrowLeft", "Home"))
    assert status(document).startswith("Step 0 of 6.") and 'aria-valuetext="step 0 of 6"' in document


def test_buttons_walk_too_and_the_address_follows(tmp_path: Path) -> None:
    act = press() + 'for (const label of ["to the end", "one step back"])'
    act += "document.querySelector(`[aria-label^='${label}']`).click(); document.title = location.hash;"
    assert "<title>#f1-s5</title>" in shown(tmp_path, script=act)


def test_one_schedule_alone_has_one_side(tmp_path: Path) -> None:
    assert boards(shown(tmp_path, at="#f2-s1")) == 1
    assert boards(shown(tmp_path, at="#f1-s1")) == 2
    act = press() + 'document.querySelector(".bar [type=checkbox]").click();'
    assert boards(shown(tmp_path, script=act)) == 1


CHOICES: list[tuple[dict[str, str], list[str]]] = [
    ({}, ["f1", "f2"]),
    ({"rule": "data_race"}, ["f2"]),
    ({"scenario": "release_vs_isenabler"}, ["f1"]),
    ({"protocol": "no_rank_lock"}, ["f2"]),
    ({"verdict": "unexpected"}, ["f1"]),
    ({"seen": "new"}, ["f1"]),
    ({"seen": "known"}, ["f2"]),
    ({"text": "WAIT for one"}, ["f1"]),
    ({"text": "nowhere"}, []),
    ({"rule": "data_race", "text": "isenabler"}, []),
]


def test_findings_are_chosen(tmp_path: Path) -> None:
    script = f"""
        const form = document.querySelector(".filter"), shown = [];
        for (const wanted of {json.dumps([wanted for wanted, _ in CHOICES])}) {{
          for (const part of form.querySelectorAll("select, input")) part.value = wanted[part.name] || "";
          form.dispatchEvent(new Event("input"));
          shown.push([...document.querySelectorAll("article:not([hidden])")].map((one) => one.id).join("+"));
        }}
        document.title = `${{shown}} ${{form.querySelector("output").value}}`;"""
    history = {"deadlock.cycle: desc, rank": (1, 3), "race": (2, 3)}
    document = shown(tmp_path, script=script, history=history)
    expected = ",".join("+".join(left) for _, left in CHOICES)
    assert f"<title>{expected} 0 of 2 findings</title>" in document
