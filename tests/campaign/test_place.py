"""How a child has what its cell runs."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from racebench.campaign.place import Place
from racebench.campaign.runner import cells_for
from racebench.errors import RaceBenchError
from racebench.scenario.scenario import load_scenario

TOML = 'schema = 1\ntitle = "t"\n[threads]\na = ["route virq=40 pirq=64"]\n[expect]\nbaseline = []\n'
PYTHON = """
import racebench as rb
TITLE, TAGS, EXPECT = "t", [], {"plain": []}
def variants():
    return {"plain": rb.Program("p", rb.State, {"a": lambda s: None})}
"""


def place(path: Path, text: str) -> Place:
    path.write_text(text)
    [target] = cells_for([load_scenario(path)])
    return pickle.loads(pickle.dumps(Place.of(target)))


def test_a_scenario_that_is_no_code_is_read_once(tmp_path: Path) -> None:
    file = tmp_path / "one.toml"
    sent = place(file, TOML)
    read = load_scenario(file)
    file.unlink()
    assert sent.target().scenario == read


def test_a_scenario_in_python_is_loaded_where_it_runs(tmp_path: Path) -> None:
    file = tmp_path / "one.py"
    sent = place(file, PYTHON)
    assert sent.target().program().name == "p"
    file.unlink()
    with pytest.raises((RaceBenchError, OSError)):
        sent.target()
