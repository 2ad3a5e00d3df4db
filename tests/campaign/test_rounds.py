"""A round of a hammered domain, retold as a scenario that is searched, stored and replayed."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from racebench import cli
from racebench.campaign.results import read_finding
from racebench.campaign.rounds import smallest_round
from racebench.campaign.stop import Stop
from racebench.errors import ScenarioError
from racebench.findings import Finding
from racebench.scenario.scenario import Scenario, load_scenario, scenario_from_text
from racebench.scenario.selection import Target, load_protocol

from ..fakes import hammered_until_found

HAMMER = """\
schema = 1
title = "two toolstacks"
[hammer]
operations = 3
[hammer.threads.toolstack0]
"route virq=40 pirq=64" = 2
"release virq=40" = 1
[hammer.threads.toolstack1]
"route virq=40 pirq=65" = 2
"release virq=40" = 1
[expect]
domain_lock = []
"""
STORY: dict[str, Any] = {
    "initial": {"vcpus": 2, "spis": 64, "state": "running", "routed": [], "pending": []},
    "threads": {
        "toolstack0": ["release virq=40", "route virq=40 pirq=64", "release virq=41"],
        "toolstack1": ["route virq=40 pirq=65"],
        "vcpu0": [],
    },
}


def scenario(text: str = HAMMER) -> Scenario:
    return scenario_from_text(Path("mix.toml"), text)


def round_of(story: Any, protocol: str = "no_rank_lock") -> Scenario | None:
    target = Target(scenario(), load_protocol(protocol))
    rule = "history.not_serializable"
    finding = Finding(rule, f"{rule}: return codes", "", (), {"story": story})
    return smallest_round(target, finding, math.inf, Stop())


def test_a_round_is_made_as_small_as_it_gets() -> None:
    small = round_of(STORY)
    assert small is not None and small.history and small.name == "mix"
    operations = sorted(str(o) for ops in small.threads.values() for o in ops)
    assert operations == ["route virq=40 pirq=64", "route virq=40 pirq=65"]


def test_a_round_that_does_not_break_it_again_is_none() -> None:
    assert round_of(STORY, "baseline") is None


@pytest.mark.parametrize(
    "story",
    [
        None,
        7,
        {},
        {"initial": None, "threads": {}},
        {"initial": {"vcpus": 10**9}, "threads": STORY["threads"]},
        {"initial": {"routed": "no"}, "threads": STORY["threads"]},
        {"initial": STORY["initial"], "threads": ["a"]},
        {"initial": STORY["initial"], "threads": {"a": ["route virq=1 pirq=2"]}},
        {"initial": STORY["initial"], "threads": {"\x1b[31m": ["release virq=40"]}},
    ],
)
def test_a_hostile_story_is_none(story: Any) -> None:
    assert round_of(story) is None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("operations = 3", "operations = 0", "hammer.operations: 0 is outside 1..64"),
        ("operations = 3", "speed = 3", "hammer.speed: unknown key"),
        ('"release virq=40" = 1\n[hammer.threads.toolstack1]', "[hammer.threads.toolstack1]", ""),
        ("= 2", '= "2"', "is not a whole number"),
        ("= 2", "= 0", "0 is outside 1..1000"),
        ("route virq=40 pirq=64", "rout virq=40 pirq=64", "Did you mean route?"),
        ("[expect]", '[threads]\na = ["release virq=40"]\n[expect]', "there is [threads] as well"),
        ("[hammer]\n", 'history = "yes"\n[hammer]\n', "is not true or false"),
    ],
)
def test_mistakes_in_a_hammer_table(old: str, new: str, message: str) -> None:
    assert old in HAMMER
    if not message:
        assert scenario(HAMMER.replace(old, new, 1)).mix is not None
        return
    with pytest.raises(ScenarioError) as error:
        scenario(HAMMER.replace(old, new, 1))
    assert message in str(error.value)


def test_threads_that_draw_are_not_verified(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mix.toml"
    path.write_text(HAMMER)
    assert cli.main(["verify", str(path), "--out", str(tmp_path / "v")]) == 2
    assert "can only be hammered" in capsys.readouterr().err
    assert cli.main(["ablate", "baseline", str(path), "--out", str(tmp_path / "a")]) == 2
    assert "cannot be verified" in capsys.readouterr().err


def test_a_faulty_mix_is_stored_with_a_scenario_that_replays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hammered_until_found(monkeypatch)
    path, out = tmp_path / "mix.toml", tmp_path / "run"
    path.write_text(HAMMER)
    asked = ["run", str(path), "--protocol", "no-rank-lock", "--time", "1000s", "--out", str(out)]
    assert cli.main([*asked, "--json", "-"]) == 1
    [cell] = json.loads(capsys.readouterr().out)["cells"]
    assert cell["verify"] is None
    stored = [read_finding(out / name) for name in cell["findings"]]
    shown = [(out / n, f) for n, f in zip(cell["findings"], stored, strict=True) if f.finding.schedule]
    assert shown
    for file, record in shown:
        assert record.source != HAMMER and "history = true" in record.source
        assert cli.main(["replay", str(file)]) == 0
        capsys.readouterr()
    assert load_scenario(path).mix is not None
