"""The defaults that a project sets in pyproject.toml."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import racebench as rb
from racebench import cli
from racebench.commands import parse
from racebench.commands.shared.output import new_folder
from racebench.commands.shared.settings import Settings, settings

from ..fakes import TWO_ROUTES


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    yield


def project(text: str) -> None:
    Path("pyproject.toml").write_text(f"[tool.racebench]\n{text}\n", encoding="utf-8")


def test_without_a_table_nothing_is_set() -> None:
    assert settings() == Settings()
    for text in ("[tool.other]\nx = 1\n", "not TOML [", "tool = 1\n"):
        Path("pyproject.toml").write_text(text)
        assert settings() == Settings()


def test_the_command_line_comes_first() -> None:
    project('time = "90s"\njobs = 4\nreports = "races"')
    args = parse(["verify"], "")
    assert (args.time, args.jobs) == (90.0, 4)
    args = parse(["verify", "--time", "5s", "--jobs", "1"], "")
    assert (args.time, args.jobs) == (5.0, 1)
    assert new_folder("run").parent == Path("races")


def test_what_is_run_where_nothing_is_named() -> None:
    Path("mine").mkdir()
    Path("mine/two.toml").write_text(TWO_ROUTES)
    project('paths = ["mine"]\nprotocols = ["baseline"]')
    command = [sys.executable, "-m", "racebench", "verify", "--quiet", "--time", "10s", "--out", "a"]
    assert subprocess.run(command).returncode == 0
    assert [(c.scenario, c.protocol) for c in rb.load("a").cells] == [("two", "baseline")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("speed = 1", "tool.racebench.speed: is unknown. Choose from time, jobs, paths"),
        ("time = 5", "tool.racebench.time: is not a duration"),
        ("jobs = 0", "tool.racebench.jobs: is not a whole number"),
        ("jobs = true", "tool.racebench.jobs: is not a whole number"),
        ('paths = "x"', "tool.racebench.paths: is not a list of texts"),
        ("reports = 1", "tool.racebench.reports: is not the name of a folder"),
    ],
)
def test_a_mistake_is_bad_input(text: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    project(text)
    assert cli.main(["verify"]) == 2
    assert f"pyproject.toml: {message}" in capsys.readouterr().err
