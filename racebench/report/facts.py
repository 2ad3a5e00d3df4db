"""Findings and cells in words, for every format: no layout, no width.

Every string is free of control characters.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

from ..records import Cell, FindingRecord, ModeResult
from .text import brief, clean, clipped, count, counted, duration, joined

_BRIEF = 160


class Place(NamedTuple):
    """``thread`` holds or wants ``lock`` at ``site``; ``more`` names the holder."""

    thread: str
    verb: str
    lock: str
    site: str
    more: str = ""


def sentence(record: FindingRecord) -> str:
    """What happened, in one sentence; the details of a ring are in its table."""
    finding = record.finding
    ring = finding.evidence.get("ring")
    if not ring or len(ring) < 2 or finding.evidence.get("interrupt"):
        return brief(finding.summary)
    *others, last = (clean(edge["thread"]) for edge in ring)
    names = f"{', '.join(others)} and {last}"
    two = len(ring) == 2
    if finding.rule == "lock_order.inversion":
        classes = (clean(edge["wants"].get("class", "?")) for edge in ring)
        return f"{names} take {' and '.join(classes)} in {'opposite' if two else 'different'} orders"
    return f"{names} wait for {'each other: neither' if two else 'one another: none'} can go on"


def classes(record: FindingRecord) -> list[str]:
    """The classes of the locks of a ring."""
    ring = record.finding.evidence.get("ring") or ()
    return sorted({clean(edge["wants"].get("class", "?")) for edge in ring})


def conflict(record: FindingRecord) -> str:
    """The rule and the conflicting functions, in a line: ``data_race on Cache._data: get, evict``."""
    finding, rule = record.finding, clean(record.finding.rule)
    accesses, edges = finding.evidence.get("accesses"), finding.evidence.get("ring")
    if accesses:
        sites = [one["site"] for one in accesses]
        what = finding.signature.partition(": ")[2]
    elif edges:
        sites = [edge["wants"]["site"] for edge in edges]
        what = ", ".join(edge["wants"]["lock"] for edge in edges)
    else:
        return f"{rule}: {clean(clipped(finding.summary, _BRIEF))}"
    names = joined(dict.fromkeys(site.partition(" (")[0] for site in sites))
    return f"{rule} on {clean(what)}: {names}"


def cell_name(named: Cell | FindingRecord) -> str:
    return f"{clean(named.scenario)} x {clean(named.protocol)}"


def label(record: FindingRecord) -> str:
    """The label of a prediction: confirmed, unreachable or open; empty if the finding happened."""
    confirmation = record.finding.evidence.get("confirmation")
    return clean(confirmation["label"]) if confirmation else ""


def places(record: FindingRecord) -> Iterator[Place]:
    """Which thread holds which lock, taken where, and which lock it wants, where."""
    evidence = record.finding.evidence
    for edge in evidence.get("ring") or evidence.get("waiting") or ():
        thread, wants = clean(edge["thread"]), edge["wants"]
        for held in edge["holds"]:
            yield Place(thread, "holds", clean(held["lock"]), clean(held["site"]))
        how = ", behind writer" if edge.get("behind") else ", held by"
        more = f"{how} {clean(edge['holder'])}" if edge.get("holder") else ""
        yield Place(thread, "wants", clean(wants["lock"]), clean(wants["site"]), more)


def source(record: FindingRecord, site: str) -> str:
    """The source in Xen that the function of ``site`` cites; empty if unknown."""
    sources = record.finding.evidence.get("sources") or {}
    return clean(sources.get(site.split(" (")[0], ""))


def notes(record: FindingRecord) -> Iterator[str]:
    """The rest of the evidence, a line for each part."""
    evidence = record.finding.evidence
    results = evidence.get("results") or {}
    if results and not any(places(record)):
        yield ", ".join(f"{clean(thread)} returned {clean(value)}" for thread, value in results.items())
    for thread, sites in (evidence.get("stacks") or {}).items():
        # Equal entries in a row are only counted.
        runs = ((clean(s), len(list(same))) for s, same in groupby(sites))
        yield f"{clean(thread)} was in: {joined((s if n == 1 else f'{s} {n} times' for s, n in runs), ' > ')}"


def callers(record: FindingRecord) -> tuple[str, str]:
    """``reachable`` or ``not reachable`` by real callers, and why; both empty if unknown."""
    reach = record.finding.evidence.get("callers")
    if not reach:
        return "", ""
    return "reachable" if reach["reachable"] else "not reachable", joined(reach["why"], "; ")


def seen(record: FindingRecord) -> str:
    """``1 in verify, 1,309 in stress``; ``272 in explore (205 random, 67 pct)``."""
    counts = {mode: f"{count(n)} in {clean(mode)}" for mode, n in record.seen.items()}
    strategies = record.finding.evidence.get("strategies")
    if "explore" in counts and strategies:
        ordered = sorted(strategies.items(), key=lambda pair: -pair[1])
        counts["explore"] += f" ({joined(f'{count(n)} {clean(name)}' for name, n in ordered)})"
    elif "explore" in counts and record.finding.mode == "explore" and record.finding.strategy:
        counts["explore"] += f" ({clean(record.finding.strategy)})"
    return ", ".join(counts.values())


def replay_command(record: FindingRecord, path: str) -> str:
    """The command that replays it, or runs its test again; empty if there is none."""
    if not record.finding.schedule:
        return ""
    if not path or (record.rerun and not record.replay_args):
        return clean(record.rerun)
    return clean(shlex.join(["racebench", "replay", path, *record.replay_args]))


def not_replayable(record: FindingRecord) -> str:
    return f"not reproduced: {clean(record.finding.evidence.get('not_reproduced', 'no schedule'))}"


def missing(cell: Cell) -> list[str]:
    return [rule for rule in cell.expected if rule not in cell.found]


def why(cell: Cell) -> str:
    """Why a cell has no answer; "" if nothing is known."""
    return clean(cell.error or "; ".join(cell.unseen))


def done(cell: Cell) -> str:
    """What was run for this cell, in a line."""
    parts = []
    if cell.stress:
        text = f"stress {counted(cell.stress.executions, 'collision')}, {count(cell.stress.failures)} failed"
        if cell.stress.first_failure is not None:
            text += f", first after {duration(cell.stress.first_failure)}"
        parts.append(text)
    if cell.explore:
        executions, failures = counted(cell.explore.executions, "execution"), count(cell.explore.failures)
        parts.append(f"explore {executions}, {failures} failed")
    if cell.verify:
        parts.append(f"verify {counted(cell.verify.executions, 'execution')}, {_extent(cell.verify)}")
    return " · ".join(parts)


def codes(cell: Cell) -> str:
    """The codes that its operations returned, in a line; empty if they have none."""
    sentences = []
    for operation, counts in cell.returned.items():
        often = joined(f"{code} ({counted(n, 'time')})" for code, n in counts.items())
        sentences.append(f"{operation} -> {often}")
    return f"returned: {joined(sentences, '; ')}" if sentences else ""


def vacuous(cell: Cell) -> list[str]:
    """Why a clean cell proves little, a line for each reason, and what to run instead."""
    why = [f"vacuous: {clean(said)}" for said in cell.vacuous]
    return [*why, f"try: {clean(cell.instead)}"] if why and cell.instead else why


def _extent(verify: ModeResult) -> str:
    if verify.complete:
        return "complete"
    said = []
    if isinstance(verify.preemption_bound, int):
        said.append(f"all with up to {counted(verify.preemption_bound, 'preemption')}")
    if verify.done is not None and verify.done < 1:
        said.append(f"about {verify.done:.0%} of all schedules")
    return ", ".join(said) or "not complete"
