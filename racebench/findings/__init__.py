"""Findings and verdicts: the terms in which every part reports.  ``rules`` defines the rules.

Everything here is plain data: it crosses module and process borders and is
stored as JSON.  Live locks, threads and states never appear in it.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from ..errors import exactly, shortened
from ..trace import Schedule


class Verdict(enum.Enum):
    """The verdict of one run of a program.  UNKNOWN never counts as clean."""

    CLEAN = "clean"
    FOUND = "found"
    UNKNOWN = "unknown"


class CellVerdict(enum.Enum):
    """The verdict of a cell, compared with its scenario's expectation."""

    AS_EXPECTED = "as_expected"
    UNEXPECTED = "unexpected"
    MISSED = "missed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Broken:
    """A rule that a check found broken.

    ``fields`` names what is wrong in words that do not change from run to run
    ("p.desc", "desc.action"); with the rule it makes the finding's signature.
    TypeError if one of them is no string; a very long message is shortened.
    """

    rule: str
    message: str
    fields: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        rule, message = check_words(self.rule, self.message)
        if isinstance(self.fields, str) or not all(isinstance(name, str) for name in self.fields):
            raise TypeError(f"the fields of a broken rule are a tuple of strings, not {self.fields!r:.60}")
        object.__setattr__(self, "rule", rule)
        object.__setattr__(self, "message", message)
        object.__setattr__(self, "fields", tuple(exactly(shortened(name)) for name in self.fields))


def check_words(rule: str, message: str) -> tuple[str, str]:
    """Return both in stored form; TypeError unless they are strings: a user's program may pass anything."""
    for part, word in (("rule", rule), ("message", message)):
        if not isinstance(word, str):
            raise TypeError(f"the {part} of a broken rule is a string, not {word!r:.60}")
    return exactly(shortened(rule)), exactly(shortened(message))


class Alarm(NamedTuple):
    """What a detector saw in an execution, or predicts from it.

    ``steps`` are the indices of the steps that it is based on, in order; a number past
    the last step means an operation that was still blocked at the end.  ``guarded`` says
    that something keeps it from happening: it is reported, but breaks no rule.
    """

    rule: str
    signature: str
    message: str
    steps: tuple[int, ...] = ()
    evidence: Mapping[str, Any] = {}  # noqa: RUF012  Nobody writes it.
    guarded: bool = False


def broken(rule: str, message: str, fields: tuple[str, ...] = ()) -> Broken:
    """A broken ``rule`` for a program's ``check`` to return; TypeError as for ``Broken``."""
    return Broken(rule, message, fields)


@dataclass(frozen=True, slots=True, repr=False)
class Finding:
    """A broken rule with its evidence.  ``print`` it: rule, summary, schedule.

    ``rule`` is one of the rules of RaceBench or of the program's own.  Findings
    of the same kind have one ``signature``, and are one Finding, seen
    ``count`` times, first ``after`` so many executions in ``mode`` under
    ``strategy`` and ``seed``.  ``schedule`` is the argument of ``replay``, a tuple of
    (thread, operation, object); it is empty when the finding comes from the free
    run and was not (yet) reproduced under control.  ``evidence`` holds JSON
    values only; its keys are listed in ``racebench.findings.EVIDENCE``.
    """

    rule: str
    signature: str
    summary: str
    schedule: Schedule = ()
    evidence: Mapping[str, Any] = field(default_factory=dict)
    count: int = 1
    mode: str = ""
    strategy: str = ""
    seed: int = 0
    after: int = 0

    def __repr__(self) -> str:
        return f"<Finding {self.rule}: {shortened(self.summary)}>"

    def __str__(self) -> str:
        wide = max((len(thread) for thread, _, _ in self.schedule), default=0)
        steps = [f"  {n:3}  {t:{wide}}  {op} {obj}" for n, (t, op, obj) in enumerate(self.schedule, 1)]
        return "\n".join([f"{self.rule}: {self.summary}", *steps])

    def _repr_html_(self) -> str:
        """The finding as a notebook shows it."""
        line, _, steps = str(self).partition("\n")
        return f"<details open><summary>{_escaped(line)}</summary><pre>{_escaped(steps)}</pre></details>"

    def counted(self, count: int) -> Finding:
        """The same finding, seen ``count`` times."""
        return replace(self, count=count)


