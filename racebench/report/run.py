"""The report of a run, as a tree: verdicts, strategies, claims, findings, every cell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from . import facts, plots, regressions, tree
from .facts import label
from .finding import finding_panel
from .headline import headline, rest, resumption
from .stored_run import Distinct, Stored, distinct, summary
from .strategies import classes, strategies
from .text import clean, counted, joined
from .tree import Column, Look, Section, command, known, lines, note, row, say, table
from .verdicts import FEW, Anchors, Key, at_a_glance, cell_table, verdicts

_CLAIMS = {"holds": Look.GOOD, "refuted": Look.BAD}


def document(stored: Stored) -> tree.Document:
    """Everything that a format may show of ``stored``."""
    findings, whole = distinct(stored), stored.whole or stored
    found = findings if whole is stored else distinct(whole)
    return tree.Document(
        summary(whole.run),
        list(headline(whole, found)),
        list(_sections(stored, findings)),
        list(_about(stored)),
        list(at_a_glance(stored.run.cells, _anchors(stored, findings), _unreachable(stored))),
        list(rest(whole, found)),
        list(_closing(whole)),
        Counter(known(cell.verdict) for cell in stored.run.cells),
    )


def _sections(stored: Stored, findings: list[Distinct]) -> Iterator[Section]:
    cells = stored.run.cells
    anchors = _anchors(stored, findings)
    yield from regressions.sections(stored.run.against, stored.path)
    if cells:
        yield Section("verdicts", list(verdicts(cells, anchors, _unreachable(stored))))
    brought = strategies(cells)
    if brought:
        yield Section("strategies", [brought, *plots.coverage(classes(cells))])
    went = [*plots.soak(stored.progress), *plots.first_failures(cells)]
    if went:
        yield Section("over time", went)
    claims = list(_claims(stored))
    if claims:
        yield Section("claims", claims)
    if findings:
        panels = [_panel(stored, one, number) for number, one in enumerate(findings, 1)]
        yield Section(counted(len(findings), "distinct finding"), panels)
    if len(cells) > FEW:
        yield Section("every cell", [cell_table(cells, anchors)], detail=True)


def _anchors(stored: Stored, findings: Iterable[Distinct]) -> Anchors:
    place = {
        (*record.cell, record.finding.signature): f"f{number}"
        for number, one in enumerate(findings, 1)
        for shown in (one, *one.with_it)
        for _, record in shown.found
    }
    rules = ((record.cell, record.finding) for _, record in stored.findings)
    return {(*cell, finding.rule): place[*cell, finding.signature] for cell, finding in rules}


def _claims(stored: Stored) -> Iterator[tree.Block]:
    tested = [claim for claim in stored.claims if claim.verdict != "not tested"]
    if not tested:
        return
    rows = [
        row(
            say(claim.id, Look.STRONG),
            say(claim.verdict, _CLAIMS.get(claim.verdict, Look.WARN)),
            say(claim.claim) + say(f" ({claim.by})", Look.DIM),
            lines(map(say, claim.evidence)),
        )
        for claim in tested
    ]
    yield table(["claim", "verdict", Column("says", under=True), Column("because", under=True)], rows)
    others = [claim.id for claim in stored.claims if claim.verdict == "not tested"]
    if others:
        yield note(f"not tested here: {joined(others)}", Look.DIM)


def _unreachable(stored: Stored) -> set[Key]:
    """The predictions, by cell, that are proved never to happen there."""
    labels: dict[Key, set[str]] = {}
    for _, record in stored.findings:
        labels.setdefault((*record.cell, record.finding.rule), set()).add(label(record))
    return {key for key, said in labels.items() if said == {"unreachable"}}


def _panel(stored: Stored, one: Distinct, number: int) -> tree.Panel:
    seen = stored.history.get(one.record.finding.signature)
    history = f"seen in {seen[0]} of the last {counted(seen[1], 'run')}" if seen else ""
    together = [other.record for other in one.with_it]
    shown = finding_panel(one.record, one.path, also=one.also, history=history, together=together)
    others = f", and in {counted(len(one.also), 'other cell')}" if one.also else ""
    slight = label(one.record) == "unreachable"
    what = f"{joined(facts.classes(one.record))} inverted, proved unreachable" if slight else ""
    summary = f"{shown.title}: {shown.where}, {what or counted(one.record.count, 'time')}{others}"
    in_short = command(f"racebench explain {one.path}", f"{summary}:") if one.path else command(summary)
    shown = shown._replace(number=number, anchor=f"f{number}", in_short=in_short, slight=slight)
    return shown._replace(facets=_facets(stored, one))


def _facets(stored: Stored, one: Distinct) -> dict[str, Sequence[str]]:
    """The values by which the finding can be filtered."""
    verdicts = {cell.name: known(cell.verdict) for cell in stored.run.cells}
    reach, _ = facts.callers(one.record)
    seen = stored.history.get(one.record.finding.signature)
    facets = {
        "verdict": {verdicts.get(name, "unknown") for name in one.cells},
        "rule": set(one.rules),
        "scenario": {scenario for scenario, _ in one.cells},
        "protocol": {protocol for _, protocol in one.cells},
        "callers": {reach} if reach else set(),
        "seen": {"known" if seen[0] > 1 else "new"} if seen else set(),
    }
    return {name: sorted(map(clean, values)) for name, values in facets.items()}


def _about(stored: Stored) -> Iterator[str]:
    run, host = stored.run, stored.run.host
    yield f"{stored.at:%Y-%m-%d %H:%M} UTC"
    yield f"RaceBench {clean(run.racebench)}"
    forms = {"python": "Python {}", "cores": "{} cores", "platform": "{}"}
    yield from (form.format(clean(host[key])) for key, form in forms.items() if key in host)
    if not host.get("gil", True):
        yield "free-threaded"


def _closing(stored: Stored) -> Iterator[tree.Block]:
    if stored.folder:
        yield command(f"saved in {stored.folder}")
    yield from resumption(stored)
