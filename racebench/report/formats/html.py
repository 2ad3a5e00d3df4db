"""One page with matrix, findings and swimlanes, that needs nothing from anywhere else."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from importlib.resources import files

from .. import tree
from ..run import document
from ..stored import Stored
from ..text import clipped
from ..tree import BREAK, VERDICTS, Block, Fit, Look

_MOST_CHARS, _MOST_MOMENTS, _MOST_THREADS = 2000, 1500, 24
_SLOTS, _COLOURS = 6, 6


def render(stored: Stored) -> str:
    told = document(stored)
    style, script = (files(__package__).joinpath(f"html.{kind}").read_text("utf-8") for kind in ("css", "js"))
    headline, sections = ("\n".join(map(_block, blocks)) for blocks in (told.headline, told.sections))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_policy(style, script)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>RaceBench report</title>
<style>{style}</style>
</head>
<body>
<h1>RaceBench report</h1>
{headline}
<p class="dim">{_escaped(" · ".join(told.about))}</p>
{_filter(told.verdicts, Counter(_reaches(told.sections)))}
{sections}
<script>{script}</script>
</body>
</html>
"""


def _policy(style: str, script: str) -> str:
    """A Content-Security-Policy: this style and this script, and nothing from anywhere."""
    digests = (hashlib.sha256(text.encode("utf-8")).digest() for text in (style, script))
    style_hash, script_hash = (f"'sha256-{base64.b64encode(digest).decode('ascii')}'" for digest in digests)
    return (
        f"default-src 'none'; style-src {style_hash}; script-src {script_hash}; "
        "base-uri 'none'; form-action 'none'"
    )


def _reaches(blocks: Iterable[Block]) -> Iterator[str]:
    """What each panel says of real callers."""
    for block in blocks:
        if isinstance(block, tree.Section):
            yield from _reaches(block.blocks)
        elif isinstance(block, tree.Panel) and block.reach:
            yield block.reach


def _filter(verdicts: Mapping[str, int], reaches: Mapping[str, int]) -> str:
    """Buttons that choose a verdict, and what callers reach, for who has a script to obey them."""
    choices = ['<label><input type="radio" name="show" value="all" checked> all</label>']
    for verdict, look in VERDICTS.items():
        if verdicts.get(verdict):
            said = f"{verdict.replace('_', ' ')} ({verdicts[verdict]:,})"
            button = f'<input type="radio" name="show" value="{verdict}">'
            choices.append(f'<label class="{look.value}">{button} {said}</label>')
    if reaches:
        choices.append("<span>of findings</span>")
        choices.append('<label><input type="radio" name="reach" value="" checked> all</label>')
        for reach, n in sorted(reaches.items(), reverse=True):
            button = f'<input type="radio" name="reach" value="{reach}">'
            choices.append(f"<label>{button} {reach} ({n:,})</label>")
    return f'<div class="filter" hidden><span>Show</span> {" ".join(choices)}</div>'


def _escaped(text: str) -> str:
    return escape(clipped(text, _MOST_CHARS))


def _text(text: tree.Text) -> str:
    return "".join(map(_span, text))


def _span(span: tree.Span) -> str:
    if span is BREAK:
        return "<br>"
    said = _escaped(span.text)
    title = f' title="{_escaped(span.title)}"' if span.title else ""
    look = f' class="{span.look.value}"' if span.look is not Look.PLAIN else ""
    if span.to:
        return f'<a href="#{span.to}"{look}{title}>{said}</a>'
    return f"<span{look}{title}>{said}</span>" if look or title else said


def _block(block: Block) -> str:
    match block:
        case tree.Paragraph(text):
            return f"<p>{_text(text)}</p>" if text else ""
        case tree.Command(text):
            return f"<pre>{_escaped(text)}</pre>"
        case tree.Legend(items):
            return f"<p>{' · '.join(map(_text, items))}</p>"
        case tree.Group(blocks):
            return "\n".join(map(_block, blocks))
        case tree.Section(title, blocks, detail):
            inner, title = "\n".join(map(_block, blocks)), _escaped(title[:1].upper() + title[1:])
            if detail:
                return f"<details>\n<summary>{title}</summary>\n{inner}\n</details>"
            return f"<section>\n<h2>{title}</h2>\n{inner}\n</section>"
        case tree.Panel():
            return _panel(block)
        case tree.Table():
            return _table(block)
        case tree.Matrix():
            return _matrix(block)
        case tree.Lanes():
            return _lanes(block)


