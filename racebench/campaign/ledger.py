"""One ledger for what is told of a run's cells, whoever tells it: it folds that into a Run, and stores it.

A visit is one piece of a cell's work: all of it here or in a child process, a
shard or a round in a worker of xdist, what a resumed run goes on with.  It
tells what it alone has come to so far, never what came since it last spoke; so
a message that is heard twice, or after a later one, changes nothing, and whoever
sends may be killed at any moment.  Counts add up over visits.

What is heard is stored before the call returns, if there is a folder: a finding
when it is new or better shown, a cell when it is done or says something new.
Counts are written again each time they have doubled, and at the end.  A folder
that cannot be written is a UsageError; what was heard is kept all the same, and
written by ``finish`` if it can be.

Assumes: one thread uses it.
"""

from __future__ import annotations

import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from ..records import Cell, FindingRecord, Run
from ..records.encoding import has_gil
from .cell import Earlier, Seen
from .store import RunFolder

CellName = tuple[str, str]
ALONE = ""
"""The visit that has its cell for itself, and goes on with what an earlier run of the folder had of it."""

_WORTH_STORING_S = 10.0
# A kill costs a tenth of what a cell that goes on has come to; of one that is done, counts alone.
_GROWN_PARTIAL, _GROWN = 1.1, 2.0


class _Known:
    """One signature in one cell: what shows it best, and how often the visits saw it.

    ``record`` has the counts of those that are over, ``visits`` of each that goes on;
    ``stored`` is what the folder has.
    """

    def __init__(self, record: FindingRecord, path: str = "", stored: FindingRecord | None = None) -> None:
        self.record, self.path, self.stored = record, path, stored
        self.visits: dict[str, dict[str, int]] = {}

    def see(self, visit: str, seen: Mapping[str, int]) -> None:
        mine = self.visits.setdefault(visit, {})
        for mode, n in seen.items():
            # Heard late, a count may be lower than the one that is known.
            mine[mode] = max(n, mine.get(mode, 0))

    def close(self, visit: str) -> None:
        self.record = self.record.counted(self.visits.pop(visit, {}))

    def whole(self) -> FindingRecord:
        record = self.record
        for seen in self.visits.values():
            record = record.counted(seen)
        return record


class _Account:
    """One cell: the visits to it that go on, and the sum of those that are over.

    ``expects``: it is known what is expected.  ``done``: a visit came to its end, and
    was not cut off.  ``lost`` says how the last one went that was lost.
    """

    def __init__(self, total: Cell) -> None:
        self.total = total
        self.visits: dict[str, Cell] = {}
        self.closed: set[str] = set()
        self.findings: dict[str, _Known] = {}
        self.expects = self.done = False
        self.lost = ""
        self.stored: Cell | None = None

    def expect(self, cell: Cell) -> None:
        """The first to speak of the cell says what is expected of it."""
        if not self.expects:
            self.expects = True
            self.total = replace(
                self.total,
                expected=cell.expected,
                allowed=cell.allowed,
                settles=cell.settles,
                hammered=cell.hammered,
                proof=cell.proof,
                title=cell.title,
                tags=cell.tags,
                phrase=cell.phrase,
            )

    def cell(self) -> Cell:
        """The cell as it stands, judged."""
        cell = self.total
        for visit in self.visits.values():
            cell = cell.plus(visit)
        unproved = cell.proof and cell.verify is None and not cell.error
        cell = replace(
            cell,
            found=tuple(sorted({known.record.finding.rule for known in self.findings.values()})),
            findings=tuple(sorted(known.path for known in self.findings.values() if known.path)),
            partial=unproved or not self.done,
        ).judged()
        if self.lost and (not self.done or cell.verdict == "unknown"):
            # Others may have come to an answer without the visit that was lost; alone it gives none.
            cell = replace(cell, error=self.lost, lost=True, partial=True).judged()
        return cell


