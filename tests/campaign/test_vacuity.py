"""What a clean cell did not do, and where it would be done."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import racebench as rb
from racebench import cli
from racebench.campaign import fuzz, runner, vacuity
from racebench.campaign.cell import Plan
from racebench.campaign.ledger import Ledger
from racebench.campaign.runner import Options, cells_for, run_campaign
from racebench.records import Cell, ModeResult
from racebench.scenario.selection import load_protocol, select
from racebench.vgic import LineAtStart, build_program, parse_operation, written_program
from racebench.vgic.language import Initial

from ..fakes import Heard, Here

VERIFY = Plan(("verify",))
EBUSY = "release_guest_irq returned -EBUSY in all 2 executions"


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(runner, "Pool", Here)
    monkeypatch.chdir(tmp_path)


def verified(name: str, protocol: str, plan: Plan = VERIFY) -> Cell:
    [cell] = run_campaign(cells_for(select([name]), [protocol]), Options(plan), Heard()).cells
    return cell


# -- codes


def test_an_operation_that_never_succeeds_is_said_beside_clean() -> None:
    cell = verified("pairs/release_vs_isenabler", "creation_guard")
    assert cell.verdict == "as_expected"
    assert cell.returned == {"toolstack: release virq=40": {"-EBUSY": 2}}
    assert cell.vacuous == [EBUSY]


NOTHING_THERE = {"vcpu0": ["hweoi virq=40", "trap vcpu=0"], "pcpu1": ["fire pirq=64"]}
THERE = {"routed": ((40, 64, True),), "pending": ((40, "lr"),), "lines": (LineAtStart(64, latched=True),)}


@pytest.mark.parametrize("protocol", ["baseline", "head", "new_head"])
def test_what_hardware_finds_nothing_to_do_for_is_said(protocol: str) -> None:
    def returned(**initial: Any) -> dict[str, set[str]]:
        program = written_program("t", Initial(**initial), NOTHING_THERE, load_protocol(protocol).code)  # type: ignore[arg-type]
        returned = rb.verify(program).stats["returned"]
        return {vacuity.word_of(operation): set(codes) for operation, codes in returned.items()}

    nothing = returned(routed=((40, 64, True),))
    assert nothing == dict.fromkeys(("hweoi", "trap", "fire"), {"-ENOENT"})
    there = returned(**THERE)
    assert there["hweoi"] == there["trap"] == {"0"}
    # Before the EOI the line is active, and does not fire.
    assert there["fire"] == {"0", "-ENOENT"}


def test_it_is_said_in_words() -> None:
    result = ModeResult(
        "verify", 3, seconds=1.0, complete=True, returned={"a: hweoi virq=40": {"-ENOENT": 3}}
    )
    assert Cell("s", "p", verify=result, calls={"hweoi": vacuity.function_of("hweoi")}).vacuous == [
        "hweoi did nothing in all 3 executions"
    ]


def test_no_serial_order_has_to_explain_it() -> None:
    threads = {"a": ["fire pirq=64"], "b": ["fire pirq=64", "hweoi virq=40"]}
    start = Initial(routed=((40, 64, True),), lines=(LineAtStart(64, latched=True),))
    parsed = {n: [parse_operation(t, "f", n, start) for t in texts] for n, texts in threads.items()}
    program = build_program("t", start, parsed, load_protocol("head").code, history=True)  # type: ignore[arg-type]
    result = rb.verify(program)
    assert result.complete and not result.findings


@pytest.mark.parametrize(
    ("operation", "name"),
    [("bind", "bind_vs_isenabler"), ("bind", "unbind_vs_bind"), ("route", "route_pending")],
)
def test_a_scenario_that_a_tree_has_not_hides_no_other(operation: str, name: str) -> None:
    """The guard lets nobody route while the domain runs; one that begins earlier is proposed."""
    cell = verified(f"pairs/{name}", "creation_guard")
    assert cell.vacuous and cell.instead
    words = cell.instead.split()
    if words[1] == "verify":
        cli.main([*words[1:], "-q", "--json", "r.json"])
        [there] = json.loads(Path("r.json").read_text())["cells"]
        codes = [c for op, c in there["verify"]["returned"].items() if vacuity.word_of(op) == operation]
        assert any("0" in one for one in codes)
    else:
        assert cell.instead.endswith("--state creating")


def test_one_that_succeeds_in_some_schedule_is_not() -> None:
    cell = verified("pairs/route_vs_route", "baseline")
    assert all({"0", "-EBUSY"} == set(codes) for codes in cell.returned.values())
    assert (cell.vacuous, cell.instead) == ([], "")


def test_of_what_breaks_a_rule_it_is_no_matter() -> None:
    broken = verified("c20_routing_a_running_guest", "before")
    assert broken.found
    assert not broken.vacuous


def test_what_is_proposed_can_be_run_and_succeeds() -> None:
    cell = verified("pairs/release_vs_isenabler", "creation_guard")
    words = cell.instead.split()
    assert words[:2] == ["racebench", "verify"]
    assert cli.main([*words[1:], "-q", "--json", "r.json"]) == 0
    [there] = json.loads(Path("r.json").read_text())["cells"]
    assert any("0" in codes for op, codes in there["verify"]["returned"].items() if " release " in op)
    assert "vacuous" not in there


def test_where_no_bundled_scenario_helps_fuzz_is_given_the_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vacuity, "bundled", lambda words: [])
    cell = verified("pairs/release_vs_isenabler", "creation_guard")
    assert cell.instead in [f"racebench fuzz creation_guard --state {s}" for s in ("creating", "dying")]
    # Nowhere, if there is no such state.
    assert vacuity.instead(load_protocol("creation_guard"), ["release"]) == ""


@pytest.mark.parametrize("mode", ["stress", "explore"])
def test_every_mode_counts_what_operations_return(mode: str) -> None:
    program = written_program(
        "twice",
        Initial(),
        {"a": ["route virq=40 pirq=64", "isenabler virq=40"]},
        load_protocol("baseline").code,
    )  # type: ignore[arg-type]
    result = rb.stress(program, 0.01) if mode == "stress" else rb.explore(program, executions=50)
    # A register write has no code.
    assert result.stats["returned"] == {"a: route virq=40 pirq=64": {"0": result.executions}}


def test_what_is_no_list_of_codes_is_not_counted() -> None:
    class Odd:
        def __eq__(self, other: object) -> bool:
            raise ValueError

    def state() -> Any:
        return Counter()

    class Counter(rb.State):
        x = rb.shared(0, atomic=True)

    def odd(s: Counter) -> Any:
        s.x = 1
        return [Odd(), {}]

    program = rb.Program("odd", state, {"a": odd, "b": odd}, parts={"a": ("one", "two")})
    assert rb.verify(program).stats["returned"] == {}
    assert rb.stress(program, 0.01).stats["returned"] == {}


def mode(name: str, n: int, **codes: int) -> ModeResult:
    return ModeResult(name, n, seconds=1.0, complete=name == "verify", returned={"a: release virq=40": codes})


def test_counts_are_folded_over_modes_and_visits_like_any_other() -> None:
    ledger, name = Ledger(), ("s", "p")
    ledger.began(Cell(*name, calls={"release": "release_guest_irq"}))
    proof = Cell(*name, verify=mode("verify", 4, **{"-EBUSY": 4}), calls={"release": "release_guest_irq"})
    ledger.done("", proof, {})
    assert ledger.run([name], {}, False).cells[0].vacuous == [
        "release_guest_irq returned -EBUSY in all 4 executions"
    ]
    for visit, codes in (("helper 1", {"-EBUSY": 50}), ("helper 2", {"0": 1, "-EBUSY": 49})):
        said = Cell(*name, stress=mode("stress", 50, **codes))
        # Heard twice, it counts once.
        ledger.progressed(visit, said, {})
        ledger.done(visit, said, {})
    [cell] = ledger.run([name], {}, False).cells
    assert cell.returned == {"a: release virq=40": {"-EBUSY": 103, "0": 1}}
    assert cell.vacuous == []
    assert Cell.from_json(cell.to_json(), "here") == cell


# -- threads


class Account(rb.State):
    balance = rb.shared(0, atomic=True)


def deposit(s: Account) -> None:
    s.balance += 1


def rest(s: Account) -> None:
    pass


@pytest.mark.parametrize(("other", "idle"), [(rest, ["b"]), (deposit, [])])
def test_a_thread_that_did_nothing_is_named(other: Any, idle: list[str]) -> None:
    result = rb.verify(rb.Program("account", Account, {"a": deposit, "b": other}))
    assert result.stats["idle"] == idle
    cell = Cell("s", "p", verify=ModeResult.of("verify", result))
    assert cell.vacuous == [f"{name} took no step on shared state" for name in idle]


def test_a_thread_that_is_there_to_be_interrupted_does_its_part() -> None:
    program = rb.Program(
        "account", Account, {"cpu": rest, "b": deposit}, interrupts={"irq": ("cpu", deposit)}
    )
    assert rb.verify(program).stats["idle"] == []


# -- a protocol of one's own

MINE = """\
from racebench.vgic import protocol

