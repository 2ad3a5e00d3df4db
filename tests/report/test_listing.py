"""Lists of what there is."""

from __future__ import annotations

from racebench.report.listing import bench_busy, bench_table, function_list, listing, scenario_list
from racebench.report.terminal import plain

from .samples import ESC, EVIL


def words(text: str) -> list[str]:
    return [" ".join(line.replace("─", "").split()) for line in text.splitlines()]


def test_scenarios_by_folder_and_tags_by_how_often() -> None:
    groups = [("pairs", "all pairs", [("route_vs_route", "two routes")])]
    assert words(plain(scenario_list(groups, {"a": 1, "b": 3}), 60)) == [
        "", "@pairs: all pairs", "route_vs_route two routes", "", "tags", "@b 3", "one scenario each: @a", "",
        "racebench run NAME | @TAG | FILE hammers and proves it",
        "racebench list release_guest_irq what runs that function of", "Xen",
    ]  # fmt: skip


def test_what_runs_a_function_and_past_bugs_in_it() -> None:
    text = plain(function_list(["irq.c, f @ 4.11"], [("a", "b")], [("c", "d")]), 60)
    assert words(text) == ["Xen: irq.c, f @ 4.11", "", "what runs it", "a b", "", "past bugs there", "c d"]


def test_a_figure_is_told_with_its_bar() -> None:
    figures = {"fast": 12_345.6, "slow": 0.25, "other": None}
    bars = {"fast": ("> 10,000", True), "slow": ("> 1", False)}
    text = plain([bench_table(figures, {"slow": 0.256}, bars)], 60)
    assert words(text)[2:] == ["fast 12,346 met: > 10,000", "slow 0.250 26% MISSED: > 1", "other none"]


def test_nothing_is_obeyed() -> None:
    text = plain([listing(("a", "b"), [(EVIL, EVIL)])], 80)
    assert ESC not in text and text.count("[bold]x[/bold]") == 2


def test_figures_of_a_busy_machine_are_said_to_be_that() -> None:
    assert "busy" in plain([bench_busy(0.4)], 200)
    assert "40%" in plain([bench_busy(0.4)], 200)
    assert "quiet" in plain([bench_busy(0.01)], 200)
    assert "not known" in plain([bench_busy(None)], 200)
