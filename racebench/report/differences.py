"""The differences between two stored runs, as plain data.

A rate is failures over collisions with its 95 % interval (Wilson); rates whose
intervals overlap count as equal.  The interval covers chance alone:
a busier machine, another Python or another seed changes rates as well.  Speed
changes with the machine most of all, in all cells alike, so a ratio counts
only beyond ``MACHINE``: 1.25 was seen between two runs of the same code.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..findings import interval
from ..records import Cell, FindingRecord, ModeResult
from .stored_run import Stored

MACHINE = 1.5
_Z = 1.96
_FEWEST = 6
_MODES = ("stress", "explore", "verify")

SEEN = {
    **dict.fromkeys(("signature", "rule", "summary", "finding"), str),
    "cells": [{"scenario": str, "protocol": str}],
    "count": int,
}
"""The kinds of a signature's keys."""

Both = Sequence[tuple[Cell, Cell]]
"""The cells that both runs have, in the base run and in the new run."""


def compare(base: Stored, new: Stored) -> dict[str, Any]:
    """``{schema, regression, interrupted, cells, signatures, rates, speed, hosts_differ}``.

    A regression is a cell that was as expected and is no longer, or a
    signature that the base run has in none of its cells, seen in a cell that
    both runs have.
    """
    before, after = ({cell.name: cell for cell in side.run.cells} for side in (base, new))
    both = [(before[name], cell) for name, cell in after.items() if name in before]
    changed = [_changed(old, cell) for old, cell in both if old.verdict != cell.verdict]
    appeared, vanished = _signatures(new, base), _signatures(base, new)
    for one in appeared:
        one["regression"] = _within(one, before)
    return {
        "schema": 1,
        "regression": any(c["worse"] for c in changed) or any(s["regression"] for s in appeared),
        "interrupted": [side for side, s in (("base", base), ("new", new)) if s.run.interrupted],
        "cells": {
            "both": len(both),
            "changed": sorted(changed, key=lambda c: (not c["worse"], c["scenario"], c["protocol"])),
            "added": [_named(name) for name in after if name not in before],
            "removed": [_named(name) for name in before if name not in after],
        },
        "signatures": {"new": appeared, "vanished": [s for s in vanished if _within(s, after)]},
        "rates": list(_rates(both)),
        "schedules": list(_schedules(both)),
        "speed": {mode: _speed(mode, both) for mode in _MODES},
        "hosts_differ": base.run.host != new.run.host,
    }


def _named(name: tuple[str, str]) -> dict[str, str]:
    return {"scenario": name[0], "protocol": name[1]}


def _changed(before: Cell, after: Cell) -> dict[str, Any]:
    return {
        **_named(after.name),
        "base": before.verdict,
        "new": after.verdict,
        "worse": before.verdict == "as_expected",
        "appeared": sorted(set(after.found) - set(before.found)),
        "gone": sorted(set(before.found) - set(after.found)),
    }


def _signatures(stored: Stored, other: Stored) -> list[dict[str, Any]]:
    """The signatures that ``stored`` has and ``other`` has not."""
    known = {record.finding.signature for _, record in other.findings}
    return grouped(pair for pair in stored.findings if pair[1].finding.signature not in known)


def grouped(findings: Iterable[tuple[str, FindingRecord]]) -> list[dict[str, Any]]:
    """One dict for each signature, as in ``SEEN``: the path of its first finding, and its cells."""
    groups: dict[str, dict[str, Any]] = {}
    for path, record in findings:
        finding = record.finding
        keys = {"signature": finding.signature, "rule": finding.rule, "summary": finding.summary}
        one = groups.setdefault(finding.signature, {**keys, "finding": path, "cells": [], "count": 0})
        one["cells"].append(_named(record.cell))
        one["count"] += record.count
    return list(groups.values())


def _within(signature: Mapping[str, Any], cells: Mapping[tuple[str, str], Cell]) -> bool:
    """Whether a run with ``cells`` could have seen the signature in one of its cells."""
    return any((c["scenario"], c["protocol"]) in cells for c in signature["cells"])


def _rates(both: Both) -> Iterator[dict[str, Any]]:
    for before, after in both:
        for mode in ("stress", "explore"):
            old, new = before.modes.get(mode), after.modes.get(mode)
            if old and new and old.executions > 0 and new.executions > 0:
                sides = {"base": _rate(old), "new": _rate(new)}
                yield {**_named(after.name), "mode": mode, **sides, "change": _direction(**sides)}


def _rate(result: ModeResult) -> dict[str, Any]:
    failures, tries = result.failures, result.executions
    low, high = interval(failures, tries)
    return {"failures": failures, "tries": tries, "rate": failures / tries, "low": low, "high": high}


def _direction(base: Mapping[str, float], new: Mapping[str, float]) -> str:
    if new["low"] > base["high"]:
        return "higher"
    return "lower" if new["high"] < base["low"] else "none"


def _schedules(both: Both) -> Iterator[dict[str, Any]]:
    """Cells proved by both whose number of schedules differs; chance cannot cause that."""
    for before, after in both:
        old, new = before.verify, after.verify
        if old and new and old.complete and new.complete and old.executions != new.executions:
            yield {**_named(after.name), "base": old.executions, "new": new.executions}


def _speed(mode: str, both: Both) -> dict[str, Any] | None:
    """Executions per second in the cells that both ran; the median of their ratios and its 95 % interval."""
    ran = [(old.modes.get(mode), new.modes.get(mode)) for old, new in both]
    usable = [(old, new) for old, new in ran if old and new and _timed(old) and _timed(new)]
    if not usable:
        return None
    ratios = sorted(_pace([new]) / _pace([old]) for old, new in usable)
    low = high = None
    change = "unknown"
    if len(ratios) >= _FEWEST:
        # The median lies between these order statistics in 95 % of samples (sign test).
        reach = max(0, math.floor((len(ratios) - _Z * math.sqrt(len(ratios))) / 2))
        low, high = ratios[reach], ratios[-1 - reach]
        change = "higher" if low > MACHINE else "lower" if high < 1 / MACHINE else "none"
    return {
        "base": _pace([old for old, _ in usable]),
        "new": _pace([new for _, new in usable]),
        "cells": len(usable),
        "ratio": (ratios[(len(ratios) - 1) // 2] + ratios[len(ratios) // 2]) / 2,
        "low": low,
        "high": high,
        "change": change,
    }


def _timed(result: ModeResult) -> bool:
    return 0 < result.seconds < 1e9 and result.executions > 0


def _pace(results: Sequence[ModeResult]) -> float:
    return sum(result.executions for result in results) / sum(result.seconds for result in results)