class Mine(protocol("no_rank_lock_lockfree")):
    SUMMARY = "the domain's lock around a release"

    def release_guest_irq(self, d, virq):
        with d.lock:
            return super().release_guest_irq(d, virq)
"""


@pytest.fixture
def mine(tmp_path: Path) -> str:
    path = tmp_path / "mine.py"
    path.write_text(MINE)
    return f"{path}:Mine"


def test_a_function_that_never_ran_is_named(mine: str) -> None:
    [said] = verified("pairs/isenabler_vs_icenabler", mine).vacuous
    assert said.startswith("release_guest_irq of Mine was never called, in ")


def test_a_lock_that_nobody_else_wants_is_named(mine: str) -> None:
    alone = verified("pairs/itargetsr_vs_release", mine)
    target = cells_for(select(["pairs/itargetsr_vs_release"]), [mine])[0]
    clean = replace(alone, found=(), unused=()).judged()
    [said] = vacuity.noted(target, clean).unused
    assert said.startswith("dom, taken in release_guest_irq, was never wanted by two threads")
    both = cells_for(select(["pairs/release_vs_release"]), [mine])[0]
    assert vacuity.noted(both, replace(clean, found=())).unused == ()


def test_what_is_watched_changes_no_answer(mine: str) -> None:
    with_it = verified("pairs/release_vs_release", mine)
    without = verified("pairs/release_vs_release", "domain_lock")
    assert (with_it.found, with_it.verify and with_it.verify.complete) == (without.found, True)


# -- fuzz


def test_fuzz_says_what_never_succeeded_in_all_that_it_drew(capsys: pytest.CaptureFixture[str]) -> None:
    fuzzed = fuzz.Fuzzed("creation_guard", 0, returned={"release": {"-EBUSY"}, "route": {"0", "-EBUSY"}})
    vacuous = list(fuzz._vacuous(fuzzed, load_protocol("creation_guard")))
    assert [one["said"] for one in vacuous] == ["release_guest_irq returned -EBUSY in all that was drawn"]
    assert vacuous[0]["instead"].startswith("racebench verify ")
    run = fuzz.run_record(fuzzed, fuzz.Assignment("creation_guard", 1.0), vacuous)
    from racebench.report.fuzzing import fuzz_report
    from racebench.report.terminal import plain

    shown = plain(fuzz_report(run.to_json(), "r", "creation_guard", full=True), 80)
    assert "vacuous: release_guest_irq returned -EBUSY" in shown
    assert f"try: {vacuous[0]['instead']}" in shown


# -- as it is shown


def test_it_is_shown_beside_clean_everywhere(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        cli.main(["verify", "pairs/release_vs_isenabler", "--protocol", "creation_guard", "--out", "r"]) == 0
    )
    assert f"clean; vacuous: {EBUSY}" in " ".join(capsys.readouterr().out.split())
    assert cli.main(["explain", "r"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for said in (
        f"vacuous: {EBUSY}",
        "try: racebench verify",
        "toolstack: release virq=40 -> -EBUSY (2 times)",
    ):
        assert said in shown
    assert cli.main(["report", "r", "--html", "r.html", "--markdown", "r.md"]) == 0
    for page in ("r.html", "r.md"):
        text = " ".join(Path(page).read_text().replace("&gt;", ">").split())
        assert EBUSY in text
        assert "release virq=40 -> -EBUSY (2 times)" in text
