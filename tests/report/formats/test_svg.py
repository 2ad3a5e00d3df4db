"""The picture of the terminal's report."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest

from racebench.report.formats.svg import render

from ..samples import cell, stored


@pytest.mark.parametrize("width", [60, 80, 120])
def test_it_shows_what_the_terminal_shows_and_loads_nothing(width: int) -> None:
    text = render(stored(cell("release_vs_isenabler", found=["deadlock.cycle"], verdict="unexpected")), width)
    root = ET.fromstring(text)
    words = " ".join("".join(root.itertext()).split())
    assert "release_vs_isenabler" in words
    assert "deadlock.cycle: release_vs_isenabler x baseline" in words
    assert not re.search(r"https?:|@import|@font-face|<script|href", text.replace("http://www.w3.org", ""))


def test_it_is_the_same_each_time() -> None:
    assert render(stored(cell()), 80) == render(stored(cell()), 80)
