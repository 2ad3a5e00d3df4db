"""The ledger, from messages written by hand: what visits tell is one run, in whatever order it comes."""

from __future__ import annotations

import errno
import itertools
import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from racebench.campaign.ledger import ALONE, Ledger, host
from racebench.campaign.results import read_finding, read_journal, read_run
from racebench.campaign.store import RunFolder
from racebench.errors import UsageError
from racebench.findings import Finding
from racebench.records import Cell, FindingRecord, ModeResult

Patch = pytest.MonkeyPatch
CORRUPTED, CYCLE = "mapping.corrupted", "deadlock.cycle"
STUB = Cell("s", "p", expected=(CORRUPTED,), proof=True)
PROVED = ModeResult("verify", 4, seconds=0.1, complete=True, done=1.0)
NAME = STUB.name


def stress(
    collisions: int, failures: int = 0, first: float | None = None, seconds: float = 1.0
) -> ModeResult:
    return ModeResult("stress", collisions, failures, first, seconds)


def finding(
    rule: str = CORRUPTED, steps: int = 0, evidence: Mapping[str, Any] | None = None, **seen: int
) -> Any:
    schedule = (("a", "acquire", "l"),) * steps
    found = Finding(rule, f"{rule}: x", "it happened", schedule, evidence or {}, mode="stress", after=3)
    return FindingRecord(found, *NAME, ("a",), seen)


def counts(n: int, rule: str = CORRUPTED) -> dict[str, dict[str, int]]:
    return {f"{rule}: x": {"stress": n}}


def ended(ledger: Ledger) -> Cell:
    run = ledger.run((), {}, False)
    ledger.finish(run)
    [cell] = run.cells
    return cell


def test_visits_of_one_cell_are_one_cell() -> None:
    ledger = Ledger()
    for visit in ("1", "2"):
        ledger.began(STUB)
        ledger.found(visit, finding(stress=1))
    ledger.done("1", replace(STUB, verify=PROVED, stress=stress(100, 5, 0.5)), counts(5))
    ledger.done("2", replace(STUB, stress=stress(50, 7, 0.1)), counts(7))
    cell = ended(ledger)
    assert (cell.verdict, cell.found, cell.partial) == ("as_expected", (CORRUPTED,), False)
    assert cell.verify == PROVED
    assert cell.stress == ModeResult("stress", 150, 12, 0.5, 2.0)
    [(_, merged)] = ledger.findings()
    assert (merged.count, merged.seen) == (12, {"stress": 12})


def test_the_order_of_messages_does_not_matter() -> None:
    """Two visits, one of which was lost; each message but the ends comes at any time, or again."""
    first = replace(STUB, verify=PROVED, stress=stress(100, 5))
    messages: list[Callable[[Ledger], Any]] = [
        lambda ledger: ledger.began(STUB),
        lambda ledger: ledger.found("1", finding(steps=5, stress=1)),
        lambda ledger: ledger.found("2", finding(CYCLE, steps=2, stress=4)),
        lambda ledger: ledger.progressed("1", replace(first, stress=stress(40, 2)), counts(2)),
        lambda ledger: ledger.done("1", first, counts(5)),
        lambda ledger: ledger.lost("2", NAME, "killed"),
    ]
    fewest = set()
    for order in itertools.permutations(messages):
        ledger = Ledger()
        for hear in order:
            hear(ledger)
        cell = ended(ledger)
        assert cell.verdict == "unexpected"
        assert cell.found == (CYCLE, CORRUPTED)
        assert (cell.verify, cell.stress) == (PROVED, stress(100, 5))
        fewest.add(
            tuple(
                sorted((record.finding.rule, len(record.finding.schedule)) for _, record in ledger.findings())
            )
        )
    assert fewest == {((CYCLE, 2), (CORRUPTED, 5))}


def test_a_message_that_is_heard_twice_counts_once() -> None:
    ledger = Ledger()
    over = replace(STUB, verify=PROVED, stress=stress(100, 5))
    for _ in range(2):
        ledger.began(STUB)
        ledger.found("1", finding(steps=2, stress=1))
        ledger.progressed("1", replace(over, stress=stress(40, 2)), counts(2))
    for _ in range(2):
        ledger.done("1", over, counts(5))
    ledger.progressed("1", over, counts(5))
    ledger.lost("1", NAME, "killed")
    cell = ended(ledger)
    assert (cell.stress, cell.verdict, cell.error) == (stress(100, 5), "as_expected", "")
    assert [record.count for _, record in ledger.findings()] == [5]


