"""What a fuzz run met."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from .text import clean, count, counted, duration
from .tree import Block, Look, Paragraph, Table, Text, command, lines, listed, note, row, say


def fuzz_report(run: Mapping[str, Any]) -> list[Block]:
    """What a fuzz run met, new things last."""
    told = run["fuzz"]
    met = sorted(told["met"], key=lambda m: m["after"])
    known, new = [m for m in met if m["covered"]], [m for m in met if not m["covered"]]
    blocks: list[Block] = []
    for title, some in (("shown by bundled scenarios too", known), ("new", new)):
        if some:
            blocks += [note(f"{told['protocol']}: {title}", Look.STRONG), _met(some), Paragraph()]
    for one in told.get("vacuous", ()):
        blocks += [note(f"vacuous: {clean(one['said'])}", Look.WARN)]
        blocks += [command(one["instead"], "try:")] if one["instead"] else []
    drawn, seconds = counted(told["drawn"], "scenario"), duration(run["wall_s"])
    total = f"{drawn} drawn in {seconds}: {counted(len(met), 'signature')}, {count(len(new))} new"
    total += " (interrupted)" if run["interrupted"] else ""
    return [*blocks, note(total, Look.BAD if new else Look.GOOD)]


def fuzz_commands(run: Mapping[str, Any], folder: str, protocol: str) -> list[str]:
    """How to see what is new again, a line each; ``protocol`` as it was asked for."""
    kept = [m["scenario"] for m in run["fuzz"]["met"] if not m["covered"] and m["scenario"]]
    if not kept:
        return []
    again = [shlex.join(["racebench", "run", file, "--protocol", protocol]) for file in dict.fromkeys(kept)]
    return [clean(command) for command in (f"racebench explain {folder}", *again)]


def _met(met: Sequence[Mapping[str, Any]]) -> Table:
    rows = [row(say(f"{m['seconds']:.1f} s", Look.DIM), _told(m)) for m in met]
    return listed(rows)


def _told(met: Mapping[str, Any]) -> Text:
    if met["covered"]:
        return say(met["signature"]) + say(f"  {clean(met['covered'])}", Look.DIM)
    signature = say(met["signature"], Look.STRONG)
    if met["scenario"]:
        return signature
    return lines([signature, say("did not come again, or comes with one that is stored", Look.DIM)])
