"""What the reporting process does with what items tell: merge, store, show."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ..campaign.cell import Plan
from ..campaign.merge import Merger
from ..errors import UsageError
from ..report.merged import failure, panels, race_report
from ..scenario.selection import name_of

# By name: to import it here would tell the plugin that there are race tests.
_RACE_FAILED = "racebench.pytest_plugin.race_test.RaceFailed"


@dataclass(frozen=True)
class Crash:
    """What pytest's short summary and JUnit's ``message`` take of a failure: the fields they ask for."""

    path: str
    lineno: int
    message: str


class Told:
    """A failure that shows ``text`` in full once and its first line elsewhere, as pytest's own do.

    A plain string is repeated whole in the short summary with -vv and wherever CI is set.
    pytest asks for these methods; the base class that has them is private to it.
    """

    def __init__(self, nodeid: str, text: str) -> None:
        self.text = text
        self.reprcrash = Crash(nodeid.partition("::")[0], 0, text.partition("\n")[0])

    def __str__(self) -> str:
        return self.text

    def toterminal(self, tw: Any) -> None:
        tw.line(self.text)


def _in_brief(report: pytest.TestReport) -> None:
    """The panel of a race test is not repeated where one line stands for the failure."""
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is not None and crash.message.startswith(_RACE_FAILED):
        crash.message = crash.message.partition("\n")[0]


class Controller:
    """Hears news, rewrites failures so that they name the stored files, prints the race report."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        out = config.getoption("race_out")
        try:
            self.merger = Merger(Path(out) if out else None, Plan(seed=config.getoption("race_seed")))
        except UsageError as error:
            raise pytest.UsageError(
                f"--race-out: {str(error).replace('--resume', 'racebench run --resume')}"
            ) from error
        self._cells: dict[str, tuple[str, str]] = {}
        self._failed: dict[str, dict[str, Any]] = {}
        self._run: dict[str, Any] | None = None

    def planned(self, ids: Sequence[str]) -> None:
        """Take the items of a session as its plan, if there are scenarios among them."""
        self.merger.planned(list(self._rows(ids)), self.config.getoption("race_time"))

    def _rows(self, ids: Sequence[str]) -> Iterator[dict[str, str]]:
        """The cells that item ids mean, each once."""
        from . import is_scenario

        seen: dict[tuple[str, str], None] = {}
        known: dict[str, Path | None] = {}
        for nodeid in ids:
            file, _, name = nodeid.partition("::")
            if file not in known:
                path = self._here(file)
                known[file] = path if is_scenario(path, file.endswith(".toml")) else None
            if known[file] is not None:
                seen[str(known[file]), name.partition("[")[0]] = None
        for path_text, protocol in seen:
            yield {"scenario": name_of(Path(path_text)), "file": path_text, "protocol": protocol}

    def _here(self, file: str) -> Path:
        """The file of an item id on this machine: a far worker's root may be another than ours."""
        parts = Path(file).parts
        bases = [self.config.rootpath, *(Path(arg).absolute() for arg in self.config.args)]
        for i in range(len(parts)):
            for base in (*bases, *(b.parent for b in bases[1:])):
                path = base.joinpath(*parts[i:])
                if path.is_file():
                    return path
        return bases[0] / file

    def heard(self, report: pytest.TestReport) -> None:
        """Take in the news of an item, out of the report, which pytest keeps."""
        for name, text in report.user_properties:
            if name != "race":
                continue
            message = json.loads(str(text))
            if "begin" in message:
                stub = message["begin"]
                self._cells[report.nodeid] = stub["scenario"], stub["protocol"]
            if "failed" in message:
                self._failed[report.nodeid] = message["failed"]
            self.merger.hear(report.nodeid, message)
        report.user_properties = []

    def shown(self, report: pytest.TestReport) -> None:
        """Write the failure of a visit anew: here the stored files and the width are known."""
        failed = self._failed.pop(report.nodeid, None)
        if failed is None:
            _in_brief(report)
            return
        record = failed["record"]
        cell = record["scenario"], record["protocol"]
        mine = [
            (self.merger.place(f), f)
            for _, f in self.merger.findings()
            if (f["scenario"], f["protocol"]) == cell and f["rule"] in record["found"]
        ]
        text = failure(record, mine, failed["known"], failed["stands"], self._width())
        report.longrepr = Told(report.nodeid, text)  # type: ignore[assignment]

    def crashed(self, nodeid: str, report: pytest.TestReport) -> None:
        """The worker of an item is gone: its findings are not."""
        cell = self._cells.get(nodeid)
        if cell is None:
            return
        stands = self.merger.stands(nodeid)
        why = "its worker outlived the time limit" if stands else "its worker crashed or was killed"
        self.merger.lost(nodeid, *cell, why)
        told = self.merger.of_visit(nodeid)
        parts = [str(report.longrepr)]
        if told:
            parts += ["what it had found by then:", panels(told, self._width())]
        if stands:
            parts += ["", stands]
        report.longrepr = Told(nodeid, "\n".join(parts))  # type: ignore[assignment]

    def finish(self, exitstatus: int) -> bool:
        """Store the run; whether it could not be."""
        if self._run is None:
            early = (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR)
            self._run = self.merger.finish(exitstatus in early)
        return bool(self.merger.trouble)

    def summary(self, terminal: Any) -> None:
        if self._run is None or not (self._run["cells"] or self.merger.trouble):
            return
        terminal.section("race report")
        writer = self.config.get_terminal_writer()
        folder, color = self._run["dir"] or "", bool(writer.hasmarkup)
        report = race_report(self._run, self.merger.findings(), folder, self._width(), color)
        terminal.write_line(report)
        if self.merger.trouble:
            terminal.write_line(self.merger.trouble)

    def _width(self) -> int:
        if not self.config.pluginmanager.hasplugin("terminalreporter"):
            return 100
        return min(self.config.get_terminal_writer().fullwidth, 120)
