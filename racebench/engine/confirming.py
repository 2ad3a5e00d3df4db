"""From a predicted inversion to a hang, or to the proof that there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..findings import Finding
from .controlled import Scheduler
from .strategies.steering import Steering
from .tally import schedule_of

INVERSION, HANG = "lock_order.inversion", "deadlock.cycle"

_TRIES = 200


def labelled(
    scheduler: Scheduler, findings: tuple[Finding, ...], complete: bool, executions: int
) -> tuple[Finding, ...]:
    """``findings`` with each inversion labelled confirmed, unreachable or open.

    ``complete`` says that all of the program's schedules were run.
    """
    hangs = {_ring(f.evidence): f for f in findings if f.rule == HANG}
    return tuple(
        _labelled(scheduler, f, hangs, complete, executions) if f.rule == INVERSION else f for f in findings
    )


def _ring(evidence: Mapping[str, Any]) -> tuple[str, ...]:
    """The classes wanted around a ring, from the least on."""
    classes = [entry["wants"]["class"] for entry in evidence.get("ring", ())]
    if not classes:
        return ()
    return min(tuple(classes[i:] + classes[:i]) for i in range(len(classes)))


def _labelled(
    scheduler: Scheduler,
    finding: Finding,
    hangs: Mapping[tuple[str, ...], Finding],
    complete: bool,
    executions: int,
) -> Finding:
    ring = _ring(finding.evidence)
    hang = hangs.get(ring)
    if hang is not None:
        schedule = [list(step) for step in hang.schedule]
        return _with(finding, "confirmed", "the hang was found", signature=hang.signature, schedule=schedule)
    if complete:
        return _with(
            finding, "unreachable", f"proved: every class of schedules ran ({executions}); none hangs there",
            executions=executions,
        )  # fmt: skip
    found = None if scheduler.lost else _steered(scheduler, finding, ring)
    if found is None:
        return _with(finding, "open", f"not confirmed by {_TRIES} steered executions, not refuted")
    signature, schedule = found
    return _with(finding, "confirmed", "the hang was steered to", signature=signature, schedule=schedule)


def _with(finding: Finding, label: str, why: str, **more: Any) -> Finding:
    evidence = {**finding.evidence, "confirmation": {"label": label, "why": why, **more}}
    return replace(finding, summary=f"{finding.summary} [{label}: {why}]", evidence=evidence)


def _steered(
    scheduler: Scheduler, finding: Finding, ring: Sequence[str]
) -> tuple[str, list[list[str]]] | None:
    """The signature and schedule of a hang around ``ring``, if steering leads to one."""
    edges = {
        entry["thread"]: (entry["holds"][0]["class"], entry["wants"]["class"])
        for entry in finding.evidence["ring"]
    }
    strategy = Steering(edges, 0)
    for _ in range(_TRIES):
        outcome = scheduler.run(strategy, always_ask=True)
        for event in outcome.events:
            if event.rule == HANG and _ring(event.evidence) == ring:
                return event.signature, [list(step) for step in schedule_of(outcome.log, event.at)]
        if scheduler.lost:
            return None
    return None
