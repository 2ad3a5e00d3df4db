"""Merge, store and show the messages of items, in the reporting process."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ..campaign.cell import Plan
from ..campaign.ledger import Ledger
from ..campaign.results import read_findings, read_run
from ..campaign.resume import plan_record
from ..campaign.store import RunFolder
from ..errors import ResultError, UsageError
from ..findings import CellVerdict
from ..records import Cell, FindingRecord, Run
from ..report.annotations import github_lines, wanted
from ..report.stored_run import Pairs, Stored
from ..report.testrun import failure, in_brief, panels, race_report
from ..scenario.selection import name_of

# By name: an import here would make the plugin believe that there are race tests.
_RACE_FAILED = "racebench.pytest_plugin.race_test.RaceFailed"


class Told:
    """A failure that shows the text of ``draw`` once and ``line`` elsewhere, as pytest's own failures do.

    pytest repeats a plain string whole in the short summary, with -vv and wherever CI is set.
    It looks for these methods; the base class that defines them is private to pytest.
    """

    def __init__(self, nodeid: str, line: str, draw: Callable[[bool], str]) -> None:
        # Pytest's short summary and JUnit's ``message`` read these.
        self.reprcrash = SimpleNamespace(path=nodeid.partition("::")[0], lineno=0, message=line)
        self._text, self._coloured = draw(False), draw(True)

    def __str__(self) -> str:
        return self._text

    def toterminal(self, tw: Any) -> None:
        tw.line(self._coloured if tw.hasmarkup else self._text)


def _in_brief(report: pytest.TestReport) -> None:
    """Cut the message of a race test's failure to one line, so that its panel is not repeated."""
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is not None and crash.message.startswith(_RACE_FAILED):
        crash.message = crash.message.partition("\n")[0].removeprefix(f"{_RACE_FAILED}: ")


