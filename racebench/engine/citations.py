"""Find which function of the real source a function under test stands for, by its docstring.

A docstring with ``Xen: irq.c, release_guest_irq @ baf2950213`` cites it.  A
function that cites nothing is a part of the one that called it.
"""

from __future__ import annotations

import re
from types import CodeType, FrameType

from .osthreads import is_ours, outwards

_CITES = re.compile(r"\bXen: ([^\n]+)")
_UNTIL_COMMIT = re.compile(r".*? @ [\w.-]*\w\^?(?: and [0-9a-f]{10}\b)?")
_MOST = 200


def cited(code: CodeType) -> str:
    """The source that ``code`` cites; empty if it cites none."""
    doc = code.co_consts[0] if code.co_consts else None
    if not isinstance(doc, str):
        return ""
    found = _CITES.search(doc)
    if found is None:
        return ""
    line = found[1].split(".  ")[0]
    until = _UNTIL_COMMIT.match(line)
    return (until[0] if until else line.rstrip(". "))[:_MOST]


class Citations:
    """The source of each function seen so far, by its name."""

    def __init__(self) -> None:
        self.sources: dict[str, str] = {}

    def cite(self, frame: FrameType | None) -> None:
        """Note the sources of the functions under test from ``frame`` outwards."""
        parts = []
        for one in outwards(frame):
            code = one.f_code
            if not is_ours(code.co_filename):
                name = code.co_name
                if name in self.sources:
                    source = self.sources[name]
                else:
                    source = cited(code)
                    parts.append(name)
                if source:
                    for part in parts:
                        self.sources[part] = source
                    return
