"""One protocol held against another in the same run: what is new with it, what is fixed, what both have.

A finding of the one is that of the other if both have it in the same scenario, by rule
and signature, but for functions with another name.  Of what a signature names, a
subclass can change only these: the rule, the fields and the classes of locks mean the
same in any protocol.  And of functions only two kinds:

- One that the parent has too keeps its name, also where a subclass overrides it: another
  one in its place is another place.
- One of the subclass's own, a helper say, is unknown to the parent.  What it does the
  parent did in a function that does not run any more as it was, so in one that the
  subclass overrides; had it done it in any other, that would still do it.

So a name of its own may stand for one that it overrides, and for nothing else.  Each
finding of the parent is taken once, the same names first: a helper through which two
places now break is one thing more than the parent had.  A ring has no first edge but by
its names, so it is read from each of them.

What has no answer is neither the same nor fixed, and never counts as nothing new.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ..bounds import fits
from ..records import Cell, FindingRecord
from .comparison import signatures
from .differences import SEEN, grouped
from .stored_run import Pairs
from .text import counted, joined
from .tree import Block, Look, Section, note

_RING, _NEXT = "deadlock.cycle: ", " -> "
_PLACE = re.compile(r"(?<= in )[\w<>]+")

Lineage = Mapping[str, Any]
"""``{protocol, parent, own, replaced}``: ids, and names of functions as ``scenario.lineage`` has them."""

_LINEAGE = {"protocol": str, "parent": str, "own": [str], "replaced": [str]}
_ONE = {
    "protocol": str,
    "parent": str,
    "cells": int,
    "new": [SEEN],
    "fixed": [SEEN],
    "both": int,
    "open": [str],
    "regression": bool,
}


def lineages(stored: Any) -> list[Lineage]:
    """What the options of a run say of who is held against whom; none if they are not as we write them."""
    return list(stored) if fits(stored, [_LINEAGE]) else []


def planned(options: Mapping[str, Any], protocol: str) -> list[str]:
    """The scenarios that a run was to run under ``protocol``, as its ``options`` say; none if they do not."""
    rows = options.get("cells")
    if not isinstance(rows, list) or not fits(rows, [{"scenario": str, "protocol": str}]):
        return []
    return [row["scenario"] for row in rows if row["protocol"] == protocol]


Side = tuple[Iterable[Cell], Pairs, Mapping[str, Any]]
"""The cells of a run, its findings, its options."""


def against(lineage: Lineage, mine: Side, theirs: Side) -> Any:
    """``{protocol, parent, cells, new, fixed, both, open, idle, regression}``.

    ``mine`` has the cells and findings of the protocol, ``theirs`` of its parent; others
    among them do not matter.  ``cells`` and ``both`` are numbers: of the protocol's scenarios,
    and of findings that both have.  What a scenario shows that the parent cannot run is new.
    ``open`` has the scenarios in which one of the two has no answer, or was not run yet,
    ``idle`` those in which something is fixed, but little happened.  A regression is a new
    finding, or that the protocol has no answer.
    """
    protocol, parent = lineage["protocol"], lineage["parent"]
    cells = {cell.scenario: cell for cell in mine[0] if cell.protocol == protocol}
    before = {cell.scenario: cell for cell in theirs[0] if cell.protocol == parent}
    new: list[tuple[str, FindingRecord]] = []
    fixed: list[tuple[str, FindingRecord]] = []
    idle = []
    both = 0
    for scenario, cell in cells.items():
        left = [pair for pair in mine[1] if pair[1].cell == (scenario, protocol)]
        known = [pair for pair in theirs[1] if pair[1].cell == (scenario, parent)]
        had = len(known)
        for same in (_equal, _renamed(lineage)):
            left = [pair for pair in left if not _taken(pair[1], known, same)]
        both += had - len(known)
        new += left
        if cell.answered:
            fixed += known
            idle += [scenario] if known and cell.vacuous else []
    unanswered = [s for s in {*cells, *planned(mine[2], protocol)} if s not in cells or not cells[s].answered]
    unsure = [s for s in {*before, *planned(theirs[2], parent)} if s not in before or not before[s].answered]
    return {
        "protocol": protocol,
        "parent": parent,
        "cells": len(cells),
        "new": grouped(new),
        "fixed": grouped(fixed),
        "both": both,
        "open": sorted({*unanswered, *(s for s in unsure if s in cells)}),
        "idle": sorted(idle),
        "regression": bool(new or unanswered or not any(s in before for s in cells)),
    }


Same = Callable[[FindingRecord, FindingRecord], bool]


def _taken(record: FindingRecord, known: list[tuple[str, FindingRecord]], same: Same) -> bool:
    """Whether one of ``known`` is the same finding; it is taken out."""
    for i, (_, other) in enumerate(known):
        if same(record, other):
            del known[i]
            return True
    return False


def _equal(one: FindingRecord, other: FindingRecord) -> bool:
    return (one.finding.rule, one.finding.signature) == (other.finding.rule, other.finding.signature)


def _renamed(lineage: Lineage) -> Same:
    """Whether two findings are one but for the names of functions, as the top of this file has it."""
    own = frozenset(lineage["own"])
    stands_for = "|".join(map(re.escape, lineage["replaced"]))

    def place(found: re.Match[str]) -> str:
        return f"(?:{stands_for})" if found[0] in own else re.escape(found[0])

    def pattern(signature: str) -> str:
        parts, end = "", 0
        for found in _PLACE.finditer(signature):
            parts += re.escape(signature[end : found.start()]) + place(found)
            end = found.end()
        return parts + re.escape(signature[end:])

    def same(one: FindingRecord, other: FindingRecord) -> bool:
        if not stands_for or one.finding.rule != other.finding.rule:
            return False
        turns = _turns(one.finding.signature)
        return any(re.fullmatch(pattern(turn), other.finding.signature) for turn in turns)

    return same


def _turns(signature: str) -> Iterator[str]:
    """A ring from each of its edges on; anything else as it is."""
    edges = signature.removeprefix(_RING).split(_NEXT)
    if not signature.startswith(_RING):
        yield signature
        return
    for i in range(len(edges)):
        yield _RING + _NEXT.join(edges[i:] + edges[:i])


# -- as it is shown


def conclusions(stored: Any) -> list[tuple[str, bool]]:
    """A sentence for each protocol of what a run has of this, and whether it got worse."""
    said = []
    for one in stored if fits(stored, [_ONE]) else ():
        new, fixed = len(one["new"]), len(one["fixed"])
        parts = [
            counted(new, "new finding") if new else "nothing new",
            f"{counted(fixed, 'finding')} fixed" if fixed else "nothing fixed",
            f"{counted(one['both'], 'finding')} in both",
            *(["not every cell has an answer"] if one["open"] else []),
        ]
        said.append((f"{one['protocol']} against {one['parent']}: {joined(parts)}.", one["regression"]))
    return said


def news(stored: Any) -> set[str]:
    """The signatures that are new with a protocol."""
    return {seen["signature"] for one in (stored if fits(stored, [_ONE]) else ()) for seen in one["new"]}


def sections(stored: Any, path: Callable[[str], str] = str) -> Iterator[Section]:
    """What a run has of this, a section for each protocol; ``path`` is where one in the run's folder is."""
    for one in stored if fits(stored, [_ONE]) else ():
        placed = {key: [{**s, "finding": path(s["finding"])} for s in one[key]] for key in ("new", "fixed")}
        yield Section(f"{one['protocol']} against {one['parent']}", list(_blocks({**one, **placed})))


def _blocks(one: Mapping[str, Any]) -> Iterator[Block]:
    if one["new"]:
        yield note(f"new: {counted(len(one['new']), 'finding')}", Look.BAD)
        yield from signatures(one["new"])
    elif one["regression"]:
        yield note("nothing new was met, and not every cell has an answer", Look.WARN)
    else:
        yield note("nothing new", Look.GOOD)
    if one["fixed"]:
        yield note(f"fixed: {counted(len(one['fixed']), 'finding')}", Look.GOOD)
        yield from signatures(one["fixed"], Look.GOOD)
    else:
        yield note("nothing fixed", Look.DIM)
    yield note(
        f"both have {counted(one['both'], 'finding')} in {counted(one['cells'], 'scenario')}", Look.DIM
    )
    if one.get("idle"):
        idle = joined(one["idle"])
        yield note(f"little happened with {one['protocol']} in {idle}: no fix is shown there", Look.WARN)
    if one["open"]:
        yield note(f"no answer from one or the other in {joined(one['open'])}", Look.WARN)
