"""What differs between two stored runs, as plain data.

A rate is failures over collisions with its 95 % interval (Wilson); rates whose
intervals overlap are not said to differ.  The interval counts chance alone:
a busier machine, another Python or another seed moves rates as well.  Speed
moves with the machine most of all, in all cells alike, so a ratio says
something only past ``MACHINE``: between two runs of the same code it was
seen at 1.25.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..findings import interval
from .stored import Stored

MACHINE = 1.5
_Z = 1.96
_FEWEST = 6
_MODES = ("stress", "explore", "verify")
_RATES = (("stress", "collisions"), ("explore", "executions"))

Name = tuple[str, str]
Cell = Mapping[str, Any]


def compare(base: Stored, new: Stored) -> dict[str, Any]:
    """``{schema, regression, interrupted, cells, signatures, rates, speed, hosts_differ}``.

    A regression is a cell that was as expected and is no longer, or a
    signature that the base run has in none of its cells, seen in a cell that
    both runs have.
    """
    before, after = _cells(base), _cells(new)
    both = [name for name in after if name in before]
    changed = [_changed(before[n], after[n]) for n in both if before[n]["verdict"] != after[n]["verdict"]]
    appeared = _signatures(new, base)
    vanished = _signatures(base, new)
    for one in appeared:
        one["regression"] = _within(one, before)
    return {
        "schema": 1,
        "regression": any(c["worse"] for c in changed) or any(s["regression"] for s in appeared),
        "interrupted": [side for side, run in (("base", base), ("new", new)) if run.run.get("interrupted")],
        "cells": {
            "both": len(both),
            "changed": sorted(changed, key=lambda c: (not c["worse"], c["scenario"], c["protocol"])),
            "added": [_named(name) for name in after if name not in before],
            "removed": [_named(name) for name in before if name not in after],
        },
        "signatures": {"new": appeared, "vanished": [s for s in vanished if _within(s, after)]},
        "rates": list(_rates(before, after, both)),
        "schedules": list(_schedules(before, after, both)),
        "speed": {mode: _speed(mode, before, after, both) for mode in _MODES},
        "hosts_differ": base.run.get("host") != new.run.get("host"),
    }


def _cells(stored: Stored) -> dict[Name, Cell]:
    return {(c["scenario"], c["protocol"]): c for c in stored.cells}


def _named(name: Name) -> dict[str, str]:
    return {"scenario": name[0], "protocol": name[1]}


def _changed(before: Cell, after: Cell) -> dict[str, Any]:
    return {
        **_named((after["scenario"], after["protocol"])),
        "base": before["verdict"],
        "new": after["verdict"],
        "worse": before["verdict"] == "as_expected",
        "appeared": sorted(set(after["found"]) - set(before["found"])),
        "gone": sorted(set(before["found"]) - set(after["found"])),
    }


def _signatures(stored: Stored, other: Stored) -> list[dict[str, Any]]:
    """The signatures that ``stored`` has and ``other`` has not."""
    known = {finding["signature"] for _, finding in other.findings}
    told: dict[str, dict[str, Any]] = {}
    for path, finding in stored.findings:
        signature = finding["signature"]
        if signature in known:
            continue
        one = told.setdefault(
            signature,
            {
                "signature": signature,
                "rule": finding["rule"],
                "summary": finding["summary"],
                "finding": path,
                "cells": [],
                "count": 0,
            },
        )
        one["cells"].append(_named((finding["scenario"], finding["protocol"])))
        one["count"] += finding.get("count", 1)
    return list(told.values())


def _within(signature: Mapping[str, Any], cells: Mapping[Name, Cell]) -> bool:
    """Whether a run that has ``cells`` could have seen it where it was seen."""
    return any((c["scenario"], c["protocol"]) in cells for c in signature["cells"])


def _rates(
    before: Mapping[Name, Cell], after: Mapping[Name, Cell], both: Sequence[Name]
) -> Iterator[dict[str, Any]]:
    for name in both:
        for mode, tries in _RATES:
            old, new = before[name].get(mode), after[name].get(mode)
            if old and new and old[tries] > 0 and new[tries] > 0:
                sides = {"base": _rate(old, tries), "new": _rate(new, tries)}
                yield {**_named(name), "mode": mode, **sides, "change": _direction(**sides)}


def _rate(numbers: Mapping[str, Any], tries: str) -> dict[str, Any]:
    low, high = interval(numbers["failures"], numbers[tries])
    return {
        "failures": numbers["failures"],
        "tries": numbers[tries],
        "rate": numbers["failures"] / numbers[tries],
        "low": low,
        "high": high,
    }


def _direction(base: Mapping[str, float], new: Mapping[str, float]) -> str:
    if new["low"] > base["high"]:
        return "higher"
    return "lower" if new["high"] < base["low"] else "none"


def _schedules(
    before: Mapping[Name, Cell], after: Mapping[Name, Cell], both: Sequence[Name]
) -> Iterator[dict[str, Any]]:
    """Cells proved by both whose number of schedules differs: there is no chance in that."""
    for name in both:
        old, new = before[name].get("verify"), after[name].get("verify")
        if old and new and old["complete"] and new["complete"] and old["executions"] != new["executions"]:
            yield {**_named(name), "base": old["executions"], "new": new["executions"]}


def _speed(
    mode: str, before: Mapping[Name, Cell], after: Mapping[Name, Cell], both: Sequence[Name]
) -> dict[str, Any] | None:
    """Per second over the cells that both ran; the median of the cells' ratios and its 95 % interval."""
    pairs = [(_pace(mode, before[n]), _pace(mode, after[n])) for n in both]
    usable = [(old, new) for old, new in pairs if old and new]
    if not usable:
        return None
    ratios = sorted(new[0] / new[1] / (old[0] / old[1]) for old, new in usable)
    told: dict[str, Any] = {
        "base": sum(old[0] for old, _ in usable) / sum(old[1] for old, _ in usable),
        "new": sum(new[0] for _, new in usable) / sum(new[1] for _, new in usable),
        "cells": len(usable),
        "ratio": ratios[len(ratios) // 2] if len(ratios) % 2 else sum(_middle(ratios)) / 2,
        "low": None,
        "high": None,
        "change": "unknown",
    }
    if len(ratios) >= _FEWEST:
        # The median lies between these order statistics in 95 % of samples (sign test).
        reach = max(0, math.floor((len(ratios) - _Z * math.sqrt(len(ratios))) / 2))
        told["low"], told["high"] = ratios[reach], ratios[-1 - reach]
        told["change"] = (
            "higher" if told["low"] > MACHINE else "lower" if told["high"] < 1 / MACHINE else "none"
        )
    return told


def _middle(ratios: Sequence[float]) -> Sequence[float]:
    half = len(ratios) // 2
    return ratios[half - 1 : half + 1]


def _pace(mode: str, cell: Cell) -> tuple[int, float] | None:
    """(how many, seconds) of a cell in ``mode``; None if it cannot tell."""
    numbers = cell.get(mode)
    if not numbers:
        return None
    many = numbers["collisions" if mode == "stress" else "executions"]
    seconds = numbers.get("seconds")
    if not isinstance(seconds, (int, float)) or not 0 < seconds < 1e9 or many <= 0:
        return None
    return many, float(seconds)
