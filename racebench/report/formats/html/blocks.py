"""The blocks of a report as HTML."""

from __future__ import annotations

import json
from html import escape

from ... import tree
from ...tree import Block, Fit
from .lanes import lanes
from .plots import bars
from .words import escaped, spans, wide


def block(shown: Block, anchor: str = "") -> str:
    """Draw a block; ``anchor`` is that of the panel that contains it."""
    match shown:
        case tree.Paragraph(text):
            return f"<p>{spans(text)}</p>" if text else ""
        case tree.Command(text):
            return f"<pre>{escaped(text)}</pre>"
        case tree.Legend(items):
            return f"<p>{' · '.join(map(spans, items))}</p>"
        case tree.Group(blocks):
            return "\n".join(block(inner, anchor) for inner in blocks)
        case tree.Section(title, blocks, detail):
            inner, title = "\n".join(map(block, blocks)), escaped(title[:1].upper() + title[1:])
            if detail:
                return f"<details>\n<summary>{title}</summary>\n{inner}\n</details>"
            return f"<section>\n<h2>{title}</h2>\n{inner}\n</section>"
        case tree.Panel():
            return _panel(shown)
        case tree.Table():
            return _table(shown)
        case tree.Matrix():
            return _matrix(shown)
        case tree.Bars():
            return bars(shown)
        case tree.Lanes():
            return lanes(shown, anchor)


def _panel(panel: tree.Panel) -> str:
    facets = escape(json.dumps({name: list(values) for name, values in panel.facets.items()}))
    return (
        f'<article class="finding" id="{panel.anchor}" data-facets="{facets}">\n'
        f"<h3>{panel.number}. {escaped(panel.title)}: {escaped(panel.where)}</h3>\n"
        + "\n".join(block(inner, panel.anchor) for inner in panel.blocks)
        + "\n</article>"
    )


def _table(table: tree.Table) -> str:
    headed = any(column.title for column in table.columns)
    heads = "".join(f"<th>{escaped(column.title)}</th>" for column in table.columns)
    fits = ["" if c.fit is Fit.WRAPPED else f' class="{c.fit.value}"' for c in table.columns]
    rows = []
    for row in table.rows:
        verdict = f' data-verdict="{row.verdict}"' if row.verdict else ""
        cells = (f"<td{fit}>{spans(cell)}</td>" for fit, cell in zip(fits, row.cells, strict=True))
        rows.append(f"<tr{verdict}>{''.join(cells)}</tr>")
    return wide("rows" if headed else "facts", f"<tr>{heads}</tr>" if headed else "", rows)


def _matrix(matrix: tree.Matrix) -> str:
    heads = "".join(
        f'<th class="protocol" scope="col" title="{escaped(p)}"><span>{escaped(p)}</span></th>'
        for p in matrix.columns
    )
    rows = []
    for scenario, squares in matrix.rows:
        name = escaped(scenario)
        cells = "".join(map(_square, squares))
        rows.append(f'<tr><th scope="row" title="{name}">{name}</th>{cells}</tr>')
    return wide("grid", f"<tr><th></th>{heads}</tr>", rows)


def _square(square: tree.Square | None) -> str:
    if square is None:
        return "<td></td>"
    kind = f'data-verdict="{square.verdict}" title="{escaped(square.name)}"'
    return f"<td {kind}>{spans(square.text)}</td>"
