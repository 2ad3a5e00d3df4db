"""The four ways to run a Program, each with all detectors.

The engines do not know the detectors and the detectors do not know the engines; this module joins them.

If anything keeps an answer from covering the whole program, ``stats["unseen"]`` says so in
sentences, nothing is ``complete``, and UNKNOWN takes the place of CLEAN.  A program of
which nothing was run is UNKNOWN as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, TypedDict, Unpack

from ..detect import detect
from ..detect.lock_order import RULE, rings
from ..engine.blind_spots import judged
from ..engine.explain import answers, suspicion
from ..engine.explain import replay as replays
from ..engine.osthreads import STALL_S
from ..engine.progress import ProgressCall
from ..engine.search import glance as looks
from ..engine.search.loop import Plan
from ..errors import ProgramError
from ..findings import Finding, Result, Verdict
from ..program import Program
from ..records import Counts
from ..trace import Schedule
from .budget import FEW, FEW_TRIES


def stress(
    program: Program,
    seconds: float = 2.0,
    seed: int = 0,
    *,
    stop_on_first: bool = False,
    progress: ProgressCall | None = None,
    stall_s: float = STALL_S,
) -> Result:
    """Hammer ``program`` on free-running OS threads for ``seconds``.

    ``seed`` drives the noise; the operating system decides the rest, so two
    runs differ.  A deadlock costs one collision.  CLEAN says only that no
    collision broke a rule: ``stats["miss_bound"]`` is the 95 % upper bound on
    the probability that one does.  The lock-order detector predicts inversions.  The free
    run does not record which thread read what another wrote, so a prediction counts
    unless a short proof under control shows that it never happens.
    A program with interrupts or delayed fields is not run: the answer is UNKNOWN, and says so.
    Afterwards a few executions under control find out what RaceBench cannot see of the
    program (``stats["unseen"]``): if there is anything, the answer is UNKNOWN in
    place of CLEAN, as in the other modes.
    """
    # A process that does not stress does without the free run; see ``load_all``.
    from ..engine.free import stress as hammer

    result = hammer.stress(
        program,
        seconds,
        seed,
        stop_on_first=stop_on_first,
        progress=progress,
        stall_s=stall_s,
        rings=rings,
    )
    return _whole(program, _foreseen(program, result, seed))


def _whole(program: Program, result: Result) -> Result:
    """Return ``result``, lowered to UNKNOWN if it is CLEAN and RaceBench cannot see all of ``program``."""
    # A program with a story (drawn operations) differs each time, so no other mode can run it.
    if not result.executions or result.interrupted or _hangs(result) or program.story is not None:
        return result
    try:
        blind_spots = suspicion.overlooked(program)
    except KeyboardInterrupt:
        # Keep the result of the stress run.
        return replace(result, interrupted=True)
    except ProgramError:
        # It cannot be run under control, because of a raw lock, say.  The other modes raise that error.
        return result
    return judged(result, result.stats["unseen"], blind_spots)


def _hangs(result: Result) -> bool:
    """Whether the program hung; then it would hang under control too."""
    return any(finding.rule.startswith("stall.") for finding in result.findings)


def _foreseen(program: Program, result: Result, seed: int) -> Result:
    """Return ``result`` without the inversions that cannot happen; ``stats["guarded"]`` then lists them."""
    final = result.interrupted or _hangs(result)
    kept, guarded = [], {}
    for finding in result.findings:
        if final or finding.rule != RULE or _is_predicted(program, finding.signature, seed):
            kept.append(finding)
        else:
            guarded[finding.signature] = f"{finding.summary}; in no schedule under control"
    if not guarded:
        return result
    stats = {**result.stats, "guarded": {**result.stats["guarded"], **guarded}}
    if kept:
        return replace(result, findings=tuple(kept), stats=stats)
    return replace(result, verdict=Verdict.CLEAN, findings=(), first_failure=None, stats=stats)


def _is_predicted(program: Program, signature: str, seed: int) -> bool:
    """Whether ``signature`` is predicted under control too; False only if a proof shows that it never is."""
    try:
        if signature in looks.glance(program, Plan(FEW_TRIES, seed=seed, detect=detect), signature).seen:
            return True
        # Only the signatures of its findings are used: no time for shrinking or explaining.
        proof = answers.verify(program, None, Plan(FEW, 0.0, least=FEW, detect=detect))
    except ProgramError:
        return True
    return not proof.complete or any(finding.signature == signature for finding in proof.findings)


def load_all() -> None:
    """Import what is only imported when it is needed, for all processes that are forked off this one."""
    from ..engine.free import stress  # noqa: F401


class Limits(TypedDict, total=False):
    """The other keyword arguments of ``explore``."""

    seconds: float | None
    least: int
    progress: ProgressCall | None
    stall_s: float


def explore(
    program: Program,
    strategy: str = "portfolio",
    executions: int = 10_000,
    seed: int = 0,
    *,
    stop_on_first: bool = False,
    **limits: Unpack[Limits],
) -> Result:
    """Run ``executions`` controlled executions chosen by ``strategy``.

    Same program, strategy and seed: same schedules, on every Python build; n
    executions are a prefix of n + 1.  ``seconds`` ends the search earlier, but not before
    ``least`` executions; ``stall_s`` is how long one thread may go without a step.  CLEAN
    says only that these executions were clean.  ``stats["unseen"]`` says, in sentences,
    what they could not see: if there is anything, the answer is UNKNOWN in place of CLEAN.
    """
    plan = Plan(executions, seed=seed, stop_on_first=stop_on_first, detect=detect, **limits)
    return answers.explore(program, strategy, plan)


def verify(
    program: Program,
    preemptions: int | None = None,
    seconds: float = 60,
    max_executions: int | None = None,
    *,
    least: int = 0,
    progress: ProgressCall | None = None,
) -> Result:
    """Run ``program`` in every schedule, one execution per equivalence class.

    ``preemptions`` limits the schedules to those with at most so many switches away
    from a thread that could go on.  ``complete`` is True when all are covered;
    a budget that ends first gives UNKNOWN if nothing was found, never CLEAN.  ``seconds``
    end the search only once ``least`` executions were run.
    ``stats``: ``preemption_bound``, up to which all was covered, and ``done``,
    an estimate of the share seen.  ProgramError if the program does not do the
    same twice.  ``stats["unseen"]`` says, in sentences, what the search could not see:
    if there is anything, the result is not complete.
    """
    plan = Plan(max_executions, seconds, progress=progress, detect=detect, least=least)
    return answers.verify(program, preemptions, plan)


def replay(program: Program, schedule: Schedule) -> Result:
    """Run ``program`` along ``schedule``, step by step.

    The result's findings are those that this one execution shows, with full
    evidence.  ReplayDiverged if the program leaves the schedule; it names the step,
    and the steps that the program could take instead.
    """
    return replays.replay(program, schedule, detect=detect)


def reproduce(
    program: Program,
    wanted: Sequence[Finding],
    seconds: float = 5.0,
    seed: int = 0,
    *,
    progress: ProgressCall | None = None,
) -> dict[str, Finding]:
    """Search under control for ``wanted``; return those found within the budget, by the wanted signature."""
    plan = Plan(seconds=seconds, seed=seed, progress=progress, detect=detect, least=FEW_TRIES)
    return answers.reproduce(program, wanted, plan)


class Glance(NamedTuple):
    """The result of a short search: the rule of each signature, how often each operation returned what."""

    rules: Mapping[str, str]
    returned: Counts


def glance(program: Program, executions: int, seed: int = 0, *, wanted: str = "") -> Glance:
    """Search briefly for ``wanted``, or for anything; nothing is shrunk or explained."""
    met = looks.glance(program, Plan(executions, seed=seed, detect=detect), wanted)
    rules = {signature: seen.rule for signature, seen in met.seen.items()}
    return Glance(rules, met.returned(program.parts))
