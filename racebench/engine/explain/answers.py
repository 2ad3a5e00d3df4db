"""explore, verify and reproduce: a search under control, then the explanation of its findings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from ...errors import ProgramError, UsageError
from ...findings import Finding, Result, Verdict
from ...program import Program
from ..blind_spots import judged
from ..control.scheduler import Scheduler
from ..garbage import leaves_nothing
from ..search.loop import Loop, Plan, Source
from ..search.proof import Proof
from ..search.walk import Walk
from ..strategies import STRATEGIES, Strategy
from ..strategies.portfolio import Portfolio
from .conclusion import Ending, with_needs
from .confirmation import INVERSION, labelled


@leaves_nothing
def explore(program: Program, strategy: str, plan: Plan) -> Result:
    """Run the executions of ``plan``, chosen by ``strategy``; see ``modes.explore``.

    UsageError lists the known strategies.
    """
    kind = STRATEGIES.get(strategy)
    if kind is None:
        raise UsageError(f"unknown strategy {strategy!r}. Choose one of {', '.join(STRATEGIES)}.")
    return _answered(program, plan, _walk(kind, plan.seed))


@leaves_nothing
def verify(program: Program, preemptions: int | None, plan: Plan) -> Result:
    """Run ``program`` in every schedule; see ``modes.verify``."""
    # A proof needs at least one execution.
    executions = None if plan.executions is None else max(1, plan.executions)
    plan = plan._replace(executions=executions, least=max(1, plan.least))
    return _answered(program, plan, lambda scheduler: Proof(scheduler, preemptions))


@leaves_nothing
def reproduce(program: Program, wanted: Sequence[Finding], plan: Plan) -> dict[str, Finding]:
    """Search under control for all of ``wanted`` at once; return those found again, by the wanted signature.

    Other findings are ignored.  The same signature is preferred; when the budget is
    over, another finding of the same rule is accepted, and stored under the signature that
    was wanted.
    """
    met = like(wanted, _answered(program, plan, _walk(Portfolio, plan.seed), wanted).findings)
    return {
        f.signature: replace(met[f.signature], signature=f.signature, count=f.count, mode=f.mode)
        for f in wanted
        if f.signature in met
    }


def _walk(kind: type[Strategy], seed: int) -> Callable[[Scheduler], Source]:
    return lambda scheduler: Walk(scheduler, kind(seed, len(scheduler.tasks)))


def like(wanted: Sequence[Finding], met: Sequence[Any]) -> dict[str, Any]:
    """Map each signature ``wanted`` to the one of ``met`` that has it, or else to another of the same rule.

    One whose own signature is wanted does not stand for another.
    """
    by_name = {one.signature: one for one in met}
    names = {finding.signature for finding in wanted}
    others = {one.rule: one for one in reversed(met) if one.signature not in names}
    both = {f.signature: by_name.get(f.signature) or others.get(f.rule) for f in wanted}
    return {name: one for name, one in both.items() if one is not None}


def _answered(
    program: Program,
    plan: Plan,
    source_of: Callable[[Scheduler], Source],
    wanted: Sequence[Finding] | None = None,
) -> Result:
    """Run a search and conclude it; if something is ``wanted``, the search ends once all of it is found."""
    names = None if wanted is None else {finding.signature for finding in wanted}
    loop = Loop(plan, lambda tally: names is not None and names <= tally.seen.keys())
    with Scheduler(program, stall_s=plan.stall_s) as scheduler:
        source = source_of(scheduler)
        interrupted = False
        try:
            loop.run(scheduler, source)
        except KeyboardInterrupt:
            interrupted = True
        except ProgramError as error:
            error.findings = loop.tally.findings(source.mode, plan.seed)
            raise
        seen = loop.tally.ordered()
        if wanted is not None:
            seen = list({one.signature: one for one in like(wanted, seen).values()}.values())
        end = Ending(interrupted, loop.until)
        found = end.concluded(scheduler, seen, source.mode, plan)
        if source.complete and any(finding.rule == INVERSION for finding in found):
            # Something that was not seen may cause the predicted deadlock.
            scheduler.lookout.conclude(scheduler.fit)
        complete = source.complete and not scheduler.blind_spots.sentences()
        found = end.better(found, lambda: labelled(scheduler, found, complete, source.executions, end.until))
    findings = end.better(found, lambda: with_needs(program, found, plan.detect, end.until))
    return judged(
        _result(program, loop, source, findings, end.interrupted), scheduler.blind_spots.sentences()
    )


def _result(
    program: Program, loop: Loop, source: Source, findings: tuple[Finding, ...], interrupted: bool
) -> Result:
    tally, verdict = loop.tally, Verdict.UNKNOWN
    if findings:
        verdict = Verdict.FOUND
    elif source.complete or (source.clean and not interrupted):
        verdict = Verdict.CLEAN
    stats = {
        "steps": loop.steps,
        "guarded": dict(tally.guarded),
        "returned": tally.returned(program.parts),
        "idle": sorted(loop.idle),
        **source.stats(loop.seconds, bool(tally.seen)),
    }
    return Result(
        verdict, source.complete, source.executions, loop.seconds, findings, tally.first_finding,
        tally.failures, interrupted=interrupted, stats=stats,
    )  # fmt: skip
