"""Text as HTML."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from ... import tree
from ...text import clipped
from ...tree import BREAK, Look

_MOST_CHARS = 2000


def escaped(text: str) -> str:
    return escape(clipped(text, _MOST_CHARS))


def spans(text: tree.Text) -> str:
    return "".join(map(_span, text))


def _span(span: tree.Span) -> str:
    if span is BREAK:
        return "<br>"
    if not span.text:
        return ""
    said = escaped(span.text)
    title = f' title="{escaped(span.title)}"' if span.title else ""
    look = f' class="{span.look.value}"' if span.look is not Look.PLAIN else ""
    if span.to:
        return f'<a href="#{span.to}"{look}{title}>{said}</a>'
    return f"<span{look}{title}>{said}</span>" if look or title else said


def wide(kind: str, head: str, rows: Iterable[str]) -> str:
    """A table that scrolls by itself if it is wider than the page."""
    body = "\n".join(rows)
    return (
        f'<div class="wide"><table class="{kind}"><thead>{head}</thead>\n<tbody>{body}</tbody></table></div>'
    )
