"""The report of a fuzz run."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from .text import clean, clipped, count, counted, duration
from .tree import Block, Look, Paragraph, Table, Text, command, lines, listed, note, row, say

_MOST, _LONGEST = 3, 150


def fuzz_report(run: Mapping[str, Any], folder: str, protocol: str, *, full: bool = False) -> list[Block]:
    """New signatures first, with commands that run them again; ``protocol`` is the spec as it was given."""
    fuzz = run["fuzz"]
    met = sorted(fuzz["met"], key=lambda m: m["after"])
    known, new = [m for m in met if m["covered"]], [m for m in met if not m["covered"]]
    drawn, seconds = counted(fuzz["drawn"], "scenario"), duration(run["wall_s"])
    total = f"{drawn} drawn in {seconds}: {counted(len(met), 'signature')}, {count(len(new))} new"
    total += " (interrupted)" if run["interrupted"] else ""
    blocks: list[Block] = [note(f"{_conclusion(fuzz['protocol'], new)}", Look.BAD if new else Look.GOOD)]
    blocks.append(note(total))
    for one in new[:_MOST]:
        blocks.append(note(clipped(clean(one["signature"]), _LONGEST), Look.STRONG))
        if one["scenario"]:
            again = shlex.join(["racebench", "run", one["scenario"], "--protocol", protocol])
            blocks.append(command(f"  {again}"))
    if new:
        left = len(new) - _MOST
        blocks.append(
            command(f"racebench explain {folder}", f"{count(left)} more:" if left > 0 else "all of it:")
        )
    if full:
        for title, some in (("shown by bundled scenarios too", known), ("new", new)):
            if some:
                blocks += [Paragraph(), note(f"{fuzz['protocol']}: {title}", Look.STRONG), _met(some)]
        for one in fuzz.get("vacuous", ()):
            blocks += [note(f"vacuous: {clean(one['said'])}", Look.WARN)]
            blocks += [command(one["instead"], "try:")] if one["instead"] else []
    elif fuzz.get("vacuous"):
        blocks.append(note(f"little happened: {clean(fuzz['vacuous'][0]['said'])}", Look.WARN))
    return blocks


def _conclusion(protocol: str, new: Sequence[Mapping[str, Any]]) -> str:
    if not new:
        return f"Nothing new breaks under {clean(protocol)}: the bundled scenarios show all that was met."
    which = counted(len(new), "signature")
    verb = "breaks" if len(new) == 1 else "break"
    return f"{which} that no bundled scenario shows {verb} under {clean(protocol)}."


def _met(met: Sequence[Mapping[str, Any]]) -> Table:
    rows = [row(say(f"{m['seconds']:.1f} s", Look.DIM), _described(m)) for m in met]
    return listed(rows)


def _described(met: Mapping[str, Any]) -> Text:
    if met["covered"]:
        return say(met["signature"]) + say(f"  {clean(met['covered'])}", Look.DIM)
    signature = say(met["signature"], Look.STRONG)
    if met["scenario"]:
        return signature
    return lines([signature, say("did not come again, or comes with one that is stored", Look.DIM)])
