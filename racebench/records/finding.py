"""The stored form of a finding: what broke, its schedule, its evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..bounds import Fields, beyond
from ..findings import EVIDENCE, SCHEDULE, Finding
from ..trace import Schedule, switches
from .encoding import NOTHING, SCHEMA, encoded

# The keys in JSON: the kind of each value, and the default if the key may be missing.
# A key of a table with ``MORE`` is left out if its value is empty.
_FINDING: Mapping[str, tuple[Any, ...]] = dict.fromkeys(("rule", "signature", "summary"), (str,))
_FOUND_BY: Mapping[str, tuple[Any, ...]] = {
    "mode": (str, ""), "strategy": (str, ""), "seed": (int, 0), "after": (int, 0),
}  # fmt: skip
_RECORD: Mapping[str, tuple[Any, ...]] = {
    "scenario": (str,), "protocol": (str,), "threads": ([str], ()), "seen": ({str: int}, NOTHING),
    "scenario_file": (str, ""), "source": (str, ""), "replay_args": ([str], ()),
}  # fmt: skip
_CHANGE = {"remove?": (str, str), "outer?": (str, str), "inner?": (str, str), "taken?": [(str, str)]}
_RECORD_MORE: Mapping[str, tuple[Any, ...]] = {"rerun": (str, ""), "ablation": (_CHANGE, None)}
RECORD_KINDS = {**_RECORD, **_RECORD_MORE}
SUMMARY_KINDS = {"finding": _FINDING, "found_by": _FOUND_BY}
EVIDENCE_KINDS = {key: (kind, None) for key, kind in EVIDENCE.items()}


@dataclass(frozen=True, slots=True)
class FindingRecord:
    """A finding of a cell, as in ``findings/NNNN.json``.

    ``seen`` counts it by mode.  ``source`` is the text of the TOML scenario that its
    schedule belongs to, so that the file can be replayed elsewhere; ``replay_args``
    names the code, if any, that replay must be given on the command line; ``rerun``
    is the command that runs the finding's test again.  ``ablation`` is the change to the
    protocol under which it was found.
    """

    finding: Finding
    scenario: str
    protocol: str
    threads: tuple[str, ...] = ()
    seen: Mapping[str, int] = field(default_factory=dict)
    scenario_file: str = ""
    source: str = ""
    replay_args: tuple[str, ...] = ()
    rerun: str = ""
    ablation: Any = None

    @property
    def cell(self) -> tuple[str, str]:
        return self.scenario, self.protocol

    @property
    def key(self) -> tuple[str, str, str]:
        return self.scenario, self.protocol, self.finding.signature

    @property
    def count(self) -> int:
        return max(1, sum(self.seen.values()))

    def better(self, other: FindingRecord) -> bool:
        """Whether this one shows the finding with a better schedule than ``other``."""
        return better(self.finding.schedule, other.finding.schedule)

    def showing(self, other: FindingRecord) -> FindingRecord:
        """The schedule and evidence of ``other``, with the ``found_by`` and the counts of this one."""
        mine = self.finding
        shown = replace(
            other.finding, mode=mine.mode, strategy=mine.strategy, seed=mine.seed, after=mine.after
        )
        return replace(other, finding=shown, seen=self.seen)

    def counted(self, seen: Mapping[str, int]) -> FindingRecord:
        """The same record with the counts of ``seen`` added."""
        modes = dict.fromkeys((*self.seen, *seen))
        return replace(self, seen={mode: self.seen.get(mode, 0) + seen.get(mode, 0) for mode in modes})

    def to_json(self) -> dict[str, Any]:
        finding = self.finding
        return {
            "schema": SCHEMA,
            **encoded(finding, _FINDING),
            "found_by": encoded(finding, _FOUND_BY),
            "schedule": [list(step) for step in finding.schedule],
            "evidence": _storable(finding.evidence),
            **encoded(self, _RECORD, _RECORD_MORE),
            "count": self.count,
        }

    @staticmethod
    def from_json(value: Any, place: str) -> FindingRecord:
        """Read ``value``; ResultError names ``place`` and says what is wrong."""
        stored = Fields(value, place)
        by = Fields(stored.get("found_by", dict, NOTHING), f"{place}: found_by").all(_FOUND_BY)
        evidence, count = stored.get("evidence", dict), stored.get("count", int, 1)
        Fields(evidence, f"{place}: evidence").all(EVIDENCE_KINDS)
        schedule = tuple((thread, op, obj) for thread, op, obj in stored.get("schedule", SCHEDULE))
        more = stored.all(RECORD_KINDS)
        more["seen"] = more["seen"] or {by["mode"]: count}
        fields = stored.all(_FINDING)
        return FindingRecord(
            Finding(**fields, **by, schedule=schedule, evidence=evidence, count=count), **more
        )


def better(new: Schedule, old: Schedule) -> bool:
    """Whether ``new`` is the better schedule: fewer switches, then fewer steps; any is better than none."""
    if not new or not old:
        return bool(new) and not old
    return (switches(new), len(new)) < (switches(old), len(old))


def _storable(evidence: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``evidence`` for storing; a value that reading would refuse is replaced by "left out: ..."."""
    wrong = {key: beyond(value, numbers=False) for key, value in evidence.items()}
    return {k: f"left out: {wrong[k]}" if wrong[k] else value for k, value in evidence.items()}
