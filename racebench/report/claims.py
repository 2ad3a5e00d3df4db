"""The claims and what the cells say of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from .text import clean, plain

_STYLES = {"holds": "green", "refuted": "bold red", "qualified": "yellow"}


def claims_table(verdicts: Sequence[Any]) -> Table:
    """One row a claim: what was claimed, the verdict, the cells it rests on."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("claim", no_wrap=True)
    table.add_column("says", overflow="fold", ratio=2)
    table.add_column("verdict", no_wrap=True)
    table.add_column("because", overflow="fold", ratio=3)
    for v in verdicts:
        because = Text("\n").join(plain(line) for line in v.evidence)
        says = Text(f"{clean(v.claim)} ").append(f"({clean(v.by)})", style="dim")
        table.add_row(plain(v.id, "bold"), says, plain(v.verdict, _STYLES.get(v.verdict, "")), because)
        table.add_section()
    return table