def test_what_was_heard_late_takes_nothing_back() -> None:
    ledger = Ledger()
    ledger.found("1", finding(stress=1))
    ledger.progressed("1", replace(STUB, stress=stress(90, 3, seconds=9.0)), counts(3))
    ledger.progressed("1", replace(STUB, stress=stress(40, 2, seconds=4.0)), counts(2))
    assert ended(ledger).stress == stress(90, 3, seconds=9.0)
    assert [record.count for _, record in ledger.findings()] == [3]


def test_explorations_of_one_cell_add_up() -> None:
    ledger = Ledger()
    explore = ModeResult("explore", 10, seconds=1.0, strategy="pct", strategies={"pct": {}})
    test = Cell("t.py::test", "explore")
    ledger.began(test)
    ledger.done("1", replace(test, explore=explore), {})
    ledger.done("2", replace(test, explore=replace(explore, failures=2, first_failure=4)), {})
    cell = ended(ledger)
    assert cell.explore == ModeResult("explore", 20, 2, 14, 2.0, strategy="pct")
    assert cell.verdict == "as_expected"


def test_a_visit_whose_beginning_was_not_heard_counts_once() -> None:
    ledger = Ledger()
    ledger.done("1", replace(STUB, verify=PROVED, stress=stress(100)), {})
    cell = ended(ledger)
    assert (cell.expected, cell.stress, cell.verify) == (STUB.expected, stress(100), PROVED)


def test_the_better_schedule_stands_in_every_order() -> None:
    short, many = finding(steps=3), finding(steps=2)
    switching = replace(many, finding=replace(many.finding, schedule=(("a", "x", "l"), ("b", "x", "l"))))
    for order in itertools.permutations([finding(), finding(steps=5), short, switching, finding(steps=4)]):
        ledger = Ledger()
        for record in order:
            ledger.found("1", record)
        [(_, merged)] = ledger.findings()
        # Fewer switches before fewer steps: the shortest one has a switch more.
        assert merged.finding.schedule == short.finding.schedule


def test_a_finding_that_has_more_to_say_is_stored_again(tmp_path: Path) -> None:
    ledger = Ledger(RunFolder(tmp_path))
    ledger.found("1", finding(stress=1))
    for _ in range(3):
        assert ledger.found("1", finding(evidence={"reproduced": False}, stress=1)) == "findings/0001.json"
    assert read_finding(tmp_path / "findings/0001.json").finding.evidence == {"reproduced": False}
    assert len((tmp_path / "journal.jsonl").read_text().splitlines()) == 2


# -- what is lost


def test_a_lost_visit_leaves_what_it_told_and_no_verdict(tmp_path: Path) -> None:
    ledger = Ledger(RunFolder(tmp_path))
    ledger.began(STUB)
    ledger.found("1", finding(stress=1))
    ledger.progressed("1", replace(STUB, verify=PROVED, stress=stress(7)), counts(3))
    cell = ledger.lost("1", NAME, "killed")
    assert [path for path, _ in ledger.found_by("1")] == ["findings/0001.json"]
    assert ended(ledger) == cell
    assert read_run(tmp_path).cells == (cell,)
    assert (cell.verdict, cell.found, cell.error, cell.lost) == ("unknown", (CORRUPTED,), "killed", True)
    assert (cell.stress, cell.partial) == (stress(7), True)


def test_what_nobody_expected_counts_whoever_is_lost() -> None:
    ledger = Ledger()
    ledger.began(STUB)
    ledger.found("1", finding(CYCLE, stress=1))
    assert ledger.lost("1", NAME, "killed").verdict == "unexpected"


