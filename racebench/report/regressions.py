"""Compare one protocol with another in the same run: what is new, what is fixed, what both have.

Two findings are the same if both protocols have it in the same scenario with the same rule
and signature, except for functions with another name.  Of the things that a signature
names, a subclass can change only function names: rules, fields and lock classes mean the
same in any protocol.  And there are only two kinds of functions:

- A function that the parent has too keeps its name, even if a subclass overrides it: a
  different function name is a different place.
- A function of the subclass's own, a helper say, is unknown to the parent.  The parent did
  the same work in a function that no longer runs as it did, so in one that the subclass
  overrides; if it were in any other function, that would still do it.

So the name of a function of its own may stand for one that the subclass overrides, and for
nothing else.  Each finding of the parent is matched once, equal names first: if two places
now break through one helper, there is one finding more than in the parent.  The first edge
of a ring depends only on names, so a ring is compared from each of its edges.

A cell without an answer is neither the same nor fixed, and never counts as nothing new.
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
"""``{protocol, parent, own, replaced}``: ids, and names of functions, as in ``scenario.lineage``."""

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
    """The lineages in a stored run's options; empty if RaceBench would not write them so."""
    return list(stored) if fits(stored, [_LINEAGE]) else []


def planned(options: Mapping[str, Any], protocol: str) -> list[str]:
    """The scenarios that the run's ``options`` plan under ``protocol``; empty if they have no plan."""
    rows = options.get("cells")
    if not isinstance(rows, list) or not fits(rows, [{"scenario": str, "protocol": str}]):
        return []
    return [row["scenario"] for row in rows if row["protocol"] == protocol]


Side = tuple[Iterable[Cell], Pairs, Mapping[str, Any]]
"""The cells of a run, its findings, its options."""


def against(lineage: Lineage, mine: Side, theirs: Side) -> Any:
    """``{protocol, parent, cells, new, fixed, both, open, idle, regression}``.

    ``mine`` has the cells and findings of the protocol, ``theirs`` those of its parent; other
    cells and findings in them are ignored.  ``cells`` and ``both`` are numbers: of the protocol's
    scenarios, and of findings that both have.  A finding in a scenario that the parent cannot run is
    new.  ``open`` has the scenarios in which one of the two has no answer, or was not run yet,
    ``idle`` those in which something is fixed, but little happened.  A regression is a new
    finding, or a protocol without an answer.
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
    """Whether one of ``known`` is the same finding; that one is removed from ``known``."""
    for i, (_, other) in enumerate(known):
        if same(record, other):
            del known[i]
            return True
    return False


def _equal(one: FindingRecord, other: FindingRecord) -> bool:
    return (one.finding.rule, one.finding.signature) == (other.finding.rule, other.finding.signature)


def _renamed(lineage: Lineage) -> Same:
    """A test whether two findings are the same except for function names (see the top of this file)."""
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
    """A ring's signature, starting at each of its edges; any other signature as it is."""
    edges = signature.removeprefix(_RING).split(_NEXT)
    if not signature.startswith(_RING):
        yield signature
        return
    for i in range(len(edges)):
        yield _RING + _NEXT.join(edges[i:] + edges[:i])


# -- blocks of a report


def conclusions(stored: Any) -> list[tuple[str, bool]]:
    """A sentence for each compared protocol of a run, and whether it is a regression."""
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
    """A section for each compared protocol; ``path`` gives the full path of a finding."""
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
