"""The ledger of a run: it folds all messages about cells into a Run, and stores it.

A visit is one piece of the work on a cell: all of it, done here or in a child process;
a shard or a round in a worker of xdist; or the rest that a resumed run does.  A visit
always reports its own total so far, never the difference to its last message.  So
a message that arrives twice, or after a later one, changes nothing, and a sender
may be killed at any moment.  Counts are summed over the visits.

If there is a folder, a message is stored before the call returns: a finding when it
is new or has a better schedule or more evidence, a cell when it is done or says
something new.  Counts are written again each time they have doubled, and at the end.
A folder that cannot be written is a UsageError; the messages are kept all the same,
and ``finish`` writes them if it can.

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
"""The visit that does a whole cell; it continues the result that an earlier run of the folder stored."""

_EXPECTATION = ("expected", "allowed", "settles", "hammered", "proof", "title", "tags", "phrase")
_WORTH_STORING_S = 10.0
# A kill loses at most a tenth of what a running cell has done; of a cell that is done only counts.
_GROWN_PARTIAL, _GROWN = 1.1, 2.0


class _Known:
    """One signature in one cell: its best record, and how often the visits saw it.

    ``record`` has the counts of the closed visits, ``visits`` those of each open visit;
    ``stored`` is the record in the folder.
    """

    def __init__(self, record: FindingRecord, path: str = "", stored: FindingRecord | None = None) -> None:
        self.record, self.path, self.stored = record, path, stored
        self.visits: dict[str, dict[str, int]] = {}

    def see(self, visit: str, seen: Mapping[str, int]) -> None:
        mine = self.visits.setdefault(visit, {})
        for mode, n in seen.items():
            # A delayed message may have a lower count than the one that is known.
            mine[mode] = max(n, mine.get(mode, 0))

    def close(self, visit: str) -> None:
        self.record = self.record.counted(self.visits.pop(visit, {}))

    def whole(self) -> FindingRecord:
        record = self.record
        for seen in self.visits.values():
            record = record.counted(seen)
        return record


class _Account:
    """One cell: its open visits, and the sum of the closed ones.

    ``expects``: the expectation is known.  ``done``: a visit has ended and was not
    cut off.  ``lost`` says how the most recently lost visit ended.
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
        """Take the expectation from ``cell``, the first time only."""
        if not self.expects:
            self.expects = True
            given: dict[str, Any] = {name: getattr(cell, name) for name in _EXPECTATION}
            self.total = replace(self.total, **given)

    def cell(self) -> Cell:
        """The cell as it stands, with its verdict."""
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
            # Other visits may have found an answer without the lost one; if not, the cell has none.
            cell = replace(cell, error=self.lost, lost=True, partial=True).judged()
        return cell