@pytest.mark.parametrize("lost_first", [True, False])
def test_a_visit_that_is_lost_takes_nothing_from_the_others(lost_first: bool) -> None:
    ledger = Ledger()
    ledger.began(STUB)
    ledger.found("1", finding(stress=1))
    if lost_first:
        assert ledger.lost("2", NAME, "killed").lost
    ledger.done("1", replace(STUB, verify=PROVED, stress=stress(9, 1)), counts(1))
    if not lost_first:
        ledger.lost("2", NAME, "killed")
    cell = ended(ledger)
    assert (cell.verdict, cell.error, cell.lost) == ("as_expected", "", False)


def test_a_lost_proof_is_said_where_the_others_only_hammered() -> None:
    ledger = Ledger()
    ledger.began(STUB)
    ledger.lost("1", NAME, "killed")
    ledger.done("2", replace(STUB, stress=stress(9)), {})
    cell = ended(ledger)
    assert (cell.verdict, cell.error, cell.partial) == ("unknown", "killed", True)


def test_hammering_alone_that_is_lost_is_no_answer() -> None:
    ledger = Ledger()
    hammered = Cell("t.py::test", "stress")
    ledger.began(hammered)
    ledger.progressed("1", replace(hammered, stress=stress(9)), {})
    assert ledger.lost("1", hammered.name, "killed").verdict == "unknown"


# -- what is stored


def test_a_finding_is_stored_before_its_visit_ends(tmp_path: Path) -> None:
    ledger = Ledger(RunFolder(tmp_path))
    ledger.began(STUB)
    ledger.found("1", finding(steps=2, stress=1))
    assert read_finding(tmp_path / "findings/0001.json").finding.rule == CORRUPTED
    assert list(read_journal(tmp_path).findings.values()) == ["findings/0001.json"]


def test_the_journal_grows_with_what_is_new_not_with_rounds(tmp_path: Path) -> None:
    ledger = Ledger(RunFolder(tmp_path))
    ledger.began(STUB)
    ledger.found("1", finding(steps=2, stress=1))
    ledger.done("1", replace(STUB, verify=PROVED, stress=stress(100)), counts(1))
    for n in range(1000):
        ledger.done(f"round {n}", replace(STUB, stress=stress(100)), counts(1))
    ended(ledger)
    assert len((tmp_path / "journal.jsonl").read_text().splitlines()) < 40
    assert read_finding(tmp_path / "findings/0001.json").count == 1001
    assert read_run(tmp_path).cells[0].stress == stress(100_100, seconds=1001.0)


def test_a_kill_after_a_cell_costs_no_count_of_it(tmp_path: Path) -> None:
    ledger = Ledger(RunFolder(tmp_path))
    ledger.began(STUB)
    ledger.found(ALONE, finding(steps=2, stress=4))
    ledger.done(ALONE, replace(STUB, verify=PROVED, stress=stress(100, 7)), counts(7))
    assert read_finding(tmp_path / "findings/0001.json").count == 7
    [cell] = read_run(tmp_path).cells
    assert (cell.stress, cell.findings) == (stress(100, 7), ("findings/0001.json",))


def test_a_cell_that_goes_on_is_stored_each_time_there_is_a_tenth_more(tmp_path: Path) -> None:
    ledger = Ledger(RunFolder(tmp_path))
    ledger.began(STUB)
    stored = []
    for seconds in range(1, 200):
        ledger.progressed(ALONE, replace(STUB, stress=stress(1, seconds=float(seconds))), {})
        stored += [cell.seconds for cell in read_journal(tmp_path).cells.values()]
    stored = list(dict.fromkeys(stored))
    assert stored[0] == 10.0
    assert all(later >= 1.09 * earlier for earlier, later in itertools.pairwise(stored))
    assert stored[-1] > 170.0


def test_a_cell_without_its_proof_is_not_done(tmp_path: Path) -> None:
    ledger = Ledger(RunFolder(tmp_path))
    ledger.began(STUB)
    ledger.done("2", replace(STUB, stress=stress(100, seconds=20.0)), {})
    assert [cell.partial for cell in read_journal(tmp_path).cells.values()] == [True]
    ledger.done("1", replace(STUB, verify=PROVED, stress=stress(100)), {})
    [cell] = read_journal(tmp_path).cells.values()
    assert (cell.verdict, cell.partial) == ("missed", False)


