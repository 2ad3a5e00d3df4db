"""Write a scenario as a TOML file, which ``toml.py`` reads."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .. import vgic
from ..vgic.drawing import Drawn

_WIDTH = 78


class Heading(NamedTuple):
    """The top of a scenario file."""

    title: str
    source: str
    tags: Sequence[str]
    comment: str


def scenario_text(
    heading: Heading, drawn: Drawn, expect: Mapping[str, Sequence[str]], *, history: bool = False
) -> str:
    """The file's whole text; defaults are left out."""
    lines = [("# " + line).rstrip() for line in _wrapped(heading.comment)]
    lines += ["schema = 1", f"title = {_value(heading.title)}", f"source = {_value(heading.source)}"]
    lines += [f"tags = {_value([*heading.tags])}", *(["history = true"] if history else []), ""]
    domain = _domain(drawn.initial)
    if domain:
        lines += ["[domain]", *domain, ""]
    lines += ["[threads]"]
    lines += [f"{_key(name)} = {_value([str(op) for op in ops])}" for name, ops in drawn.threads.items()]
    lines += ["", "[expect]"]
    lines += [f"{_key(protocol)} = {_value([*rules])}" for protocol, rules in expect.items()]
    return "\n".join(lines) + "\n"


def _wrapped(comment: str) -> list[str]:
    lines: list[str] = []
    for paragraph in comment.strip().split("\n\n"):
        lines += [*textwrap.wrap(" ".join(paragraph.split()), _WIDTH, break_on_hyphens=False), ""]
    return lines[:-1]


def _domain(initial: vgic.Initial) -> list[str]:
    default = vgic.domain_table(vgic.Initial())
    table = vgic.domain_table(initial)
    return [f"{key} = {_value(value)}" for key, value in table.items() if value != default[key]]


def _value(value: Any) -> str:
    """Numbers, strings, booleans, and lists of them or of tables, in TOML."""
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{key} = {_value(v)}' for key, v in value.items())} }}"
    # JSON's string escapes are all TOML's too, and so are its numbers and true and false.
    return json.dumps(value)


def _key(name: str) -> str:
    return name if name.isascii() and name.replace("_", "").isalnum() else _value(name)
