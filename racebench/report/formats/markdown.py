"""Plain text for a mailing list or a pull request.

Text that comes from a file stands in indented blocks, where Markdown has no
markup; the few headings that quote a file are escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from .. import tree
from ..mail import mail
from ..run import document
from ..stored_run import Stored
from ..terminal import plain
from ..text import clipped

WIDTH = 72
_INDENT = "    "
_ACTIVE = re.compile(r"([\\`*{}\[\]<>#+!|~&@$^=]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|:(?=/))")


def render(stored: Stored, width: int) -> str:
    """No line is longer than ``width``, except commands; a ``brief`` run is a mail of one screen."""
    report = document(stored)
    if stored.whole is not None:
        return "\n".join(_indented(mail(stored.whole, report.about, width - len(_INDENT)), width)) + "\n"
    return (
        "\n\n".join(
            ["# RaceBench report", *_indented(report.headline, width), *_blocks(report.sections, width)]
        )
        + "\n"
    )


def _blocks(blocks: Sequence[tree.Block], width: int) -> Iterator[str]:
    for block in blocks:
        match block:
            case tree.Section(title, inner, detail):
                if not detail:
                    yield f"## {title[:1].upper()}{title[1:]}"
                    yield from _blocks(inner, width)
            case tree.Panel(in_short=tree.Command(text, label), slight=True):
                yield from _indented([tree.Paragraph(tree.say(label))], width)
                yield _INDENT + text
            case tree.Panel(title, where, inner, number):
                yield _heading(f"### {number}. ", title, width)
                yield from _indented([tree.Paragraph(tree.say(f"in {where}"))], width)
                yield from _blocks(inner, width)
            case tree.Group(inner):
                yield from _blocks(inner, width)
            case tree.Command(text):
                yield _INDENT + text
            case _:
                yield from _indented([block], width)


def _heading(before: str, text: str, width: int) -> str:
    room = width - len(before)
    escaped = _ACTIVE.sub(r"\\\1", text)
    return before + (escaped if len(escaped) <= room else _ACTIVE.sub(r"\\\1", clipped(text, room // 2)))


def _indented(blocks: Sequence[tree.Block], width: int) -> Iterator[str]:
    """The blocks as an indented block, in which nothing is markup."""
    lines = (line.rstrip().replace("─", "-") for line in plain(blocks, width - len(_INDENT)).split("\n"))
    text = "\n".join(_INDENT + line if line else "" for line in lines).strip("\n")
    if text:
        yield text
