"""What a finding says, as plain lines and tables of strings: no format, no width.

Every string is already free of control characters; a format still escapes
what is markup to it.  Nothing in a stored finding is trusted to have the shape
that RaceBench writes, beyond what reading it has checked.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from .text import brief, clean, count, joined

_TITLES = {"mapping": "vIRQs", "descs": "pIRQs", "vcpus": "vCPUs"}


@dataclass(frozen=True, slots=True)
class Wait:
    """One line of a ring: ``thread`` holds or wants ``lock``; ``source`` is what the place stands for."""

    thread: str
    verb: str
    lock: str
    place: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class Changed:
    """What the execution changed in one kind of object; a cell is (before, after)."""

    title: str
    columns: list[str]
    rows: list[list[tuple[str, str]]]


def sentence(finding: Mapping[str, Any]) -> str:
    """What happened, in one sentence; a ring's detail is in its table."""
    ring = finding["evidence"].get("ring")
    if ring and len(ring) > 1 and not finding["evidence"].get("interrupt"):
        names = [clean(edge["thread"]) for edge in ring]
        others = ", ".join(names[:-1])
        if finding["rule"] == "lock_order.inversion":
            classes = [clean(edge["wants"].get("class", "?")) for edge in ring]
            return f"{others} and {names[-1]} take {' and '.join(classes)} in different orders"
        return f"{others} and {names[-1]} wait for one another: none of them ever goes on"
    return clean(finding["summary"])


def cell_name(finding: Mapping[str, Any]) -> str:
    return f"{clean(finding['scenario'])} x {clean(finding['protocol'])}"


def label(finding: Mapping[str, Any]) -> str:
    """What became of a prediction: confirmed, unreachable or open; empty for what happened."""
    confirmation = finding["evidence"].get("confirmation")
    return clean(confirmation.get("label", "")) if isinstance(confirmation, Mapping) else ""


def waits(finding: Mapping[str, Any]) -> list[Wait]:
    """Who holds what, taken where, and wants what, where."""
    told: list[Wait] = []
    evidence = finding["evidence"]
    for edge in evidence.get("ring") or evidence.get("waiting") or ():
        thread = clean(edge["thread"])
        for held in edge["holds"]:
            site = clean(held["site"])
            told.append(Wait(thread, "holds", clean(held["lock"]), f"taken in {site}", source(finding, site)))
        wants = edge["wants"]
        how = ", behind writer" if edge.get("behind") else ", held by"
        holder = f"{how} {clean(edge['holder'])}" if edge.get("holder") else ""
        site = clean(wants["site"])
        place = f"in {site}{holder}"
        told.append(Wait(thread, "wants", clean(wants["lock"]), place, source(finding, site)))
    return told


def source(finding: Mapping[str, Any], site: str) -> str:
    """What the function of ``site`` stands for in the source that the model cites; empty if unknown."""
    sources = finding["evidence"].get("sources")
    if not isinstance(sources, Mapping):
        return ""
    return clean(sources.get(site.split(" (")[0], ""))


def stands_for(finding: Mapping[str, Any], functions: Iterable[str]) -> list[tuple[str, str]]:
    """Each of ``functions`` that stands for one of the source, with it; none that a ring has told."""
    told = {wait.source for wait in waits(finding)}
    pairs = ((name, source(finding, name)) for name in dict.fromkeys(functions))
    return [(name, what) for name, what in pairs if what and what not in told]


def changes(finding: Mapping[str, Any]) -> list[Changed]:
    """What differs between the states before and after; none where a ring says it all."""
    evidence = finding["evidence"]
    before, after = evidence.get("before"), evidence.get("after")
    if before == after or evidence.get("ring") or evidence.get("waiting"):
        return []
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        return [Changed("state", [""], [[(value(before), value(after))]])]
    told: list[Changed] = []
    for key, new in after.items():
        old = before.get(key)
        if old == new:
            continue
        if isinstance(old, list) and isinstance(new, list) and all(isinstance(r, Mapping) for r in new):
            told.append(_table(_TITLES.get(key, clean(key)), old, new))
        else:
            told.append(Changed(clean(key), [""], [[(value(old), value(new))]]))
    return told


def _table(title: str, before: list[Any], after: list[Mapping[str, Any]]) -> Changed:
    columns = list(after[0]) if after else []
    rows = []
    for i, row in enumerate(after):
        old = before[i] if i < len(before) and isinstance(before[i], Mapping) else {}
        rows.append([(value(old.get(c)), value(row.get(c))) for c in columns])
    return Changed(title, [clean(c) for c in columns], rows)


def value(stored: Any) -> str:
    if isinstance(stored, list):
        return joined(stored, " ") or "-"
    return "-" if stored is None else brief(stored)


def notes(finding: Mapping[str, Any]) -> list[str]:
    """What else the evidence tells, a line each."""
    evidence = finding["evidence"]
    told: list[str] = []
    results = evidence.get("results") or {}
    if results and not waits(finding):
        told.append(", ".join(f"{clean(t)} returned {clean(r)}" for t, r in results.items()))
    for thread, sites in (evidence.get("stacks") or {}).items():
        told.append(f"{clean(thread)} was in: {_frames(sites if isinstance(sites, list) else [sites])}")
    return told


def _frames(sites: list[Any]) -> str:
    """A stack in one line, what is the same again only counted."""
    runs = ((clean(site), len(list(same))) for site, same in groupby(sites))
    return joined((site if n == 1 else f"{site} {n} times" for site, n in runs), " > ")


def seen(finding: Mapping[str, Any]) -> str:
    """``1 in verify, 1,309 in stress``; ``272 in explore (205 random, 67 pct)``."""
    by = finding.get("found_by") or {}
    counts = finding.get("seen") or {by.get("mode", "?"): finding.get("count", 1)}
    told = {mode: f"{count(n)} in {clean(mode)}" for mode, n in counts.items()}
    strategies = finding["evidence"].get("strategies")
    if "explore" in told and isinstance(strategies, Mapping) and strategies:
        ordered = sorted(strategies.items(), key=lambda pair: -pair[1] if isinstance(pair[1], int) else 0)
        told["explore"] += f" ({joined(f'{count(n)} {clean(name)}' for name, n in ordered)})"
    elif "explore" in told and by.get("mode") == "explore" and by.get("strategy"):
        told["explore"] += f" ({clean(by['strategy'])})"
    return ", ".join(told.values())


def replay_command(finding: Mapping[str, Any], path: str) -> str:
    """What replays it, or runs the test again that it is of; empty if nothing does."""
    if finding["schedule"] and finding.get("rerun"):
        return clean(finding["rerun"])
    if not finding["schedule"] or not path:
        return ""
    return clean(shlex.join(["racebench", "replay", path, *(finding.get("replay_args") or ())]))


def not_replayable(finding: Mapping[str, Any]) -> str:
    return f"not reproduced: {clean(finding['evidence'].get('not_reproduced', 'no schedule'))}"
