"""The errors, and whose fault they are.

A broken rule is never an exception: it is a finding.  The exceptions here say
that RaceBench could not answer: the author of a scenario or program made a mistake, a
replay left its recording, a stored file is not ours, or RaceBench is at fault.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def meant(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """A question whether the closest of ``known`` was meant; ``otherwise`` if none is close."""
    close = closest(word, known)
    return f"Did you mean {close}?" if close else otherwise


def closest(word: str, known: Iterable[str], least: float = 0.6) -> str:
    """The one of ``known`` that is most similar to ``word``; "" if none reaches ``least``."""
    # Imported only here, because most commands end without an error.
    from difflib import get_close_matches

    return next(iter(get_close_matches(word, list(known), 1, least)), "")


class RaceBenchError(Exception):
    """Base of every error that RaceBench raises on purpose."""


class UsageError(RaceBenchError):
    """The command line or the API was called in a way that RaceBench cannot do."""


class ScenarioError(RaceBenchError):
    """A scenario or protocol file that cannot be run.

    ``place`` is the key inside the file (``threads.vcpu0[1]``), ``remedy`` one
    sentence that says what to write instead.
    """

    def __init__(self, file: str, place: str, what: str, remedy: str) -> None:
        self.file, self.place, self.what, self.remedy = file, place, what, remedy
        where = f"{file}: {place}" if place else file
        super().__init__(f"{where}: {what}. {remedy}")


class ProgramError(RaceBenchError):
    """A program is not one that RaceBench can run; the message says why.

    ``findings`` are those that were known before the error.
    """

    findings: tuple[Any, ...] = ()


class ReplayDiverged(RaceBenchError):
    """A strict replay left its recording.

    ``step`` counts from 0; ``expected`` is the recorded (thread, operation,
    object) or None past the end; ``actual`` maps each thread that could move
    to the (operation, object) that it offered instead.
    """

    def __init__(
        self,
        step: int,
        expected: tuple[str, str, str] | None,
        actual: dict[str, tuple[str, str]],
        recent: tuple[tuple[str, str, str], ...] = (),
    ) -> None:
        self.step, self.expected, self.actual, self.recent = step, expected, actual, recent
        offered = ", ".join(f"{t} offers {op} {obj}" for t, (op, obj) in actual.items())
        wanted = "the end" if expected is None else f"{expected[0]} {expected[1]} {expected[2]}"
        super().__init__(
            f"replay diverged at step {step}: the recording has {wanted}, "
            f"but {offered or 'no thread can move'}. "
            "The program is not the one that was recorded, or it is not deterministic."
        )


class ResultError(RaceBenchError):
    """A stored result cannot be read; the message names the file and why."""


class HarnessBug(RaceBenchError):
    """RaceBench broke one of its own promises; please report it."""


class CheckFailed(AssertionError):
    """A ``check_that`` that failed outside a run."""

    def __init__(self, rule: str, message: str) -> None:
        self.rule, self.message = rule, message
        super().__init__(f"{rule}: {message}")


class ThreadAbort(BaseException):
    """Unwinds a thread whose execution is over.  Never reaches the user.

    Derives from BaseException so that ``except Exception`` in the code under
    test does not swallow it.
    """


def is_ours(error: BaseException) -> bool:
    """Whether the fault is RaceBench's own: any exception but a RaceBenchError, or a HarnessBug."""
    return not isinstance(error, RaceBenchError) or isinstance(error, HarnessBug)


LONGEST_SAID = 2000


def shortened(said: str) -> str:
    """``said`` without the middle if it is very long; for texts of a user's program."""
    if len(said) <= LONGEST_SAID:
        return said
    half = LONGEST_SAID // 2
    return f"{said[:half]} [{len(said) - 2 * half:,} characters left out] {said[-half:]}"


def exactly(text: str) -> str:
    """``text`` as a plain str, so that nothing stored or sent is of a user's subclass with code."""
    return "".join([text])


def described(error: BaseException) -> str:
    """``error`` of a user's program in words; its ``__str__`` may raise anything."""
    try:
        return exactly(shortened(f"{type(error).__name__}: {error}"))
    except KeyboardInterrupt:
        raise
    except BaseException:
        return type(error).__name__
