"""An explorer in a process of its own, for a search that another process owns (see ``sharing``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from ..errors import ProgramError
from ..program import Program
from .bounded import Bounded
from .controlled import MAX_STEPS, Scheduler
from .evidence import Detect, nothing
from .garbage import leaves_nothing
from .parts import Explorer, Part, Report
from .search import Search
from .verifying import stalled

_LONGEST = 256


class Line(Protocol):
    """The helper's line to the owner: what ``sharing.Crew`` says it is told, and ``("home", None)``."""

    def receive(self) -> tuple[str, Any]:
        """The next word, whenever it comes."""

    def news(self) -> Sequence[tuple[str, Any]]:
        """What came since the last call."""

    def report(self, report: Report) -> None: ...


@leaves_nothing
def help_verify(
    program: Program, line: Line, *, max_steps: int = MAX_STEPS, detect: Detect = nothing
) -> None:
    """Explore parts of the search of ``program`` until told to go home."""
    with Scheduler(program, max_steps=max_steps, ghost=True) as scheduler:
        helper = Helper(scheduler, line, detect)
        while True:
            word, what = line.receive()
            if word == "home" or (word == "part" and not helper.explore(what)):
                return


class Helper:
    """Explores one part after another."""

    def __init__(self, scheduler: Scheduler, line: Line, detect: Detect) -> None:
        self.scheduler, self.line, self.detect = scheduler, line, detect

    def explore(self, part: Part) -> bool:
        """Explore ``part``, reporting ever more rarely; False if told to go home before the end."""
        explorer = self._explorer(part)
        report, length = Report(), 1
        while True:
            try:
                self._execute(explorer, report)
                report.over = not explorer.advance()
            except ProgramError as error:
                report.failed = str(error)
            now = report.over or report.stuck or report.failed is not None
            for word, _ in self.line.news():
                if word == "home":
                    return False
                if word == "split" and not now:
                    explorer.split()
                    now = True
            if now or explorer.executions + explorer.redundant >= length:
                length = min(2 * length, length + _LONGEST)
                self._send(explorer, report)
                if report.over or report.stuck or report.failed is not None:
                    return True
                report = Report()

    def _explorer(self, part: Part) -> Explorer:
        self._before = 0, 0
        if part.bound is None:
            return Search(self.scheduler, part)
        return Bounded(self.scheduler, part.bound, part)

    def _execute(self, explorer: Explorer, report: Report) -> None:
        outcome = explorer.execute()
        if outcome is None:
            return
        done = explorer.executions - self._before[0]
        report.tally.add(outcome, done, "exhaustive")
        report.tally.look(self.detect, self.scheduler, outcome, done, "exhaustive")
        report.stuck = bool(self.scheduler.lost or self.scheduler.hangs or stalled(outcome))

    def _send(self, explorer: Explorer, report: Report) -> None:
        executions, redundant = self._before
        report.executions = explorer.executions - executions
        report.redundant = explorer.redundant - redundant
        self._before = explorer.executions, explorer.redundant
        report.levels, report.reversals = explorer.handed_over(), explorer.learned()
        report.done, report.cut = explorer.done(), explorer.cut
        report.tally.unseen.update(self.scheduler.unseen.sentences())
        self.line.report(report)