def _panel(panel: tree.Panel) -> str:
    return (
        f'<article class="finding" id="{panel.anchor}" data-verdict="{" ".join(panel.verdicts)}" '
        f'data-reach="{panel.reach}">\n'
        f"<h3>{panel.number}. {_escaped(panel.title)}: {_escaped(panel.where)}</h3>\n"
        + "\n".join(map(_block, panel.blocks))
        + "\n</article>"
    )


def _wide(kind: str, head: str, rows: Iterable[str]) -> str:
    """A table that scrolls by itself where it is wider than the page."""
    body = "\n".join(rows)
    return (
        f'<div class="wide"><table class="{kind}"><thead>{head}</thead>\n<tbody>{body}</tbody></table></div>'
    )


def _table(table: tree.Table) -> str:
    headed = any(column.title for column in table.columns)
    heads = "".join(f"<th>{_escaped(column.title)}</th>" for column in table.columns)
    fits = ["" if c.fit is Fit.WRAPPED else f' class="{c.fit.value}"' for c in table.columns]
    rows = []
    for row in table.rows:
        verdict = f' data-verdict="{row.verdict}"' if row.verdict else ""
        cells = (f"<td{fit}>{_text(cell)}</td>" for fit, cell in zip(fits, row.cells, strict=True))
        rows.append(f"<tr{verdict}>{''.join(cells)}</tr>")
    return _wide("rows" if headed else "facts", f"<tr>{heads}</tr>" if headed else "", rows)


def _matrix(matrix: tree.Matrix) -> str:
    heads = "".join(
        f'<th class="protocol" scope="col" title="{_escaped(p)}"><span>{_escaped(p)}</span></th>'
        for p in matrix.columns
    )
    rows = []
    for scenario, squares in matrix.rows:
        name = _escaped(scenario)
        cells = "".join(map(_square, squares))
        rows.append(f'<tr><th scope="row" title="{name}">{name}</th>{cells}</tr>')
    return _wide("grid", f"<tr><th></th>{heads}</tr>", rows)


def _square(square: tree.Square | None) -> str:
    if square is None:
        return "<td></td>"
    verdict, title = square.verdict, _escaped(square.title)
    kind = f'class="{verdict}" data-verdict="{verdict}" title="{title}"'
    return f"<td {kind}><code>{_text(square.text)}</code></td>"


def _lanes(lanes: tree.Lanes) -> str:
    """Beside what each thread does stands a bar for each lock that it holds meanwhile."""
    threads = lanes.threads[:_MOST_THREADS]
    # In its lane a lock has a place, in all lanes a colour.
    slots: list[dict[str, int]] = [{} for _ in threads]
    colours: dict[str, int] = {}
    for moment in lanes.moments:
        for slot, held in zip(slots, moment.held, strict=False):
            for lock in held:
                slot.setdefault(lock, len(slot))
                colours.setdefault(lock, len(colours))
    heads = "".join(
        f"<th{_room(slot)}>{_escaped(name)}</th>" for name, slot in zip(threads, slots, strict=True)
    )
    rows = []
    for moment in lanes.moments[:_MOST_MOMENTS]:
        number = f'<td class="number">{moment.number or ""}</td>'
        cells = "".join(_lane(moment, i, threads[i], slots[i], colours) for i in range(len(threads)))
        kind = ' class="switch"' if moment.switch else ""
        rows.append(f"<tr{kind}>{number}{cells}</tr>")
    left_out = len(lanes.moments) - _MOST_MOMENTS
    more = f"\n<p>{left_out:,} more rows: racebench explain --full</p>" if left_out > 0 else ""
    return _wide("lanes", f'<tr><th class="number">step</th>{heads}</tr>', rows) + more


def _room(slots: Mapping[str, int], runs: bool = False) -> str:
    """The class of what leaves room for the bars of its lane."""
    names = [*(["runs"] if runs else []), *([f"p{min(len(slots), _SLOTS)}"] if slots else [])]
    return f' class="{" ".join(names)}"' if names else ""


def _lane(
    moment: tree.Moment, i: int, thread: str, slots: Mapping[str, int], colours: Mapping[str, int]
) -> str:
    runs = moment.thread == thread
    bars = "".join(_bars(moment.held[i], slots, colours))
    return f"<td{_room(slots, runs)}>{bars}{_text(moment.text) if runs else ''}</td>"


def _bars(held: Iterable[str], slots: Mapping[str, int], colours: Mapping[str, int]) -> Iterator[str]:
    for lock in held:
        slot, colour = min(slots[lock], _SLOTS - 1), colours[lock] % _COLOURS
        yield f'<i class="c{colour} s{slot}" title="holds {_escaped(lock)}"></i>'
