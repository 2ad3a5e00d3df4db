"""README.md keeps its word: its programs, protocol and scenario run, its commands exist."""

from __future__ import annotations

import os
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from racebench import cli
from racebench import commands as verbs
from racebench.findings.rules import rules

pytest_plugins = ["pytester"]

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)

Capture = pytest.CaptureFixture[str]


def blocks(language: str) -> list[str]:
    return [text for found, text in _BLOCK.findall(README) if found == language]


def commands() -> list[list[str]]:
    """Every command line of the shell blocks, as words; what is joined by && apart."""
    lines = "\n".join(blocks("sh")).replace("\\\n", " ").replace(" && ", "\n").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def block_with(language: str, words: str) -> str:
    (found,) = [text for text in blocks(language) if words in text]
    return found


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("words", [w for w in commands() if w[0] == "racebench"], ids=" ".join)
def test_each_command_is_one_that_racebench_takes(words: list[str]) -> None:
    verbs.parse(words[1:], "1")


@pytest.mark.parametrize("words", [w for w in commands() if w[0] == "pytest"], ids=" ".join)
def test_each_command_is_one_that_pytest_takes(words: list[str], pytester: pytest.Pytester) -> None:
    pytester.mkdir("scenarios")
    pytester.parseconfig(*words[1:])


def test_the_verbs_that_are_told_of_are_those_that_there_are(capsys: Capture) -> None:
    named = set(re.findall(r"^\| `racebench (\w+)", README, re.MULTILINE))
    with pytest.raises(SystemExit):
        verbs.parse(["--help"], "1")
    helped = re.findall(r"^    (\w+) ", capsys.readouterr().out, re.MULTILINE)
    assert named == set(helped)


def test_the_rules_that_are_told_of_are_those_that_there_are() -> None:
    [text] = re.findall(r"^The rules, which.*?^$", README, re.DOTALL | re.MULTILINE)
    assert set(re.findall(r"`([a-z_.]+)`", text)) - {"check", "check_that"} == set(rules())


def test_its_protocol_is_complete_and_does_what_is_said(here: Path, capsys: Capture) -> None:
    (here / "rank_outermost.py").write_text(block_with("python", "class RankOutermost"))
    mine = ["--protocol", "rank_outermost.py:RankOutermost", "--quiet"]
    assert cli.main(["verify", "route_vs_isenabler", "route_vs_route", *mine]) == 0
    assert cli.main(["verify", "release_vs_isenabler", *mine]) == 0
    capsys.readouterr()
    pairs = ["release_vs_isenabler", "release_release_route", "pairs/route_vs_isenabler"]
    assert cli.main(["verify", *pairs, *mine, "--against", "parent"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    head = "RankOutermost against no_rank_lock_lockfree: nothing new, "
    assert re.search(rf"^{head}\d+ findings fixed, \d+ findings in both\.", out)
    assert head in README


def test_its_scenario_is_as_it_expects(here: Path, capsys: Capture) -> None:
    (here / "my.toml").write_text(block_with("toml", "[threads]"))
    assert cli.main(["verify", "my.toml", "--quiet"]) == 0


def test_its_program_runs_as_printed(here: Path, capsys: Capture) -> None:
    (here / "account.py").write_text(block_with("python", "rb.verify(program)"))
    runpy.run_path("account.py")
    out = capsys.readouterr().out
    assert out.startswith("<Result FOUND after 4 executions, every schedule")
    assert "account.lost: balance 1\n    1  " in out


def test_the_cache_of_a_stranger_is_found_out_as_printed(here: Path, capsys: Capture) -> None:
    (here / "cache_race.py").write_text(block_with("python", "class Cache"))
    runpy.run_path("cache_race.py")
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()[:2]]
    printed = (
        [text for text in README.split("```") if "<Result FOUND after 15" in text][0].strip().splitlines()
    )
    assert [re.sub(r" \(get .*", "", line) for line in lines] == [
        re.sub(r" \(get .*", "", line) for line in printed
    ]


def test_the_pool_of_a_stranger_loses_jobs_as_said(here: Path, capsys: Capture) -> None:
    (here / "jobs_race.py").write_text(block_with("python", "class Jobs"))
    runpy.run_path("jobs_race.py")
    assert capsys.readouterr().out.strip() == "['data_race', 'jobs.lost']"


def test_its_race_test_fails_with_the_race(here: Path) -> None:
    before, _ = block_with("python", "rb.verify(program)").split("program = ")
    (here / "its_test.py").write_text(before + block_with("python", "@rb.race_test"))
    # A process of its own: in this one its race would be in the report of the suite.
    call = [sys.executable, "-c", "import its_test; its_test.test_deposits()"]
    done = subprocess.run(
        call, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": f"{here}:{ROOT}"}
    )
    assert done.returncode == 1
    assert "RaceFailed: account: data_race" in done.stderr