class Ledger:
    """The state of a run's cells; ``folder`` stores it, None stores nothing."""

    def __init__(self, folder: RunFolder | None = None) -> None:
        self.folder = folder
        self._started = time.perf_counter()
        self._before = (
            {} if folder is None else {n: c for n, c in folder.earlier.cells.items() if not c.partial}
        )
        self._accounts: dict[CellName, _Account] = {}
        self._found_by: defaultdict[str, list[_Known]] = defaultdict(list)

    # -- messages of visits

    def began(self, cell: Cell) -> Earlier:
        """Open the account of a cell of which only the expectation is known.

        Returns what an earlier run of the folder stored of it, which is kept as the visit ``ALONE``.
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
        """Handle a finding that is new or has more evidence; return its path, empty without a folder."""
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
        # The counts of a closed visit are in the record already: adding them would count twice.
        if visit not in account.closed:
            known.see(visit, record.seen)
        if known.stored is None or known.stored.finding is not known.record.finding:
            self._write(known)
        # Another signature of a known rule changes no verdict, and there may be thousands.
        if new_rule and account.stored is not None:
            self._keep(account)
        return known.path

    def progressed(self, visit: str, cell: Cell, seen: Seen) -> None:
        """Handle the intermediate result of ``visit``, which is still running."""
        account = self._account(cell.name)
        # A message has the visit's whole result so far, and its seconds only grow.  So a message with
        # fewer seconds than are known was overtaken by a later one, which contains it.
        if visit in account.closed or cell.seconds < account.visits.get(visit, cell).seconds:
            return
        self._take(account, visit, cell, seen)
        self._keep(account)

    def done(self, visit: str, cell: Cell, seen: Seen) -> Cell:
        """Handle the end of ``visit``; return its cell as it now stands.  ``cell.partial``: cut off."""
        account = self._account(cell.name)
        if visit not in account.closed:
            self._take(account, visit, cell, seen)
            account.done |= not cell.partial
            self._close(account, visit)
            self._keep(account)
        return account.cell()

    def lost(self, visit: str, name: CellName, why: str) -> Cell:
        """Close ``visit``, whose process is gone.  What it has reported stays."""
        account = self._account(name)
        if visit not in account.closed:
            account.lost = why
            self._close(account, visit)
            self._keep(account, always=not account.done)
        return account.cell()

    # -- what is known

    def ended(self) -> set[CellName]:
        """The cells that have a closed visit, in this run, or are done in an earlier run of the folder."""
        return {name for name, account in self._accounts.items() if account.closed} | self._before.keys()

    def is_done(self, name: CellName) -> bool:
        """Whether an earlier run of the folder has finished a cell."""
        return name in self._before

    def findings(self, cell: CellName | None = None) -> list[tuple[str, FindingRecord]]:
        """(path in the folder or "", finding) of all that were reported, of one cell or of all."""
        accounts = self._accounts.values() if cell is None else [self._account(cell)]
        records = [(known.path, known.whole()) for account in accounts for known in account.findings.values()]
        if cell is None and self.folder is not None:
            done = self._before.keys() - self._accounts.keys()
            records += [pair for name in done for pair in self.folder.findings_of(name)]
        return records

    def found_by(self, visit: str) -> list[tuple[str, FindingRecord]]:
        """(path, finding) of the findings that ``visit`` was the first to report."""
        return [(known.path, known.whole()) for known in self._found_by[visit]]

    def run(self, order: Iterable[CellName], options: Mapping[str, Any], interrupted: bool) -> Run:
        """The run as it stands, its cells in ``order``, then the others."""
        known = {name: account.cell() for name, account in self._accounts.items()} | self._before
        cells = tuple(known[name] for name in dict.fromkeys((*order, *known)) if name in known)
        seconds = round(time.perf_counter() - self._started, 3)
        return Run(cells, options, host(), wall_s=seconds, interrupted=interrupted)

    def finish(self, run: Run) -> None:
        """Store ``run``, and everything that is not stored yet."""
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
        # Later messages of the visit are ignored, so its result is added to the total exactly once.
        account.closed.add(visit)
        if visit in account.visits:
            account.total = account.total.plus(account.visits.pop(visit))
        for known in account.findings.values():
            known.close(visit)

    # -- storing

    def _keep(self, account: _Account, always: bool = False) -> None:
        """Store a cell, and how often its findings were seen, if that adds enough to what is stored."""
        if self.folder is None:
            return
        before = account.stored
        now = always or _worth(account.cell(), before)
        for known in account.findings.values():
            count, stored = known.whole().count, 0 if known.stored is None else known.stored.count
            if count >= 2 * stored or (now and count > stored):
                self._write(known)
        # Built only now, because now all its findings have a path.
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
    """Whether ``cell`` adds enough to ``before``, the stored one, to be stored again."""
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
    """The machine of a run; ``cores`` are those that this process may use."""
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
    """The text of ``platform.platform()``, without the process that it starts."""
    with suppress(AttributeError, OSError, TypeError, ValueError):
        libc, version = os.confstr("CS_GNU_LIBC_VERSION").split()  # type: ignore[union-attr]
        uname = os.uname()
        return f"{uname.sysname}-{uname.release}-{uname.machine}-with-{libc}{version}"
    import platform

    return platform.platform()
