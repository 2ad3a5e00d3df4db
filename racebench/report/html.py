"""A stored run as one HTML page that needs nothing from anywhere else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from . import facts
from .html_assets import SCRIPT, STYLE, policy
from .lanes import functions, rows
from .lanes_svg import lanes_svg
from .matrix import MARK_LEGEND, MARKS, code_of, evidence, missing, order
from .proofs import proofs
from .stored import Stored
from .strategies import HEADINGS, strategy_rows
from .terminal import Distinct, summary
from .text import VERDICT_STYLES, clean, clipped, joined, why

_MOST_CHARS, _FEW = 2000, 12

Cell = Mapping[str, Any]
Places = Mapping[tuple[str, str, str], int]


def html(stored: Stored) -> str:
    """The page: summary, matrix with links, claims, findings with swimlanes, every cell."""
    told = stored.distinct()
    place_of = {one.finding["signature"]: i for i, one in enumerate(told, 1)}
    places = {(f["scenario"], f["protocol"], f["rule"]): place_of[f["signature"]] for _, f in stored.findings}
    verdicts = {(c["scenario"], c["protocol"]): c["verdict"] for c in stored.cells}
    seen_in: dict[str, set[str]] = {}
    for _, f in stored.findings:
        verdict = verdicts.get((f["scenario"], f["protocol"]), "unknown")
        seen_in.setdefault(f["signature"], set()).add(_class(verdict))
    bad = [c for c in stored.cells if c["verdict"] != "as_expected"]
    body = [
        _head(stored),
        _filter(stored.cells),
        _section("Verdicts", _grid(stored.cells, places) + _legend(stored.cells)) if stored.cells else "",
        _section("Not as expected", _cells(bad, places)) if 0 < len(bad) <= _FEW else "",
        _section("Strategies", _strategies(strategy_rows(stored.cells)))
        if strategy_rows(stored.cells)
        else "",
        _section("Claims", _claims(stored.told_claims())) if stored.told_claims() else "",
    ]
    if told:
        found = (_finding(i, one, stored, seen_in[one.finding["signature"]]) for i, one in enumerate(told, 1))
        body.append(_section("Findings", "\n".join(found)))
    if stored.cells:
        body.append(_section("Every cell", _cells(sorted(stored.cells, key=order), places)))
    return _page("\n".join(body))


def e(value: Any) -> str:
    """A string from a file as HTML text or attribute value."""
    return escape(clipped(clean(value), _MOST_CHARS), quote=True)


def _page(body: str) -> str:
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy()}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>RaceBench report</title>
<style>{STYLE}</style>
</head>
<body>
{body}
<script>{SCRIPT}</script>
</body>
</html>
"""


def _section(title: str, content: str) -> str:
    return f"<section>\n<h2>{title}</h2>\n{content}\n</section>"


def _head(stored: Stored) -> str:
    run = stored.run
    stored_host = run.get("host")
    host: Mapping[str, Any] = stored_host if isinstance(stored_host, Mapping) else {}
    parts = [f"{stored.at:%Y-%m-%d %H:%M} UTC", f"RaceBench {run.get('racebench', '?')}"]
    parts += [f"Python {host['python']}"] if "python" in host else []
    parts += [] if host.get("gil", True) else ["free-threaded"]
    parts += [f"{host['cores']} cores"] if "cores" in host else []
    parts += [str(host["platform"])] if "platform" in host else []
    return f"<h1>RaceBench: {e(summary(run))}</h1>\n<p class=dim>{e(' · '.join(parts))}</p>"


def _class(verdict: str) -> str:
    return verdict if verdict in VERDICT_STYLES else "unknown"


def _filter(cells: Sequence[Cell]) -> str:
    choices = ['<label><input type="radio" name="show" value="all" checked> all</label>']
    for verdict in VERDICT_STYLES:
        n = sum(_class(c["verdict"]) == verdict for c in cells)
        if n:
            choices.append(
                f'<label class="{verdict}"><input type="radio" name="show" value="{verdict}"> '
                f"{verdict.replace('_', ' ')} ({n:,})</label>"
            )
    return f'<div class="filter" hidden><span>Show</span> {" ".join(choices)}</div>'


def _linked(cell: Cell, rule: str, text: str, places: Places) -> str:
    place = places.get((cell["scenario"], cell["protocol"], rule))
    title = f' title="{e(rule)}"'
    return f'<a href="#f{place}"{title}>{text}</a>' if place else f"<span{title}>{text}</span>"


def _grid(cells: Sequence[Cell], places: Places) -> str:
    protocols = list(dict.fromkeys(c["protocol"] for c in cells))
    known = {(c["scenario"], c["protocol"]): c for c in cells}
    heads = "".join(
        f'<th class="protocol" scope="col" title="{e(p)}"><span>{e(p)}</span></th>' for p in protocols
    )
    rows = []
    for scenario in dict.fromkeys(c["scenario"] for c in cells):
        tds = "".join(_grid_cell(known.get((scenario, p)), places) for p in protocols)
        rows.append(f'<tr><th scope="row" title="{e(scenario)}">{e(scenario)}</th>{tds}</tr>')
    return _table("grid", f"<tr><th></th>{heads}</tr>", rows)


def _table(kind: str, head: str, rows: Iterable[str]) -> str:
    body = "\n".join(rows)
    return (
        f'<div class="wide"><table class="{kind}"><thead>{head}</thead>\n<tbody>{body}</tbody></table></div>'
    )


