"""A protocol is one file: its name is its id."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from racebench.cli import main
from racebench.vgic import protocols

OWN = '''
"""A protocol of a test's own."""
from .baseline import Baseline

class Own(Baseline):
    ID = "own"
    SUMMARY = "a protocol of a test's own"
'''


def test_a_new_file_is_a_protocol_and_needs_no_other_edit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "own.py").write_text(OWN)
    monkeypatch.setattr(protocols, "__path__", [*protocols.__path__, str(tmp_path)])
    protocols.protocol_ids.cache_clear()
    try:
        assert protocols.protocol("own").SUMMARY == "a protocol of a test's own"
        assert main(["list", "protocols"]) == 0
        assert "own" in capsys.readouterr().out.split()
    finally:
        protocols.protocol_ids.cache_clear()
        sys.modules.pop(f"{protocols.__name__}.own", None)
