"""Plain text for a mailing list."""

from __future__ import annotations

import re
from typing import Any

import pytest

from racebench.report.formats.markdown import render

from ..samples import cell, finding, stored

BROKEN = cell("release_vs_isenabler", found=["deadlock.cycle"], verdict="unexpected")


class Claim:
    id, claim, by, verdict = "K1", "the rank lock is not needed", "the patch", "refuted"
    evidence = ("route_vs_route under no_rank_lock: mapping.corrupted",)


def text(*cells: dict[str, Any], width: int = 72, **how: Any) -> str:
    return render(stored(*(cells or (BROKEN, cell())), **how), width)


@pytest.mark.parametrize("width", [40, 72, 100])
def test_no_line_is_longer_than_the_width_but_for_commands(width: int) -> None:
    many = [cell(s, f"protocol_{i}", verdict="missed", expected=["a.b"]) for s in "xyz" for i in range(20)]
    for said in (text(width=width, claims=[Claim]), text(*many, width=width)):
        lines = [line for line in said.splitlines() if "racebench " not in line]
        assert max(map(len, lines)) <= width


def test_only_headings_stand_outside_of_indented_blocks() -> None:
    rule = "<b>_x_ [a](http://b) `c` | #1 @me"
    said = text(findings=[finding(rule=rule, summary=rule, evidence={})])
    outside = [line for line in said.splitlines() if line and not line.startswith("    ")]
    assert all(line.startswith("#") for line in outside)
    [heading] = [line for line in outside if line.startswith("###")]
    assert heading == r"### 1. \<b\>\_x\_ \[a\](http\://b) \`c\` \| \#1 \@me"
    assert not re.search(r"(?<!\\)[<>`|@\[\]]", heading)


def test_what_was_not_reproduced_says_so() -> None:
    assert "    replay: not reproduced: no schedule\n" in text(findings=[finding(schedule=[], evidence={})])
