"""What names on the command line mean."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from racebench import vgic
from racebench.errors import ScenarioError, UsageError
from racebench.scenario.selection import (
    bundled,
    bundled_root,
    load_protocol,
    name_of,
    select,
    stored_file,
    stored_name,
)

from ..fakes import scenario

PROTOCOL = """\
from racebench.vgic import Baseline

class Mine(Baseline):
    ID = "mine"

number = 3
"""


def test_nothing_means_the_thread() -> None:
    assert [s.name for s in select([])] == [s.name for s in select(["@thread"])]
    assert "route_vs_route" in [s.name for s in select([])]


def test_names_files_and_folders(tmp_path: Path) -> None:
    made = scenario(tmp_path, "mine")
    assert [s.name for s in select(["route-vs-route"])] == ["route_vs_route"]
    assert [s.path for s in select([str(made.path)])] == [made.path]
    assert [s.path for s in select([str(tmp_path)])] == [made.path]


def test_each_is_taken_once() -> None:
    names = [s.name for s in select(["route_vs_route", "@thread", "route_vs_route"])]
    assert len(names) == len(set(names)) == len([s for s in bundled() if "thread" in s.tags])


def test_the_second_of_one_name_goes_by_its_folder_too(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        scenario(tmp_path / folder, "same")
    assert [s.name for s in select([str(tmp_path)])] == ["same", "b/same"]


def test_files_that_their_folder_does_not_tell_apart_are_refused(tmp_path: Path) -> None:
    for folder in ("a", "x/b", "y/b"):
        (tmp_path / folder).mkdir(parents=True)
        scenario(tmp_path / folder, "same")
    with pytest.raises(UsageError, match="have the same name"):
        select([str(tmp_path)])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("route_vs_rout", "Did you mean route_vs_route?"),
        ("", "'' names no scenario"),
        ("zzz", "See `racebench list scenarios`"),
        ("@zzz", "no scenario has the tag '@zzz'. Known: @"),
    ],
)
def test_what_means_nothing_is_told(name: str, message: str) -> None:
    with pytest.raises(UsageError) as error:
        select([name])
    assert message in str(error.value)


def test_an_empty_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no scenario file below"):
        select([str(tmp_path)])


def test_a_bundled_protocol_under_either_spelling() -> None:
    choice = load_protocol("no-rank-lock")
    assert (choice.id, choice.spec) == ("no_rank_lock", "no_rank_lock")
    assert choice.code is vgic.protocol("no_rank_lock")


def test_a_protocol_of_ones_own_goes_by_its_class_name(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(PROTOCOL)
    spec = f"{tmp_path}/mine.py:Mine"
    choice = load_protocol(spec)
    assert (choice.id, choice.spec) == ("Mine", spec)
    assert issubclass(choice.code, vgic.Baseline)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("mine.py:Mne", "no such name in this file. Protocols there: Mine."),
        ("mine.py:number", "not a Protocol class. Protocols there: Mine."),
        ("mine.py:", "no such name"),
        ("none.py:Mine", "no such file"),
    ],
)
def test_a_wrong_protocol_file_is_told(tmp_path: Path, spec: str, message: str) -> None:
    (tmp_path / "mine.py").write_text(PROTOCOL)
    with pytest.raises(ScenarioError) as error:
        load_protocol(f"{tmp_path}/{spec}")
    assert message in str(error.value)


def test_a_protocol_file_without_a_class_is_told() -> None:
    with pytest.raises(UsageError, match=r"which class\? Write mine.py:Name"):
        load_protocol("mine.py")
    with pytest.raises(UsageError, match="Did you mean baseline"):
        load_protocol("baselin")


def test_a_stored_name_means_the_same_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "here" / "mine.toml"
    own.parent.mkdir()
    own.write_text("schema = 1")
    bundled_one = bundled_root() / "thread" / "route_vs_route.toml"
    assert stored_name(bundled_one) == "thread/route_vs_route.toml"
    assert stored_file("thread/route_vs_route.toml") == bundled_one
    monkeypatch.chdir(tmp_path)
    assert stored_name(Path("here/mine.toml")) == "here/mine.toml"
    assert stored_file("here/mine.toml") == Path("here/mine.toml")
    monkeypatch.chdir(own.parent)
    assert stored_name(tmp_path / "other.toml") == str(tmp_path.resolve() / "other.toml")


def test_a_stored_name_never_leads_out_of_the_bundled_folder() -> None:
    assert stored_file("../tests/scenario/test_selection.py") == Path("../tests/scenario/test_selection.py")


def test_what_nearly_overrides_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    text = """\
from racebench.vgic import Baseline
class Mine(Baseline):
    def relase_guest_irq(self, d, virq):
        return self.helper(d)
    def helper(self, d):
        return 0
"""
    path.write_text(text)
    with pytest.raises(
        ScenarioError, match=r"Mine\.relase_guest_irq: overrides nothing.*Did you mean release_guest_irq"
    ):
        load_protocol(f"{path}:Mine")
    path.write_text(text.replace("relase", "release"))
    assert load_protocol(f"{path}:Mine").id == "Mine"


def test_a_copy_of_a_bundled_scenario_goes_by_its_name(tmp_path: Path) -> None:
    for folder in ("pairs", "thread"):
        shutil.copytree(bundled_root() / folder, tmp_path / folder)
    assert name_of(tmp_path / "pairs/route_vs_route.toml") == "pairs/route_vs_route"
    assert name_of(tmp_path / "thread/route_vs_route.toml") == "route_vs_route"
    with (tmp_path / "pairs/route_vs_route.toml").open("a") as file:
        file.write("# mine")
    assert name_of(tmp_path / "pairs/route_vs_route.toml") == "route_vs_route"
