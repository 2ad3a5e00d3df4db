"""A scenario written as the TOML file that ``scenario_toml`` reads."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .. import vgic
from ..vgic.drawing import Drawn

_WIDTH = 78


@dataclass(frozen=True)
class Heading:
    """What a scenario file says of itself."""

    title: str
    source: str
    tags: Sequence[str]
    comment: str


def scenario_text(
    heading: Heading, drawn: Drawn, expect: Mapping[str, Sequence[str]], *, history: bool = False
) -> str:
    """The file's whole text; what is as by default is left out."""
    lines = [("# " + line).rstrip() for line in _wrapped(heading.comment)]
    lines += ["schema = 1", f"title = {_quoted(heading.title)}", f"source = {_quoted(heading.source)}"]
    lines += [f"tags = {_list(heading.tags)}", *(["history = true"] if history else []), ""]
    domain = _domain(drawn.initial)
    if domain:
        lines += ["[domain]", *domain, ""]
    lines += ["[threads]"]
    lines += [f"{_key(name)} = {_list([str(op) for op in ops])}" for name, ops in drawn.threads.items()]
    lines += ["", "[expect]"]
    lines += [f"{_key(protocol)} = {_list(rules)}" for protocol, rules in expect.items()]
    return "\n".join(lines) + "\n"


def _wrapped(comment: str) -> list[str]:
    lines: list[str] = []
    for paragraph in comment.strip().split("\n\n"):
        lines += [*textwrap.wrap(" ".join(paragraph.split()), _WIDTH, break_on_hyphens=False), ""]
    return lines[:-1]


def _domain(initial: vgic.Initial) -> list[str]:
    default, lines = vgic.Initial(), []
    if initial.vcpus != default.vcpus:
        lines.append(f"vcpus = {initial.vcpus}")
    if initial.spis != default.spis:
        lines.append(f"spis = {initial.spis}")
    if initial.state != default.state:
        lines.append(f"state = {_quoted(initial.state)}")
    lists = {
        "routed": [
            f"{{ virq = {virq}, pirq = {pirq}{', enabled = true' if enabled else ''} }}"
            for virq, pirq, enabled in initial.routed
        ],
        "pending": [f"{{ virq = {virq}, on = {_quoted(on)} }}" for virq, on in initial.pending],
        "enabled": list(map(str, initial.enabled)),
        "down": list(map(str, initial.down)),
    }
    return lines + [f"{key} = [{', '.join(rows)}]" for key, rows in lists.items() if rows]


def _quoted(text: str) -> str:
    # JSON's string escapes are all TOML's too.
    return json.dumps(text)


def _list(texts: Sequence[str]) -> str:
    return f"[{', '.join(_quoted(text) for text in texts)}]"


def _key(name: str) -> str:
    return name if name.isascii() and name.replace("_", "").isalnum() else _quoted(name)