SCHEDULE = [(str, str, str)]
_LOCK = {"lock": str, "site": str, "class?": str}
_LOCKS = [{"thread": str, "holds": [_LOCK], "wants": _LOCK, "holder?": str}]
_STEPS = [
    {**dict.fromkeys(("thread", "op", "object", "old", "new", "site?", "code?"), str), "held": [str]},
]
_PASSING = {
    "at": int,
    "schedule": SCHEDULE,
    **dict.fromkeys(("failing", "passing"), SCHEDULE[0]),
    "rest?": _STEPS,
}
EVIDENCE: Mapping[str, Any] = {
    **dict.fromkeys(("ring", "waiting"), _LOCKS),
    **dict.fromkeys(("message", "site", "lock", "instances", "interrupt"), str),
    **dict.fromkeys(("not_reproduced", "not_deterministic"), str),
    **dict.fromkeys(("stacks", "needs"), {str: [str]}),
    **dict.fromkeys(("reproduced", "fewest"), bool),
    **dict.fromkeys(("before", "after", "story"), object),
    "results": dict,
    "steps": _STEPS,
    "sources": {str: str},
    "strategies": {str: int},
    "preemptions": int,
    "replays": (int, int),
    "passing": _PASSING,
    "callers": {"reachable": bool, "why": [str]},
    "accesses": [{"thread": str, "op": str, "site": str}],
    "guarded_by": [str],
    "confirmation": {"label": str, "why": str},
    "holds": [_LOCK],
}
"""The keys of a finding's evidence, each with the kind of its value (``bounds.fits``).

- ``ring``: deadlock: [{thread, holds: [{lock, site}], wants: {lock, site}, behind: held back by a writer}]
- ``interrupt``: with a ring: the interrupt that waits for the thread that it interrupts
- ``before``: the program's snapshot before the threads started
- ``after``: the program's snapshot at the end
- ``results``: thread -> repr of its result
- ``steps``: [{thread, op, object, site, code, old, new, held}] of the execution
- ``stacks``: thread -> [function (file:line)], innermost last
- ``message``: what the check or the exception said
- ``site``: function (file:line) at which the rule broke
- ``sources``: function -> the function of the real source that it stands for
- ``strategies``: strategy -> how often it met this, if several explored
- ``preemptions``: how many the schedule has
- ``fewest``: whether no schedule with fewer preemptions shows it
- ``replays``: [how often it came again, of how many strict replays]
- ``passing``: {schedule, at, failing, passing, rest}: the nearest that passes, its own steps
- ``needs``: thread -> its operations, if less than the whole program shows it
- ``callers``: {reachable, why: [sentence]}: whether real callers bring its threads together
- ``accesses``: data_race: [{thread, op, site, held}]
- ``lock``: data_race: the lock that would have ordered the accesses
- ``instances``: lock_order.inversion: whether the same locks, or others of their classes, were taken
- ``guarded_by``: lock_order.inversion: the classes of locks that all its threads hold
- ``confirmation``: lock_order.inversion: {label: confirmed, unreachable or open, why, executions}
- ``waiting``: deadlock.wait: [{thread, holds, wants}]
- ``holds``: lock.leaked: [{lock, site}]
- ``reproduced``: whether a finding of the free run came again under control
- ``not_reproduced``: why it did not
- ``not_deterministic``: how a strict replay left the schedule
- ``story``: hammer: {initial, threads}: the round that it comes from
"""


def counted(n: int, thing: str) -> str:
    """``1 cell``, ``12,000 cells``."""
    return f"{n:,} {thing}{'' if n == 1 else 's'}"


@dataclass(frozen=True, slots=True, repr=False)
class Result:
    """The result of stress, explore, verify or replay.  ``print`` it.

    ``verdict`` is CLEAN, FOUND or UNKNOWN, ``findings`` has one Finding for each
    signature.  ``executions`` were run in ``seconds``, and ``failures`` of them
    broke a rule; ``first_failure`` counts executions until the first finding,
    itself included, None if there was none (``first_failure_s``: the same in seconds,
    for stress).  ``complete`` is True only when verify has covered every schedule;
    ``interrupted`` after Ctrl-C.  ``stats`` has more, by mode; ``why`` says in
    words why the verdict is UNKNOWN.
    """

    verdict: Verdict
    complete: bool
    executions: int
    seconds: float
    findings: tuple[Finding, ...]
    first_failure: int | None = None
    failures: int = 0
    first_failure_s: float | None = None
    interrupted: bool = False
    stats: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        whole = ", every schedule" if self.complete else ""
        executions, findings = counted(self.executions, "execution"), counted(len(self.findings), "finding")
        return f"<Result {self.verdict.name} after {executions}{whole}: {findings}>"

    def __str__(self) -> str:
        why = [f"no answer: {self.why}"] if self.why else []
        return "\n".join([repr(self), *why, *map(str, self.findings)])

    def _repr_html_(self) -> str:
        """The result as a notebook shows it."""
        why = f"<p>no answer: {_escaped(self.why)}</p>" if self.why else ""
        return f"<p><b>{_escaped(repr(self)[1:-1])}</b></p>{why}" + "".join(
            finding._repr_html_() for finding in self.findings
        )

    @property
    def why(self) -> str:
        """Why the verdict is UNKNOWN, and what to do about it; "" if it is not."""
        if self.verdict is not Verdict.UNKNOWN:
            return ""
        if self.stats.get("unseen"):
            return "; ".join(self.stats["unseen"])
        return "it was interrupted" if self.interrupted else "the budget ended first. Give it more."


def _escaped(text: str) -> str:
    # Imported only for notebooks, because it loads a table of all named characters of HTML.
    from html import escape

    return escape(text)


FEWEST_COLLISIONS = 30
"""With fewer, and none failed, stress is no answer: it may well miss a fault that occurs once in ten."""


def miss_bound(tries: int, failures: int) -> float | None:
    """The 95 % upper bound on the probability of a failure if none of ``tries`` failed; None otherwise.

    The rule of three: a little above the exact value, 1 - 0.05 ** (1 / tries).
    """
    return min(1.0, 3 / tries) if tries > 0 and not failures else None


_Z = 1.96


def interval(hits: int, tries: int) -> tuple[float, float]:
    """The 95 % interval, after Wilson, of a probability of which ``hits`` of ``tries`` were seen.

    It holds in 95 % of all cases on average over the probabilities, not for each:
    if only a handful of hits is possible, it holds in at least 80 %.
    """
    if tries <= 0:
        return 0.0, 1.0
    p = min(1.0, max(0.0, hits / tries))
    scale = 1 + _Z**2 / tries
    middle = p + _Z**2 / (2 * tries)
    spread = _Z * math.sqrt(p * (1 - p) / tries + _Z**2 / (4 * tries**2))
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)