class Controller:
    """Handles messages, adds the stored files to failures, prints the race report.

    It is a plugin of its own, which the first message registers, and so has the other hooks.
    If the folder can no longer be written, the run goes on: ``trouble`` says so once,
    and the report has all findings nevertheless.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.trouble = ""
        out = config.getoption("race_out")
        try:
            self._folder = RunFolder(Path(out)) if out else None
            # A test may change the working folder.
            self._root = Path(out or "").absolute()
        except UsageError as error:
            raise pytest.UsageError(
                f"--race-out: {str(error).replace('--resume', 'racebench run --resume')}"
            ) from error
        self.ledger = Ledger(self._folder)
        self._options: dict[str, Any] = {}
        self._cells: dict[str, tuple[str, str]] = {}
        self._failed: dict[str, dict[str, Any]] = {}
        self._run: Run | None = None

    def _stored(self, store: Callable[..., Any], *what: Any) -> None:
        try:
            store(*what)
        except UsageError as error:
            self.trouble = str(error)

    def planned(self, ids: Sequence[str]) -> bool:
        """Store the plan of a session; return whether there are scenarios among its items."""
        rows = list(self._rows(ids))
        if rows and not self._options:
            plan = Plan(seed=self.config.getoption("race_seed"))
            seconds = self.config.getoption("race_time") * len(rows)
            self._options = plan_record(rows, plan, seconds)
            if self._folder is not None:
                self._stored(self._folder.add_plan, self._options)
        return bool(rows)

    def _rows(self, ids: Sequence[str]) -> Iterator[dict[str, str]]:
        """The cells of these item ids, each once."""
        from . import is_scenario

        seen: dict[tuple[str, str], None] = {}
        known: dict[str, Path | None] = {}
        for nodeid in ids:
            file, _, name = nodeid.partition("::")
            if file not in known:
                path = self._here(file)
                known[file] = path if is_scenario(path) else None
            if known[file] is not None:
                seen[str(known[file]), name.partition("[")[0]] = None
        for path_text, protocol in seen:
            yield {"scenario": name_of(Path(path_text)), "file": path_text, "protocol": protocol}

    def _here(self, file: str) -> Path:
        """The file of an item id on this machine; a remote worker's root may differ from ours."""
        parts = Path(file).parts
        bases = [self.config.rootpath, *(Path(arg).absolute() for arg in self.config.args)]
        for i in range(len(parts)):
            for base in (*bases, *(b.parent for b in bases[1:])):
                path = base.joinpath(*parts[i:])
                if path.is_file():
                    return path
        return bases[0] / file

    def heard(self, report: pytest.TestReport) -> None:
        """Handle the messages in a report, and remove them from it, because pytest keeps reports."""
        for name, text in report.user_properties:
            if name == "race":
                self._hear(report.nodeid, json.loads(str(text)))
        report.user_properties = []

    def _hear(self, visit: str, message: Mapping[str, Any]) -> None:
        if "begin" in message:
            cell = Cell.from_json(message["begin"], visit)
            self._cells[visit] = cell.name
            self._stored(self.ledger.began, cell)
        if "found" in message:
            self._stored(self.ledger.found, visit, FindingRecord.from_json(message["found"], visit))
        if "done" in message:
            cell = Cell.from_json(message["done"], visit)
            self._stored(self.ledger.done, visit, cell, message["seen"])
        if "failed" in message:
            self._failed[visit] = message["failed"]
        if "lost" in message:
            self._stored(self.ledger.lost, visit, self._cells[visit], message["lost"])

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Rewrite the failure of a visit: this process knows the stored files and the terminal's width."""
        if not report.failed:
            return
        failed = self._failed.pop(report.nodeid, None)
        if failed is None:
            _in_brief(report)
            return
        cell = Cell.from_json(failed["cell"], report.nodeid)
        records = self.ledger.findings(cell.name)
        mine = self._shown([(path, record) for path, record in records if record.finding.rule in cell.found])
        draw = partial(failure, cell, mine, failed["known"], failed["stands"], self._width())
        report.longrepr = Told(report.nodeid, in_brief(cell, mine), draw)  # type: ignore[assignment]

    @pytest.hookimpl(optionalhook=True)
    def pytest_handlecrashitem(self, crashitem: str, report: pytest.TestReport) -> None:
        """Handle the loss of an item's worker; the findings that it reported are kept."""
        cell = self._cells.get(crashitem)
        if cell is None:
            return
        self._stored(self.ledger.lost, crashitem, cell, "its worker crashed or was killed")
        records = self.ledger.found_by(crashitem)
        crash = str(report.longrepr)

        def draw(color: bool) -> str:
            drawn = panels(self._shown(records), self._width(), color)
            return "\n".join([crash, *(["what it had found by then:", drawn] if records else [])])

        report.longrepr = Told(crashitem, crash.partition("\n")[0], draw)  # type: ignore[assignment]

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Store the run, and set the exit status, for which all visits of a cell count together.

        Shards and rounds of a cell may each be fine, and together have no answer.
        """
        if self._run is None:
            order = sorted(self._cells.values())
            interrupted = exitstatus in (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR)
            self._run = self.ledger.run(order, self._options, interrupted)
            self._stored(self.ledger.finish, self._run)
        if self.trouble:
            session.exitstatus = pytest.ExitCode.INTERNAL_ERROR
            return
        # A race test's own outcome counts, because another test may want it to fail.
        cells = [cell for cell in self._run.cells if "::" not in cell.scenario]
        fine = all(cell.verdict == CellVerdict.AS_EXPECTED.value for cell in cells)
        if not fine and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        run, terminal = self._run, terminalreporter
        if run is None or not (run.cells or self.trouble):
            return
        terminal.section("race report")
        writer = self.config.get_terminal_writer()
        folder = "" if self._folder is None else str(self._folder.path)
        color = bool(writer.hasmarkup)
        terminal.write_line(race_report(*self._reported(run), folder, self._width(), color))
        if self.trouble:
            terminal.write_line(self.trouble)
        if wanted(os.environ):
            for line in github_lines(Stored(*self._reported(run), folder=folder)):
                terminal.write_line(line)

    def _reported(self, run: Run) -> tuple[Run, Pairs]:
        """The stored run, as ``racebench explain`` reads it; or the ledger's, if there is no stored one."""
        if self._folder is not None and not self.trouble:
            try:
                return read_run(self._root), read_findings(self._root)
            except (ResultError, OSError) as error:
                self.trouble = str(error)
        return run, self.ledger.findings()

    def _shown(self, findings: Pairs) -> Pairs:
        """``findings`` with paths that ``racebench replay`` accepts."""
        root = "" if self._folder is None else self._folder.path
        return [(str(Path(root, path)) if path else "", record) for path, record in findings]

    def _width(self) -> int:
        if not self.config.pluginmanager.hasplugin("terminalreporter"):
            return 100
        return min(self.config.get_terminal_writer().fullwidth, 120)
