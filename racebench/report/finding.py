"""The report of one finding: what happened, who holds what, what changed, the schedule, how to replay it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..records import FindingRecord
from . import facts, tree
from .lanes import functions, lanes
from .text import brief, clean, counted, joined
from .tree import Column, Fit, Look, Paragraph, Text, lines, listed, note, row, say, table
from .walk import walk

_TITLES = {"mapping": "vIRQs", "descs": "pIRQs", "vcpus": "vCPUs"}
_LABELS = {"confirmed": ("confirmed", Look.BAD), "unreachable": ("no hang", Look.GOOD)}
"""Words for a prediction's label.  "Unreachable" would be mistaken for the callers' label."""


def finding_panel(
    record: FindingRecord,
    path: str,
    *,
    also: Sequence[str] = (),
    history: str = "",
    together: Sequence[FindingRecord] = (),
    full: bool = False,
) -> tree.Panel:
    """``also`` names the other cells with the same signature, ``history`` says in which runs it was seen.

    ``together`` are findings that the same schedule shows, or that predicted this one.
    """
    seen = [row("seen: ", facts.seen(record))]
    seen += [row("", f"{facts.seen(other)}: {clean(other.finding.rule)}") for other in together]
    seen += [row("", history)] if history else []
    seen += [row(say("also:", Look.DIM), say(joined(also), Look.DIM))] if also else []
    again = facts.replay_command(record, path)
    if again:
        replay: tree.Block = tree.command(again, "replay:")
    elif not record.finding.schedule:
        replay = note(f"replay: {facts.not_replayable(record)}", Look.WARN)
    else:
        replay = tree.Group(())
    foot = tree.Group([listed(seen), replay])
    blocks = [*finding_body(record, together, full=full), foot]
    rules = joined(dict.fromkeys(one.finding.rule for one in (record, *together)))
    return tree.Panel(rules, facts.cell_name(record), blocks)


def finding_body(
    record: FindingRecord, together: Sequence[FindingRecord] = (), *, full: bool = False
) -> list[tree.Block]:
    """Everything except the counts and the command."""
    places = list(facts.places(record))
    cited = {facts.source(record, place.site) for place in places}
    said = dict.fromkeys(facts.sentence(one) for one in (record, *together))
    blocks: list[tree.Block] = [tree.Group([note(sentence, Look.STRONG) for sentence in said])]
    blocks += [_waits(record, places)] if places else []
    changed = [] if places else list(_changes(record.finding.evidence))
    blocks += [tree.Group(changed)] if changed else []
    blocks += [note(line, Look.DIM) for line in facts.notes(record)]
    if record.finding.schedule:
        shown = lanes(record, full=full)._replace(walk=walk(record))
        sources = ((name, facts.source(record, name)) for name in functions(shown))
        calls = [
            row(say(name, Look.CALL), say(f"Xen: {what}", Look.DIM))
            for name, what in sources
            if what and what not in cited
        ]
        blocks += [shown, *([table(["", ""], calls)] if calls else [])]
    # A finding that predicted this one has the confirmation; the rest is about the schedule shown.
    confirmed = [text for other in together for text in _confirmation(other.finding.evidence)]
    proofs = [*_confirmation(record.finding.evidence), *confirmed, *_reach(record), *_worth(record)]
    return [*blocks, *([Paragraph(lines(proofs))] if proofs else [])]


def _waits(record: FindingRecord, places: Sequence[facts.Place]) -> tree.Table:
    """Which thread holds which lock, taken where, and which lock it wants, where."""
    rows = []
    last = ""
    for place in places:
        wants = place.verb == "wants"
        where = [say(f"{'in' if wants else 'taken in'} {place.site}{place.more}")]
        source = facts.source(record, place.site)
        where += [say(f"Xen: {source}", Look.DIM)] if source else []
        rows.append(
            row(
                say("" if place.thread == last else place.thread, Look.STRONG),
                say(place.verb, Look.BAD if wants else Look.PLAIN),
                say(place.lock, Look.BAD if wants else Look.LOCK),
                lines(where),
            )
        )
        last = place.thread
    whole = Column(fit=Fit.WHOLE)
    return table([whole, whole, whole, ""], rows)


def _changes(evidence: Mapping[str, Any]) -> Iterator[tree.Block]:
    """The differences between the states before and after."""
    before, after = evidence.get("before"), evidence.get("after")
    if before == after:
        return
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        before, after = {"state": before}, {"state": after}
    for key, new in after.items():
        old = before.get(key)
        if old == new:
            continue
        if isinstance(old, list) and isinstance(new, list) and _are_objects(new):
            yield _changed(_TITLES.get(key, clean(key)), old, new)
        else:
            yield note(f"{clean(key)}: {_value(old)} → {_value(new)}")


def _are_objects(rows: list[Any]) -> bool:
    return bool(rows) and all(isinstance(row, Mapping) for row in rows)


def _changed(title: str, before: list[Any], after: list[Mapping[str, Any]]) -> tree.Table:
    columns = list(after[0])
    rows = []
    for i, now in enumerate(after):
        then = before[i] if i < len(before) and isinstance(before[i], Mapping) else {}
        rows.append(row("", *(_change(_value(then.get(c)), _value(now.get(c))) for c in columns)))
    return table([title, *map(clean, columns)], rows)


def _change(old: str, new: str) -> Text:
    return say(new, Look.DIM) if old == new else say(f"{old} → {new}", Look.WRITE)


def _value(stored: Any) -> str:
    if isinstance(stored, list):
        return joined(stored, " ") or "-"
    return "-" if stored is None else brief(stored)


def _confirmation(evidence: Mapping[str, Any]) -> Iterator[Text]:
    said = evidence.get("confirmation")
    if said:
        label = clean(said["label"])
        yield say(*_LABELS.get(label, (label, Look.WARN))) + say(f": {said['why']}")
    if evidence.get("instances"):
        yield say(f"the ring is made of {evidence['instances']}")
    if evidence.get("lock"):
        yield say(f"the lock that would order them: {evidence['lock']}")


def _reach(record: FindingRecord) -> Iterator[Text]:
    """Whether real callers can run the threads at once, and what keeps them apart."""
    label, why = facts.callers(record)
    if label:
        yield say(label, Look.BAD if label == "reachable" else Look.GOOD) + say(f": {why}" if why else "")


def _worth(record: FindingRecord) -> Iterator[Text]:
    """The length of the schedule, the part of the program that it needs, the nearest passing schedule."""
    evidence, schedule = record.finding.evidence, record.finding.schedule
    preemptions, replays = evidence.get("preemptions"), evidence.get("replays")
    if preemptions is not None and schedule:
        fewest = " (no schedule needs fewer)" if evidence.get("fewest") and preemptions else ""
        length = f"{counted(len(schedule), 'step')}, {counted(preemptions, 'preemption')}"
        text = f"shortest schedule: {length}{fewest}"
        text += f"; replayed {replays[0]} times out of {replays[1]}" if replays else ""
        yield say(text)
    needs = evidence.get("needs")
    if needs:
        parts = (f"{thread}: {joined(ops)}" if ops else thread for thread, ops in needs.items())
        yield say(f"needs only {'; '.join(parts)}")
    passing = evidence.get("passing")
    if passing:
        at = f"step {passing['at'] + 1} is {joined(passing['passing'], ' ')}"
        yield say(f"nearest schedule that passes: {at} instead of {joined(passing['failing'], ' ')}")
