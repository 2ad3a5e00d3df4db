"""Programs as tests: ``race_test`` turns a Program factory into a test function."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, ParamSpec

from ..campaign import modes
from ..errors import ProgramError, RaceBenchError, UsageError
from ..findings import Finding, Result, Verdict, counted
from ..program import Program
from .race_cell import RaceTest, Tell, finding_record

P = ParamSpec("P")


@dataclass(frozen=True)
class Running:
    """The test that runs now: its id, and who hears of it.

    In a later round of a soak it also has a seed of its own and its seconds;
    what it does not find there, the first round has found or missed.
    """

    nodeid: str
    tell: Tell
    seed: int | None = None
    seconds: float = 0.0

    def adapted(self, mode: str, how: Mapping[str, Any]) -> dict[str, Any]:
        """``how`` the test is to be run now."""
        if self.seed is None:
            return dict(how)
        endless = {"executions": _ENDLESS} if mode == "explore" else {}
        return {**how, **endless, "seconds": self.seconds, "seed": self.seed}


running: Running | None = None
"""Set by the pytest plugin."""

# What a soak's earlier round has shown in this process, by test and signature: it is not shown again in full.
_shown: set[tuple[str, str]] = set()

_MODES = ("explore", "verify", "stress")
_WIDTH = 100
_ENDLESS = 10**9


class RaceFailed(AssertionError):
    """A race test's Program broke a rule, or got no answer; the message is the report."""


def race_test(
    mode: str = "explore", *, expect: Collection[str] = (), allow: Collection[str] = (), **how: Any
) -> Callable[[Callable[P, Program]], Callable[P, None]]:
    """Turn a function that returns a Program into a test of it.

    ``mode`` is ``explore``, ``verify`` or ``stress``, ``how`` what that
    function of the API takes besides the program.  The test passes when no
    rule breaks but those in ``expect`` and ``allow``, and all in ``expect`` do; a
    ``verify`` that is not complete has no answer, and fails.  Parameters of the function are
    the test's own, so pytest's fixtures and parametrize work as ever.

        @racebench.race_test(mode="verify", seconds=5)
        def test_deposits():
            return racebench.Program("account", setup=Account, threads={"a": deposit, "b": deposit})
    """
    if callable(mode):
        raise UsageError("race_test: it has no mode yet. Write @racebench.race_test() above the function.")
    if mode not in _MODES:
        raise UsageError(f"race_test: unknown mode {mode!r}. Choose one of {', '.join(_MODES)}.")
    if mode == "stress":
        how = {"seconds": 2.0, **how}
    for word, rules in (("expect", expect), ("allow", allow)):
        if isinstance(rules, str):
            raise UsageError(f"race_test: {word} is one string. Give a list of rules: [{rules!r}].")
    expected = Expected(frozenset(expect), frozenset(allow))
    strategy = how.get("strategy", "portfolio")

    def decorate(factory: Callable[P, Program]) -> Callable[P, None]:
        @functools.wraps(factory)
        def test(*args: P.args, **kwargs: P.kwargs) -> None:
            __tracebackhide__ = True
            now = running
            reported = None if now is None else RaceTest(now.nodeid, mode, expect, now.tell, allow)
            if reported is not None:
                reported.begin()
            try:
                program = factory(*args, **kwargs)
                if not isinstance(program, Program):
                    what = f"{factory.__name__} returned {type(program).__name__}, not a Program"
                    raise ProgramError(f"{what}. Return racebench.Program(...).")
                result = getattr(modes, mode)(program, **(how if now is None else now.adapted(mode, how)))
            except RaceBenchError as error:
                if reported is not None:
                    reported.failed(error)
                raise
            again = now is not None and now.seed is not None
            if reported is None:
                _judge(program, mode, result, expected, again)
                return
            cell = reported.over(program, result, _answered(mode, result), strategy)
            odd = [f.signature for f in result.findings if not expected.bears(f.rule)]
            if odd:
                reported.unexpected(cell, [s for s in odd if (reported.nodeid, s) in _shown])
                _shown.update((reported.nodeid, signature) for signature in odd)
            _judge(program, mode, result, expected, again)

        test.racebench_mode = mode  # type: ignore[attr-defined]
        test.__annotations__ = {**test.__annotations__, "return": None}
        return test

    return decorate


@dataclass(frozen=True)
class Expected:
    """The rules that must break, and those that may."""

    must: frozenset[str]
    may: frozenset[str]

    def bears(self, rule: str) -> bool:
        return rule in self.must or rule in self.may


def _judge(program: Program, mode: str, result: Result, expected: Expected, again: bool) -> None:
    """Raise RaceFailed if ``result`` is not as expected; ``again``, only if it is what nobody expects."""
    __tracebackhide__ = True
    found = {f.rule for f in result.findings}
    odd = [f for f in result.findings if not expected.bears(f.rule)]
    missing = sorted(expected.must - found)
    executions = f"after {counted(result.executions, 'execution')}"
    if odd:
        if running is not None:
            # Who reports draws the panels: see RaceTest.unexpected.
            raise RaceFailed(f"{program.name}: {', '.join(dict.fromkeys(f.rule for f in odd))}")
        raise RaceFailed(_panels(program, mode, odd))
    if missing and not again:
        raise RaceFailed(f"{program.name}: expected {', '.join(missing)}, not found {executions}")
    if result.interrupted:
        raise KeyboardInterrupt
    if not again and (not _answered(mode, result) or result.verdict is Verdict.UNKNOWN):
        why = replace(result, verdict=Verdict.UNKNOWN).why
        raise RaceFailed(f"{program.name}: no answer {executions}: {why}")


def _answered(mode: str, result: Result) -> bool:
    # A bound on preemptions is the author's choice: within it, done is an answer.
    whole = result.complete or result.stats.get("done") == 1 or mode != "verify"
    return whole and not result.stats.get("unseen")


def _panels(program: Program, mode: str, findings: Collection[Finding]) -> str:
    # Only a failure needs rich, and `import racebench` is to be quick.
    from ..report.merged import panels

    records = [finding_record(program.name, program, mode, f) for f in findings]
    drawn = panels([("", record) for record in records], _WIDTH)
    return f"{program.name}: {', '.join(dict.fromkeys(f.rule for f in findings))}\n{drawn}"
