"""A detector is one file: its name is all that finds it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from racebench import detect
from racebench.trace import Execution

OWN = """
from racebench.findings import Alarm
def detect(execution):
    return [Alarm("own.rule", "own.rule: always", "seen")]
"""


def test_a_new_file_is_a_detector_and_needs_no_other_edit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own.py").write_text(OWN)
    (tmp_path / "helper.py").write_text("SEEN = 1\n")
    monkeypatch.setattr(detect, "__path__", [*detect.__path__, str(tmp_path)])
    before = dict(detect.DETECTORS)
    found = detect.discover()
    assert set(found) - set(before) == {"own"}
    monkeypatch.setattr(detect, "DETECTORS", found)
    assert [alarm.rule for alarm in detect.detect(Execution(1, ()))] == ["own.rule"]
    for name in ("own", "helper"):
        del sys.modules[f"racebench.detect.{name}"]
