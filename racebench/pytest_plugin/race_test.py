"""Programs as tests: ``race_test`` turns a Program factory into a test function."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ParamSpec

from ..campaign import modes
from ..errors import ProgramError, RaceBenchError, UsageError
from ..findings import CellVerdict, Finding, Result, Verdict, counted
from ..program import Program
from ..records import Cell
from .race_cell import RaceTest, Tell, finding_record

P = ParamSpec("P")


@dataclass(frozen=True)
class Running:
    """The test that runs now: its id, and who gets its messages.

    In a later round of a soak it also has its own seed and its seconds; such a round
    never fails for a missing finding, because the first round has checked that.  ``replayed``
    takes its program and the rules that may break, and runs a stored schedule instead.
    ``shown`` has the findings of earlier rounds in this session, by test and signature:
    they are not shown again in full.
    """

    nodeid: str
    tell: Tell
    seed: int | None = None
    seconds: float = 0.0
    replayed: Callable[[Program, Collection[str]], None] | None = None
    shown: set[tuple[str, str]] = field(default_factory=set)

    @property
    def again(self) -> bool:
        return self.seed is not None

    def adapted(self, mode: str, how: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments ``how``, changed for this round."""
        if not self.again:
            return dict(how)
        endless = {"executions": _ENDLESS} if mode == "explore" else {}
        return {**how, **endless, "seconds": self.seconds, "seed": self.seed}


running: Running | None = None
"""Set by the pytest plugin."""

_MODES = ("explore", "verify", "stress")
_WIDTH = 100
_ENDLESS = 10**9


class RaceFailed(AssertionError):
    """A race test's Program broke a rule, or got no answer; the message is the report."""


def race_test(
    mode: str = "explore", *, expect: Collection[str] = (), allow: Collection[str] = (), **how: Any
) -> Callable[[Callable[P, Program]], Callable[P, None]]:
    """Turn a function that returns a Program into a test of it.

    ``mode`` is ``explore``, ``verify`` or ``stress``, ``how`` are the arguments that this
    function of the API takes besides the program.  The test passes when no rule breaks
    except those in ``expect`` and ``allow``, and all in ``expect`` do; a ``verify`` that
    is not complete has no answer, and fails.  Parameters of the function are
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
    strategy = how.get("strategy", "portfolio")

    def decorate(factory: Callable[P, Program]) -> Callable[P, None]:
        @functools.wraps(factory)
        def test(*args: P.args, **kwargs: P.kwargs) -> None:
            __tracebackhide__ = True
            now = running or Running(factory.__name__, lambda message: None)
            if now.replayed is not None:
                now.replayed(_checked(factory(*args, **kwargs), factory.__name__), {*expect, *allow})
                return
            race = RaceTest(now.nodeid, mode, expect, allow, now.tell)
            race.begin()
            try:
                program = _checked(factory(*args, **kwargs), factory.__name__)
                result = getattr(modes, mode)(program, **now.adapted(mode, how))
            except RaceBenchError as error:
                race.failed(error)
                raise
            cell = race.over(program, result, strategy)
            odd = [finding for finding in result.findings if finding.rule in cell.unexpected]
            if odd:
                keys = [(now.nodeid, finding.signature) for finding in odd]
                race.unexpected(cell, [key[1] for key in keys if key in now.shown])
                now.shown.update(keys)
                raise RaceFailed(_broken(program, mode, odd, drawn=running is None))
            if result.interrupted:
                raise KeyboardInterrupt
            if not now.again and cell.verdict != CellVerdict.AS_EXPECTED.value:
                raise RaceFailed(f"{program.name}: {_unanswered(cell, result)}")

        test.racebench_mode = mode  # type: ignore[attr-defined]
        test.__annotations__ = {**test.__annotations__, "return": None}
        return test

    return decorate


def _checked(made: object, name: str) -> Program:
    if not isinstance(made, Program):
        what = f"{name} returned {type(made).__name__}, not a Program"
        raise ProgramError(f"{what}. Return racebench.Program(...).")
    return made


def _unanswered(cell: Cell, result: Result) -> str:
    """Why a test without an unexpected finding is not as expected."""
    executions = f"after {counted(result.executions, 'execution')}"
    missing = sorted(set(cell.expected) - set(cell.found))
    if missing:
        return f"expected {', '.join(missing)}, not found {executions}"
    return f"no answer {executions}: {replace(result, verdict=Verdict.UNKNOWN).why}"


def _broken(program: Program, mode: str, findings: Collection[Finding], drawn: bool) -> str:
    """The broken rules in a line; with ``drawn`` also the panels, where no plugin draws them."""
    line = f"{program.name}: {', '.join(dict.fromkeys(f.rule for f in findings))}"
    if not drawn:
        return line
    # Imported only for a failure, because `import racebench` has to be quick.
    from ..report.testrun import panels

    records = [finding_record(program.name, program, mode, f) for f in findings]
    return f"{line}\n{panels([('', record) for record in records], _WIDTH)}"
