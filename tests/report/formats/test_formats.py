"""A format is one file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from racebench import cli
from racebench.report import formats

from ...commands.test_reading import run
from ..samples import finding, stored


@pytest.fixture
def another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A format that is nowhere but in its file."""
    (tmp_path / "counts.py").write_text(
        '"""How many findings there are.\n\nAnd no more."""\n'
        "WIDTH = 50\n"
        "def render(stored, width):\n"
        '    return f"{len(stored.findings):{width}}"\n'
    )
    monkeypatch.setattr(formats, "__path__", [*formats.__path__, str(tmp_path)])
    monkeypatch.chdir(tmp_path)
    yield
    del sys.modules[f"{formats.__name__}.counts"]


def test_those_of_the_contract_are_there() -> None:
    assert [form.name for form in formats.formats()] == ["html", "junit", "markdown", "sarif", "svg"]


def test_a_new_file_is_a_new_format(another: None) -> None:
    [new] = [form for form in formats.formats() if form.name == "counts"]
    assert (new.about, new.text(stored()), len(new.text(stored(), 60))) == (
        "How many findings there are", f"{1:50}", 60
    )  # fmt: skip


def test_and_a_new_option_of_the_command(another: None, capsys: pytest.CaptureFixture[str]) -> None:
    run("r", 1, finding())
    assert cli.main(["report", "r", "--counts", "out", "--width", "45"]) == 0
    assert Path("out").read_text() == f"{1:45}"
    with pytest.raises(SystemExit):
        cli.main(["report", "--help"])
    assert "How many findings there are" in capsys.readouterr().out