def test_a_full_disk_is_said_and_nothing_is_lost_in_memory(tmp_path: Path, monkeypatch: Patch) -> None:
    ledger = Ledger(RunFolder(tmp_path))
    ledger.began(STUB)
    ledger.found("1", finding(steps=2, stress=1))

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(UsageError, match="cannot be written: No space left on device"):
            ledger.found("1", finding(CYCLE, steps=2, stress=1))
    assert len(read_journal(tmp_path).findings) == 1
    cell = ended(ledger)
    assert cell.found == (CYCLE, CORRUPTED)
    assert len(read_journal(tmp_path).findings) == 2
    assert read_run(tmp_path).cells[0].found == (CYCLE, CORRUPTED)


# -- resuming


def resumed(tmp_path: Path, before: Callable[[Ledger], Any]) -> Ledger:
    """A ledger on the folder that a kill left after what ``before`` told."""
    folder = RunFolder(tmp_path)
    before(Ledger(folder))
    folder._journal.close()
    return Ledger(RunFolder(tmp_path, resume=True))


def test_a_resumed_cell_goes_on_from_what_is_stored(tmp_path: Path) -> None:
    def before(ledger: Ledger) -> None:
        ledger.began(STUB)
        ledger.found(ALONE, finding(steps=2, stress=1))
        so_far = replace(STUB, verify=PROVED, stress=stress(100, 5, 0.5, 20.0))
        ledger.progressed(ALONE, so_far, counts(5))

    ledger = resumed(tmp_path, before)
    assert not ledger.is_done(NAME)
    earlier = ledger.began(STUB)
    assert earlier.cell is not None
    assert (earlier.cell.verify, earlier.cell.stress) == (PROVED, stress(100, 5, 0.5, 20.0))
    [record] = earlier.findings
    assert record.seen == {"stress": 5}
    # Who goes on tells all of it, what was before included.
    ledger.done(ALONE, replace(STUB, verify=PROVED, stress=stress(300, 9, 0.5, 60.0)), counts(9))
    cell = ended(ledger)
    assert (cell.stress, cell.verdict) == (stress(300, 9, 0.5, 60.0), "as_expected")
    assert [(path, record.count) for path, record in ledger.findings()] == [("findings/0001.json", 9)]
    assert read_finding(tmp_path / "findings/0001.json").count == 9


def test_a_proof_that_was_cut_off_is_not_gone_on_from(tmp_path: Path) -> None:
    half = replace(PROVED, complete=False, done=0.5, seconds=20.0)
    ledger = resumed(tmp_path, lambda before: before.progressed(ALONE, replace(STUB, verify=half), {}))
    earlier = ledger.began(STUB)
    assert earlier.cell is not None
    assert earlier.cell.verify is None


def test_what_an_earlier_run_was_done_with_stays_as_it_was(tmp_path: Path) -> None:
    def before(ledger: Ledger) -> None:
        ledger.found(ALONE, finding(steps=2, stress=1))
        ledger.done(ALONE, replace(STUB, verify=PROVED, stress=stress(9, 1)), counts(1))

    ledger = resumed(tmp_path, before)
    [cell] = read_run(tmp_path).cells
    assert ledger.is_done(NAME)
    assert ledger.ended() == {NAME}
    assert ended(ledger) == cell
    assert cell.findings == ("findings/0001.json",)


def test_a_lost_cell_is_gone_on_with_and_its_loss_forgotten(tmp_path: Path) -> None:
    def before(ledger: Ledger) -> None:
        ledger.began(STUB)
        ledger.found(ALONE, finding(steps=2, stress=1))
        ledger.lost(ALONE, NAME, "killed")

    ledger = resumed(tmp_path, before)
    assert not ledger.is_done(NAME)
    ledger.began(STUB)
    ledger.done(ALONE, replace(STUB, verify=PROVED, stress=stress(9, 1)), counts(1))
    cell = ended(ledger)
    assert (cell.verdict, cell.error, cell.lost, cell.partial) == ("as_expected", "", False, False)


def test_the_platform_is_called_what_python_calls_it() -> None:
    assert host()["platform"] == platform.platform()
    assert host()["python"] == platform.python_version()
