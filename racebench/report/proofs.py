"""What was made of a finding: confirmed or not, how short, how near to passing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.text import Text

from .text import clean, counted, joined, plain

_LABELS = {"confirmed": "bold red", "unreachable": "bold green", "open": "bold yellow"}


def proofs(finding: Mapping[str, Any]) -> list[Text]:
    """One line for each thing that is known beyond the schedule; none if nothing is."""
    return [*_confirmation(finding["evidence"]), *_accesses(finding["evidence"]), *_short(finding)]


def _confirmation(evidence: Mapping[str, Any]) -> Iterator[Text]:
    said = evidence.get("confirmation")
    if isinstance(said, Mapping):
        label = clean(said.get("label", "?"))
        yield Text(label, style=_LABELS.get(label, "bold")) + plain(f": {said.get('why', '')}", "default")
    if evidence.get("instances"):
        yield plain(f"the ring is of {evidence['instances']}")


def _accesses(evidence: Mapping[str, Any]) -> Iterator[Text]:
    if evidence.get("lock"):
        yield plain(f"the lock that would order them: {evidence['lock']}")


def _short(finding: Mapping[str, Any]) -> Iterator[Text]:
    evidence, schedule = finding["evidence"], finding["schedule"]
    preemptions = evidence.get("preemptions")
    if isinstance(preemptions, int) and schedule:
        fewest = ", none needs fewer" if evidence.get("fewest") and preemptions else ""
        text = f"shortest: {counted(len(schedule), 'step')}, {counted(preemptions, 'preemption')}{fewest}"
        replays = evidence.get("replays")
        if isinstance(replays, Sequence) and len(replays) == 2:
            text += f"; replayed {clean(replays[0])} times of {clean(replays[1])}"
        yield plain(text)
    needs = evidence.get("needs")
    if isinstance(needs, Mapping) and needs:
        parts = (
            f"{clean(t)}: {joined(ops)}" if isinstance(ops, list) and ops else clean(t)
            for t, ops in needs.items()
        )
        yield plain(f"needs only {'; '.join(parts)}")
    passing = evidence.get("passing")
    if isinstance(passing, Mapping) and _steps(passing):
        fails, passes = passing["failing"], passing["passing"]
        yield plain(
            f"nearest schedule that passes: at step {clean(passing.get('at', 0) + 1)} {_step(passes)}, "
            f"where the failing one has {_step(fails)}"
        )


def _steps(passing: Mapping[str, Any]) -> bool:
    steps = (passing.get("failing"), passing.get("passing"))
    return isinstance(passing.get("at"), int) and all(isinstance(s, list) and len(s) == 3 for s in steps)


def _step(step: Sequence[Any]) -> str:
    return f"{clean(step[0])} {clean(step[1])} {clean(step[2])}"
