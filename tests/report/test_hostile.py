"""Stored results whose every string is hostile, in every format."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from racebench import cli
from racebench.campaign.results import read_finding
from racebench.errors import ResultError
from racebench.report.formats import formats

from .formats import test_html, test_junit, test_sarif
from .samples import STEPS, cell, finding

HOSTILE = (
    "\x1b[31m\x1b]0;t\x07\x00\x08\r\n\u2028\x85\ud800\ufffe\u202e"
    "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&amp;&#0;]]>--><!--</style>"
    "[bold]x[/bold][link=http://e]l[/link]`*_~|[a](javascript:alert(1))\n# h\n```\n{0}%s${x}\\"
)
_KEPT = {"op", "verdict", "mode"}
_BAD = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\ud800-\udfff\ufffe\uffff]")


def poisoned(value: Any, key: str = "") -> Any:
    """``value`` with HOSTILE in each string and key of a free choice."""
    if isinstance(value, dict):
        free = key in ("results", "stacks", "seen", "before", "after", "host")
        return {(k + HOSTILE if free else k): poisoned(v, "" if free else k) for k, v in value.items()}
    if isinstance(value, list):
        return [poisoned(v, key) for v in value]
    return value + HOSTILE if isinstance(value, str) and key not in _KEPT else value


@pytest.fixture(params=[1, 4], ids=["few", "many"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A run of few or many cells with a finding each of three kinds, and a very long string."""
    row = {"virq": "40", "status": ["a"]}
    evidence = {
        "results": {"a": "b"}, "stacks": {"a": ["b"], "c": []}, "message": "m", "site": "f (a/b.py:1)",
        "before": {"mapping": [row], "x": "1"}, "after": {"mapping": [{**row, "virq": "41"}], "x": "2"},
        "accesses": [{"thread": "a", "op": "b", "site": "c"}], "steps": STEPS,
        "passing": {"schedule": [["a", "b", "c"]] * 3, "at": 1, "failing": ["a"] * 3, "passing": ["b"] * 3},
        "needs": {"a": ["b"], "c": []},
        "confirmation": {"label": "open", "why": "w"}, "lock": "l", "instances": "i", "preemptions": 1,
    }  # fmt: skip
    found = [finding(), finding(evidence=evidence), finding(summary="long " * 100_000, schedule=[])]
    cells = [
        cell(f"s{i}", protocol=f"p{i}", found=["r"], expected=["q"], verdict=verdict, error="e")
        for i in range(request.param)
        for verdict in ("unexpected", "missed", "unknown", "as_expected", HOSTILE)
    ]
    path = tmp_path / "run"
    (path / "findings").mkdir(parents=True)
    for i, one in enumerate(found):
        stored = {"schema": 1, **poisoned({**one, "signature": str(i), "source": "", "scenario_file": "x/y"})}
        (path / "findings" / f"{i:04d}.json").write_text(json.dumps(stored))
    host = {"python": "3", "platform": "p"}
    run = {"schema": 1, "racebench": HOSTILE, "wall_s": 1e300, "host": host, "cells": cells}
    (path / "run.json").write_text(json.dumps(poisoned(run)))
    return path


def test_every_format_is_harmless(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {name: tmp_path / f"out.{name}" for name in [form.name for form in formats()]}
    argv = [part for name, file in files.items() for part in (f"--{name}", str(file))]
    assert cli.main(["report", str(folder), *argv]) == 0
    assert cli.main(["explain", str(folder)]) == 0
    texts = {name: file.read_text(encoding="utf-8") for name, file in files.items()}
    texts["terminal"] = capsys.readouterr().out
    for name, text in texts.items():
        assert not _BAD.search(text), name
        assert "javascript:alert" in text, name
    _html(texts["html"])
    for name in ("junit", "svg"):
        root = ET.fromstring(texts[name].encode())
        assert not [one for one in root.iter() if one.tag.rpartition("}")[2] in ("script", "img", "image")]
    test_junit.validate(ET.fromstring(texts["junit"].encode()))
    test_sarif.validate(json.loads(texts["sarif"]), "log")
    outside = [line for line in texts["markdown"].splitlines() if line and not line.startswith("    ")]
    assert all(line.startswith("#") and not re.search(r"(?<!\\)[<>`\[\]*]", line) for line in outside)
    assert max(len(line) for line in texts["markdown"].splitlines() if "racebench " not in line) <= 72


def _html(text: str) -> None:
    tags = test_html.Page(text).tags
    assert [attrs for tag, attrs in tags if tag == "script" and attrs != {"type": "application/json"}] == [{}]
    assert not [tag for tag, _ in tags if tag in ("img", "iframe", "link", "object", "base")]
    for _, attrs in tags:
        assert not [name for name in attrs if name.startswith("on") or name in ("src", "style", "action")]
        assert re.fullmatch(r"#f\d+(-s\d+)?", attrs.get("href") or "#f1")


_ODD = [5, None, [], {"a": 1}, "x", [[1]], float("nan")]
_KEYS = (
    "before", "after", "passing", "accesses", "confirmation", "not_reproduced", "results", "stacks",
    "needs", "lock", "instances", "replays", "preemptions", "fewest", "sources", "strategies",
)  # fmt: skip


def test_evidence_of_another_shape_is_refused_or_shown(tmp_path: Path) -> None:
    run = tmp_path / "run"
    (run / "findings").mkdir(parents=True)
    (run / "run.json").write_text(json.dumps({"schema": 1, "cells": []}))
    for n, (key, value) in enumerate((key, value) for key in _KEYS for value in _ODD):
        path = run / "findings" / f"{n:04d}.json"
        odd = finding(evidence={"steps": STEPS, key: value}, signature=str(n))
        path.write_text(json.dumps({"schema": 1, **odd, "found_by": {}, "seen": {}}))
        try:
            read_finding(path)
        except ResultError:
            path.unlink()
    assert len(list((run / "findings").iterdir())) > 30
    written = [part for form in formats() for part in (f"--{form.name}", str(tmp_path / form.name))]
    assert cli.main(["report", str(run), *written]) == 0
    assert cli.main(["explain", str(run)]) == 0


@pytest.mark.parametrize("value", _ODD, ids=repr)
def test_a_run_of_another_shape_is_refused_or_shown(tmp_path: Path, value: Any) -> None:
    run = {"schema": 1, "host": value, "wall_s": value, "options": value, "cells": []}
    (tmp_path / "run.json").write_text(json.dumps(run))
    assert cli.main(["report", str(tmp_path), "--html", str(tmp_path / "h")]) in (0, 2)