class Ledger:
    """What is known of a run's cells; ``folder`` keeps it, None to store nothing."""

    def __init__(self, folder: RunFolder | None = None) -> None:
        self.folder = folder
        self._started = time.perf_counter()
        self._before = (
            {} if folder is None else {n: c for n, c in folder.earlier.cells.items() if not c.partial}
        )
        self._accounts: dict[CellName, _Account] = {}
        self._found_by: defaultdict[str, list[_Known]] = defaultdict(list)

    # -- what visits tell

    def began(self, cell: Cell) -> Earlier:
        """A cell of which nothing is known but what is expected.

        Returns what an earlier run of the folder had of it, which is kept as told by ``ALONE``.
        """
        new = cell.name not in self._accounts
        account = self._account(cell.name)
        account.expect(cell)
        if not new or self.folder is None:
            return Earlier()
        findings = self.folder.findings_of(cell.name)
        for path, record in findings:
            known = _Known(replace(record, seen={}), path, record)
            known.see(ALONE, record.seen)
            account.findings[record.finding.signature] = known
        before = self.folder.earlier.cells.get(cell.name)
        if before is not None:
            proof = before.verify if before.verify is not None and before.verify.complete else None
            account.visits[ALONE] = replace(cell, stress=before.stress, verify=proof)
        return Earlier(account.visits.get(ALONE), tuple(record for _, record in findings))

    def found(self, visit: str, record: FindingRecord) -> str:
        """A finding is new, or has more to say; returns its path in the folder, empty if there is none."""
        account = self._account(record.cell)
        known = account.findings.get(record.finding.signature)
        new_rule = False
        if known is None:
            new_rule = all(k.record.finding.rule != record.finding.rule for k in account.findings.values())
            known = account.findings[record.finding.signature] = _Known(replace(record, seen={}))
            self._found_by[visit].append(known)
        elif record.better(known.record) or (
            record.finding.schedule == known.record.finding.schedule
            and record.finding.evidence != known.record.finding.evidence
        ):
            known.record = known.record.showing(record)
        # The counts of a visit that is over are in the record: once more they would count twice.
        if visit not in account.closed:
            known.see(visit, record.seen)
        if known.stored is None or known.stored.finding is not known.record.finding:
            self._write(known)
        # Another signature of a known rule changes no verdict, and there may be thousands.
        if new_rule and account.stored is not None:
            self._keep(account)
        return known.path

    def progressed(self, visit: str, cell: Cell, seen: Seen) -> None:
        """What ``visit``, which goes on, has come to so far."""
        account = self._account(cell.name)
        # A visit tells all that it has come to, and its seconds only grow: one with fewer than are known
        # was overtaken by a later one, and what it says is in that one already.
        if visit in account.closed or cell.seconds < account.visits.get(visit, cell).seconds:
            return
        self._take(account, visit, cell, seen)
        self._keep(account)

    def done(self, visit: str, cell: Cell, seen: Seen) -> Cell:
        """``visit`` is over; returns its cell as it now stands.  ``cell.partial``: it was cut off."""
        account = self._account(cell.name)
        if visit not in account.closed:
            self._take(account, visit, cell, seen)
            account.done |= not cell.partial
            self._close(account, visit)
            self._keep(account)
        return account.cell()

    def lost(self, visit: str, name: CellName, why: str) -> Cell:
        """``visit`` will never end: its process is gone.  What it told stays."""
        account = self._account(name)
        if visit not in account.closed:
            account.lost = why
            self._close(account, visit)
            self._keep(account, always=not account.done)
        return account.cell()

    # -- what is known

    def ended(self) -> set[CellName]:
        """The cells of which a visit has ended, in this run or in an earlier one of the folder."""
        return {name for name, account in self._accounts.items() if account.closed} | self._before.keys()

    def is_done(self, name: CellName) -> bool:
        """Whether an earlier run of the folder was done with a cell."""
        return name in self._before

    def findings(self, cell: CellName | None = None) -> list[tuple[str, FindingRecord]]:
        """(path in the folder or "", finding) of all that was told, of one cell or of all."""
        accounts = self._accounts.values() if cell is None else [self._account(cell)]
        records = [(known.path, known.whole()) for account in accounts for known in account.findings.values()]
        if cell is None and self.folder is not None:
            done = self._before.keys() - self._accounts.keys()
            records += [pair for name in done for pair in self.folder.findings_of(name)]
        return records

    def found_by(self, visit: str) -> list[tuple[str, FindingRecord]]:
        """What ``visit`` was the first to tell."""
        return [(known.path, known.whole()) for known in self._found_by[visit]]

    def run(self, order: Iterable[CellName], options: Mapping[str, Any], interrupted: bool) -> Run:
        """The run as it stands, its cells in ``order``, then the others."""
        known = {name: account.cell() for name, account in self._accounts.items()} | self._before
        cells = tuple(known[name] for name in dict.fromkeys((*order, *known)) if name in known)
        seconds = round(time.perf_counter() - self._started, 3)
        return Run(cells, options, host(), wall_s=seconds, interrupted=interrupted)

    def finish(self, run: Run) -> None:
        """Store what is not yet, and ``run``."""
        if self.folder is None:
            return
        for account in self._accounts.values():
            self._keep(account, always=True)
        self.folder.finish(run)

    # -- folding

    def _account(self, name: CellName) -> _Account:
        return self._accounts.setdefault(name, _Account(Cell(*name)))

    def _take(self, account: _Account, visit: str, cell: Cell, seen: Seen) -> None:
        account.expect(cell)
        account.visits[visit] = cell
        for signature, counts in seen.items():
            if signature in account.findings:
                account.findings[signature].see(visit, counts)

    def _close(self, account: _Account, visit: str) -> None:
        # From now on no message of the visit is heard, so what it had is added to the sum exactly once.
        account.closed.add(visit)
        if visit in account.visits:
            account.total = account.total.plus(account.visits.pop(visit))
        for known in account.findings.values():
            known.close(visit)

    # -- storing

    def _keep(self, account: _Account, always: bool = False) -> None:
        """Store a cell, and how often its findings were seen, if that says something new."""
        if self.folder is None:
            return
        before = account.stored
        now = always or _worth(account.cell(), before)
        for known in account.findings.values():
            count, stored = known.whole().count, 0 if known.stored is None else known.stored.count
            if count >= 2 * stored or (now and count > stored):
                self._write(known)
        # Only now have all its findings a path.
        cell = account.cell()
        if now and cell != before:
            self.folder.add_cell(cell)
            account.stored = cell

    def _write(self, known: _Known) -> None:
        if self.folder is not None:
            record = known.whole()
            known.path = self.folder.add_finding(record)
            known.stored = record


def _worth(cell: Cell, before: Cell | None) -> bool:
    """Whether ``cell`` says enough that ``before``, which is stored of it, does not."""
    if cell.partial:
        least = 0.0 if before is None else before.seconds * _GROWN_PARTIAL
        return cell.seconds >= max(_WORTH_STORING_S, least)
    if before is None or before.partial:
        return True
    if (cell.verdict, cell.found) != (before.verdict, before.found):
        return True
    more = 0 < 2 * len(before.findings) <= len(cell.findings)
    return more or cell.seconds >= before.seconds * _GROWN


def host() -> dict[str, Any]:
    """Where a run ran; ``cores`` are those that this process may use."""
    cores = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    return {
        "python": sys.version.split()[0],
        "gil": has_gil(),
        "cores": cores,
        "platform": _platform(),
    }


def _platform() -> str:
    """What ``platform.platform()`` says, which starts a process for that."""
    with suppress(AttributeError, OSError, TypeError, ValueError):
        libc, version = os.confstr("CS_GNU_LIBC_VERSION").split()  # type: ignore[union-attr]
        uname = os.uname()
        return f"{uname.sysname}-{uname.release}-{uname.machine}-with-{libc}{version}"
    import platform

    return platform.platform()
