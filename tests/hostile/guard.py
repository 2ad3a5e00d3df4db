"""What is asked of every command, whatever it was given."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from racebench import cli

from .box import Box, Case

_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\ud800-\udfff]")
_LONGEST_ERROR = 2000


def outcome(case: Case, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Exit status, standard output, standard error."""
    capsys.readouterr()
    try:
        status = cli.main(case.argv)
    except SystemExit as asked:  # --help and --version
        status = int(asked.code or 0)
    said = capsys.readouterr()
    return status, said.out, said.err


def listing(box: Box) -> dict[str, object]:
    """All that must stay as it is: everything in the box but ``out`` and the reports made by default."""
    found: dict[str, object] = {}
    for top in (box.work, box.input, box.outside):
        for folder, folders, files in os.walk(top):
            if folder == str(box.work) and "reports" in folders:
                folders.remove("reports")
            for name in (*folders, *files):
                path = Path(folder, name)
                found[str(path)] = _state(path)
    found["/"] = sorted(p.name for p in box.path.iterdir())
    return found


def changed(case: Case, before: dict[str, object], after: dict[str, object]) -> list[str]:
    """What differs and should not; a case that says where it writes may add, but not change."""
    names = before if case.elsewhere else {**before, **after}
    differing = [n for n in names if before.get(n) != after.get(n) and not (case.elsewhere and n == "/")]
    return differing + [n for n in after if n.endswith("/imported") and n not in differing]


def _state(path: Path) -> object:
    known = path.lstat()
    if stat.S_ISREG(known.st_mode) and known.st_size < 1 << 22:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    return known.st_mode, known.st_size, os.readlink(path) if path.is_symlink() else None


def faults(case: Case, box: Box, status: int, out: str, err: str) -> list[str]:
    """What is wrong with how ``case`` ended; nothing if it is as it should be."""
    found = []
    if status not in (0, 1, 2):
        found.append(f"exit status {status}")
    if "Traceback" in out + err:
        found.append("a traceback")
    for name, text in (("stdout", out), ("stderr", err)):
        raw = _CONTROL.search(text)
        if raw:
            found.append(f"{name} has {raw[0]!r}")
    if status == 2:
        found += _error(case, err)
    if status in (0, 1):
        written = [*box.out.glob("out.*"), *([box.out / "run" / "run.json"] if case.argv[0] == "run" else [])]
        found += [wrong for path in written if path.is_file() and (wrong := _harmful(path.name, _text(path)))]
        if case.argv[-2:] == ["--json", "-"] and (wrong := _harmful("stdout.json", out)):
            found.append(wrong)
    return found


def _error(case: Case, err: str) -> list[str]:
    """One line: whose, where, what, and what to do."""
    found = []
    if err.count("\n") != 1 or not err.endswith("\n"):
        found.append(f"{err.count(chr(10))} lines of error")
    if len(err) > _LONGEST_ERROR:
        return [*found, f"an error of {len(err)} characters"]
    if not re.match(r"racebench: .+[.?`'] .*[.?`)]$", err.strip("\n")):
        found.append("an error without a remedy")
    where = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in case.named)
    if where not in err.replace("?", "\N{REPLACEMENT CHARACTER}") and where not in err:
        found.append("an error that does not name its file")
    return found


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _harmful(name: str, text: str) -> str:
    """What is wrong with a report, by the end of its name."""
    raw = _CONTROL.search(text)
    if raw:
        return f"{name} has {raw[0]!r}"
    try:
        if name.endswith((".junit", ".svg")):
            ET.fromstring(text.encode())
        if name.endswith((".sarif", ".json")):
            json.loads(text, parse_constant=_refused)
    except (ValueError, ET.ParseError) as error:
        return f"{name}: {error}"
    if name.endswith(".html"):
        return _foreign(name, _Tags(text))
    return ""


def _foreign(name: str, page: _Tags) -> str:
    """What a page has of its input's markup: it runs one script, and what it holds as data is only data."""
    kinds = [dict(attributes) for attributes in page.scripts]
    if kinds.count({}) != 1 or any(kind not in ({}, {"type": "application/json"}) for kind in kinds):
        return f"{name} has a script of its input"
    if {"img", "iframe", "link", "object"} & set(page.tags):
        return f"{name} has markup of its input"
    try:
        for data in page.data:
            json.loads(data, parse_constant=_refused)
    except ValueError as error:
        return f"{name} has data that is none: {error}"
    return ""


def _refused(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


class _Tags(HTMLParser):
    """``scripts`` are the attributes of each script, ``data`` what stands in those that have any."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.scripts: list[list[tuple[str, str | None]]] = []
        self.data: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "script":
            self.scripts.append(attrs)

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] == ["script"] and self.scripts[-1] and self.cdata_elem == "script":
            self.data.append(data)
