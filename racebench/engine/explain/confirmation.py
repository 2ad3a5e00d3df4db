"""Confirm a predicted inversion by a deadlock, or prove that there is none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any

from ...findings import Finding
from ..control.scheduler import Scheduler
from ..search.loop import outcomes
from ..search.walk import Runs
from ..stuck import CPU
from ..tally import schedule_of
from .steering import Steering, Striking

INVERSION, HANGS = "lock_order.inversion", ("deadlock.cycle", "deadlock.self")

_TRIES = 200


def labelled(
    scheduler: Scheduler, findings: tuple[Finding, ...], complete: bool, executions: int, until: float
) -> tuple[Finding, ...]:
    """``findings`` with each inversion labelled confirmed, unreachable or open.

    ``complete`` says that all of the program's schedules were run, in so many
    ``executions``; steered executions are tried until ``until``.
    """
    hangs = {_ring(f.evidence): f for f in findings if f.rule in HANGS}
    return tuple(
        _labelled(scheduler, f, hangs, complete, executions, until) if f.rule == INVERSION else f
        for f in findings
    )


def _ring(evidence: Mapping[str, Any]) -> tuple[str, ...]:
    """The lock classes wanted around a ring, starting at the smallest; at the interrupt's if there is one."""
    classes = [entry["wants"]["class"] for entry in evidence.get("ring", ())]
    if evidence.get("interrupt"):
        return tuple(classes)
    # An interrupted thread wants no lock, but its processor.
    classes = [cls for cls in classes if cls != CPU]
    if not classes:
        return ()
    return min(tuple(classes[i:] + classes[:i]) for i in range(len(classes)))


def _through(evidence: Mapping[str, Any], hangs: Iterable[Finding]) -> Finding | None:
    """A deadlock in which the interrupt of ``evidence`` waits for its lock, and a thread for the interrupt.

    Other threads may be in between: a fair lock's reader waits behind a writer that waits for the
    interrupted thread.
    """
    if not evidence.get("interrupt"):
        return None
    handler = evidence["ring"][0]
    for hang in hangs:
        ring = hang.evidence.get("ring", ())
        waits = any(e["thread"] == handler["thread"] and e["wants"] == handler["wants"] for e in ring)
        if waits and any(entry["wants"]["class"] == CPU for entry in ring):
            return hang
    return None


def _labelled(
    scheduler: Scheduler,
    finding: Finding,
    hangs: Mapping[tuple[str, ...], Finding],
    complete: bool,
    executions: int,
    until: float,
) -> Finding:
    ring = _ring(finding.evidence)
    hang = hangs.get(ring) or _through(finding.evidence, hangs.values())
    if hang is not None:
        schedule = [list(step) for step in hang.schedule]
        return _with(finding, "confirmed", "the hang was found", signature=hang.signature, schedule=schedule)
    if complete:
        return _with(
            finding, "unreachable", f"proved: every class of schedules ran ({executions}); none hangs there",
            executions=executions,
        )  # fmt: skip
    tries, hang_at = _steered(scheduler, finding, ring, until)
    if hang_at is None:
        return _with(finding, "open", f"not confirmed by {tries} steered executions, not refuted")
    signature, schedule = hang_at
    return _with(finding, "confirmed", "the hang was steered to", signature=signature, schedule=schedule)


def _with(finding: Finding, label: str, why: str, **more: Any) -> Finding:
    evidence = {**finding.evidence, "confirmation": {"label": label, "why": why, **more}}
    return replace(finding, summary=f"{finding.summary} [{label}: {why}]", evidence=evidence)


def _steered(
    scheduler: Scheduler, finding: Finding, ring: Sequence[str], until: float
) -> tuple[int, tuple[str, list[list[str]]] | None]:
    """The number of steered executions; signature and schedule of a deadlock around ``ring``, or None."""
    runs = Runs(scheduler, _strategy(finding.evidence), always_ask=True)
    if not scheduler.fit or perf_counter() >= until:
        return 0, None
    for outcome in outcomes(runs, _TRIES, until):
        for fault in outcome.faults:
            if fault.rule in HANGS and _ring(fault.evidence) == ring:
                schedule = [list(step) for step in schedule_of(outcome.log, fault.at)]
                return runs.executions, (fault.signature, schedule)
    return runs.executions, None


def _strategy(evidence: Mapping[str, Any]) -> Steering | Striking:
    """The strategy that leads to the deadlock that ``evidence`` predicts."""
    ring = evidence["ring"]
    if evidence.get("interrupt"):
        interrupt, _ = ring
        return Striking(interrupt["thread"], interrupt["wants"]["class"])
    # A writer that only waits holds nothing, so it is not steered.
    edges = {e["thread"]: (e["holds"][0]["class"], e["wants"]["class"]) for e in ring if e["holds"]}
    return Steering(edges)
