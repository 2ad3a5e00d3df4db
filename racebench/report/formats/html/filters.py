"""The form by which a reader filters findings and cells; it needs the page's script."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from ... import tree
from ...text import counted
from ...tree import VERDICTS, within
from .words import escaped


def filters(report: tree.Document) -> str:
    """A search field, and a list for each facet that has more than one value."""
    panels = list(within(report.sections, tree.Panel))
    facets: dict[str, Counter[str]] = {}
    for panel in panels:
        for name, values in panel.facets.items():
            facets.setdefault(name, Counter()).update(values)
    verdicts = {verdict: report.verdicts[verdict] for verdict in VERDICTS if report.verdicts.get(verdict)}
    facets.pop("verdict", None)
    lists = [_list("verdict", verdicts)] if len(verdicts) > 1 else []
    lists += [_list(name, dict(sorted(values.items()))) for name, values in facets.items() if len(values) > 1]
    if not panels and not lists:
        return ""
    search = '<label>search <input type="search" name="text" size="18"></label>'
    return (
        '<form class="filter" role="search" aria-label="Choose findings" hidden>'
        f'{search} {" ".join(lists)} <button type="reset">all</button>'
        f' <output aria-live="polite">{len(panels)} of {counted(len(panels), "finding")}</output></form>'
    )


def _list(name: str, values: Mapping[str, int]) -> str:
    options = ['<option value="">all</option>']
    for value, n in values.items():
        options.append(
            f'<option value="{escaped(value)}">{escaped(value.replace("_", " "))} ({n:,})</option>'
        )
    return f'<label>{name} <select name="{name}">{"".join(options)}</select></label>'
