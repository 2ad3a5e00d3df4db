"""What there is to run, and what runs a function of Xen."""

from __future__ import annotations

import pytest

from racebench import cli
from racebench.errors import UsageError
from racebench.scenario import catalogue
from racebench.scenario.selection import bundled, name_of, select

Capture = pytest.CaptureFixture[str]


def test_every_bundled_scenario_is_in_a_group_that_says_what_it_is() -> None:
    groups = catalogue.groups()
    assert [g.name for g in groups][:2] == ["thread", "pairs"]
    assert all(g.what for g in groups)
    assert len(groups[1].scenarios) == 58
    assert sorted(s.path for g in groups for s in g.scenarios) == sorted(s.path for s in bundled())


def test_the_scenarios_that_run_a_function_and_no_others() -> None:
    cited, scenarios = catalogue.running("arch_move_irqs")
    assert "vgic.c, arch_move_irqs @ baf2950213" in cited
    names = {name_of(s.path) for s in scenarios}
    assert {"move_vs_release", "move_vs_route", "move_vs_itargetsr"} <= names
    assert any(s.variants for s in catalogue.running("vgic_vcpu_inject_irq")[1])
    assert not {n for n in names if n.startswith("route_vs") or n.startswith("release_vs")}


def test_a_word_that_only_begins_a_function_is_none() -> None:
    with pytest.raises(UsageError, match="Did you mean release_guest_irq"):
        catalogue.running("release_guest_ir")


def test_the_printed_command_runs(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "1000")
    assert cli.main(["list", "vgic_disable_irqs"]) == 0
    out = capsys.readouterr().out
    [command] = [line for line in out.splitlines() if line.startswith("racebench run")]
    names = command.split("racebench run ")[1].split(" --protocol")[0].split()
    assert all(not s.variants and s.mix is None for s in select(names)) and "pairs/irq_vs_icenabler" in names
    # What has no proof is shown above.
    assert any(s.mix is not None and s.name in out for s in bundled())
    assert "past bugs there" in out and "c07_enable_after_rank_unlock" in out


def test_a_part_of_a_name_means_what_it_is_part_of() -> None:
    with pytest.raises(UsageError, match="Did you mean XEN_DOMCTL_bind_pt_irq or XEN_DOMCTL_unbind_pt_irq"):
        catalogue.running("pt_irq")
