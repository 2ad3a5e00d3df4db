"""Programs as tests: ``race_test`` turns a Program factory into a test function."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping
from typing import Any, ParamSpec

from . import modes
from .errors import ProgramError, UsageError
from .findings import Finding, Result, Verdict
from .program import Program

P = ParamSpec("P")

_MODES = ("explore", "verify", "stress")
_WIDTH = 100


class RaceFailed(AssertionError):
    """A race test's Program broke a rule, or got no answer; the message is the report."""


def race_test(
    mode: str = "explore", *, expect: Collection[str] = (), **how: Any
) -> Callable[[Callable[P, Program]], Callable[P, None]]:
    """Turn a function that returns a Program into a test of it.

    ``mode`` is ``explore``, ``verify`` or ``stress``, ``how`` what that
    function of the API takes besides the program.  The test passes when no
    rule breaks but those in ``expect``, and all of them do; a ``verify`` that
    is not complete has no answer, and fails.  Parameters of the function are
    the test's own, so pytest's fixtures and parametrize work as ever.

        @racebench.race_test(mode="verify", seconds=5)
        def test_deposits():
            return racebench.Program("account", setup=Account, threads={"a": deposit, "b": deposit})
    """
    if mode not in _MODES:
        raise UsageError(f"race_test: unknown mode {mode!r}. Choose one of {', '.join(_MODES)}.")
    if mode == "stress":
        how = {"seconds": 2.0, **how}

    def decorate(factory: Callable[P, Program]) -> Callable[P, None]:
        @functools.wraps(factory)
        def test(*args: P.args, **kwargs: P.kwargs) -> None:
            __tracebackhide__ = True
            program = factory(*args, **kwargs)
            if not isinstance(program, Program):
                what = f"{factory.__name__} returned {type(program).__name__}, not a Program"
                raise ProgramError(f"{what}. Return racebench.Program(...).")
            result = getattr(modes, mode)(program, **how)
            _judge(program, mode, result, expect)

        test.__annotations__ = {**test.__annotations__, "return": None}
        return test

    return decorate


def _judge(program: Program, mode: str, result: Result, expect: Collection[str]) -> None:
    __tracebackhide__ = True
    found = {f.rule for f in result.findings}
    odd = [f for f in result.findings if f.rule not in expect]
    missing = sorted(set(expect) - found)
    executions = f"after {result.executions:,} executions"
    if odd:
        raise RaceFailed(_panels(program, mode, odd))
    if missing:
        raise RaceFailed(f"{program.name}: expected {', '.join(missing)}, not found {executions}")
    if result.interrupted:
        raise KeyboardInterrupt
    # A bound on preemptions is the author's choice: within it, done is an answer.
    answered = result.complete or result.stats.get("done") or mode != "verify"
    if not answered or result.verdict is Verdict.UNKNOWN:
        raise RaceFailed(f"{program.name}: no answer {executions}: the budget ended first. Give it more.")


def _panels(program: Program, mode: str, findings: Collection[Finding]) -> str:
    # Only a failure needs rich, and `import racebench` is to be quick.
    from .report.merged import panels

    return "\n" + panels([("", _record(program, mode, f)) for f in findings], _WIDTH)


def _record(program: Program, mode: str, finding: Finding) -> Mapping[str, Any]:
    """A finding of a program that is no scenario, as far as a panel needs it."""
    return {
        "rule": finding.rule,
        "signature": finding.signature,
        "summary": finding.summary,
        "scenario": program.name,
        "protocol": mode,
        "found_by": {"mode": finding.mode, "strategy": finding.strategy, "seed": finding.seed},
        "threads": list(program.actors),
        "schedule": [list(step) for step in finding.schedule],
        "evidence": dict(finding.evidence),
        "count": finding.count,
    }