def _grid_cell(cell: Cell | None, places: Places) -> str:
    if cell is None:
        return "<td></td>"
    verdict = _class(cell["verdict"])
    rules = missing(cell) if verdict == "missed" else cell["found"]
    codes = "<br>".join(_linked(cell, rule, e(code_of(rule)), places) for rule in rules) or "&ndash;"
    title = f"{cell['scenario']} x {cell['protocol']}: {verdict.replace('_', ' ')}; {evidence(cell)}"
    return (
        f'<td class="{verdict}" data-verdict="{verdict}" title="{e(title)}">'
        f"<code>{MARKS.get(verdict, '')}{codes}</code></td>"
    )


def _legend(cells: Sequence[Cell]) -> str:
    rules = sorted({rule for c in cells for rule in (*c["found"], *missing(c))})
    items = [f"<code>{e(code_of(rule))}</code> {e(rule)}" for rule in rules]
    marks = [f"<code>{mark[0]}</code> {mark[2:]}" for mark in MARK_LEGEND]
    return f'<p class="dim">{" · ".join([*items, *marks])}</p>'


def _cells(cells: Sequence[Cell], places: Places) -> str:
    rows = []
    for cell in cells:
        verdict = _class(cell["verdict"])
        rules = [_linked(cell, rule, e(rule), places) for rule in cell["found"]]
        rules += [f'<span class="missed">not found: {e(rule)}</span>' for rule in missing(cell)]
        rules += [f'<span class="unexpected">{e(why(cell))}</span>'] if why(cell) else []
        rows.append(
            f'<tr data-verdict="{verdict}"><td>{e(cell["scenario"])}</td><td>{e(cell["protocol"])}</td>'
            f'<td class="{verdict}">{verdict.replace("_", " ")}</td><td>{"<br>".join(rules) or "none"}</td>'
            f'<td class="dim">{e(evidence(cell))}</td></tr>'
        )
    heads = ("scenario", "protocol", "verdict", "broken rules", "what was done")
    return _table("rows", _row("th", heads), rows)


def _row(tag: str, cells: Iterable[str]) -> str:
    return "<tr>" + "".join(f"<{tag}>{cell}</{tag}>" for cell in cells) + "</tr>"


def _strategies(rows: Sequence[Sequence[str]]) -> str:
    return _table("rows", _row("th", HEADINGS), (_row("td", map(e, row)) for row in rows))


def _claims(claims: Sequence[Any]) -> str:
    styles = {"holds": "as_expected", "refuted": "unexpected"}
    rows = []
    for c in claims:
        verdict = f'<span class="{styles.get(c.verdict, "unknown")}">{e(c.verdict)}</span>'
        says = f'{e(c.claim)} <span class="dim">({e(c.by)})</span>'
        rows.append(_row("td", (e(c.id), says, verdict, "<br>".join(e(line) for line in c.evidence))))
    return _table("rows", _row("th", ("claim", "says", "verdict", "because")), rows)


def _finding(number: int, one: Distinct, stored: Stored, verdicts: Iterable[str]) -> str:
    finding = one.finding
    parts = [
        f'<article class="finding" id="f{number}" data-verdict="{" ".join(sorted(verdicts))}">',
        f"<h3>{number}. {e(finding['rule'])}: {e(facts.cell_name(finding))}</h3>",
        f'<p class="lead">{e(facts.sentence(finding))}</p>',
        _waits(facts.waits(finding)),
        *(_changed(changed) for changed in facts.changes(finding)),
        *(f'<p class="dim">{e(note)}</p>' for note in facts.notes(finding)),
    ]
    if finding["schedule"]:
        parts.append(f'<div class="wide">{lanes_svg(finding)}</div>')
        parts.append(_cited(facts.stands_for(finding, functions(rows(finding)))))
    known = "<br>".join(e(text.plain) for text in proofs(finding))
    parts.append(f"<p>{known}</p>" if known else "")
    seen = [("seen", e(facts.seen(finding)))]
    history = stored.history.get(finding["signature"])
    seen += [("", e(history))] if history else []
    seen += [("also", e(joined(one.also)))] if one.also else []
    counted = "".join(f"<tr><th>{name}</th><td>{said}</td></tr>" for name, said in seen)
    parts.append(f'<table class="facts">{counted}</table>')
    command = facts.replay_command(finding, one.path)
    parts.append(f"<pre>{e(command or facts.not_replayable(finding))}</pre>")
    return "\n".join([*filter(None, parts), "</article>"])


def _waits(waits: Sequence[facts.Wait]) -> str:
    if not waits:
        return ""
    rows = []
    last = ""
    for wait in waits:
        style = ' class="wants"' if wait.verb == "wants" else ""
        name = "" if wait.thread == last else e(wait.thread)
        rows.append(
            f"<tr><td><b>{name}</b></td><td{style}>{wait.verb}</td>"
            f"<td{style}><code>{e(wait.lock)}</code></td><td>{e(wait.place)}{_source(wait.source)}</td></tr>"
        )
        last = wait.thread
    return _table("facts", "", rows)


def _cited(cited: Iterable[tuple[str, str]]) -> str:
    listed = [_row("td", (f"<code>{e(name)}</code>", f"Xen: {e(source)}")) for name, source in cited]
    return _table("facts", "", listed) if listed else ""


def _source(source: str) -> str:
    return f'<br><span class="dim">Xen: {e(source)}</span>' if source else ""


def _changed(changed: facts.Changed) -> str:
    rows = []
    for row in changed.rows:
        cells = ""
        for old, new in row:
            if old == new:
                cells += f'<td class="dim">{e(new)}</td>'
            else:
                cells += f'<td class="changed">{e(old)} → {e(new)}</td>'
        rows.append(f"<tr><td></td>{cells}</tr>")
    head = f"<tr><th>{e(changed.title)}</th>{''.join(f'<th>{e(c)}</th>' for c in changed.columns)}</tr>"
    return _table("facts", head, rows)
