"""Campaigns: cells x modes x budgets x processes, stored as they go.

Everything is stored before it is told: what was shown is still there after kill -9.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import RaceBenchError, UsageError
from ..records import Cell, Run
from ..scenario.scenario import Scenario
from ..scenario.selection import Target, choices, load_protocol
from .cell import CellResult, Earlier, Plan, Tell, failed, limit_s
from .child import Call
from .ledger import ALONE, CellName, Ledger
from .place import Place, in_child
from .pool import Job, Pool
from .resume import plan_record, plan_row
from .share import Share
from .stop import Stop
from .store import RunFolder

if TYPE_CHECKING:
    from ..report.regressions import Lineage

_WORTH_HELP_S, _MOST_LOSSES = 0.5, 5


class Options(NamedTuple):
    """The task of a campaign; ``seconds`` is for all of it, 0 if executions are counted instead.

    ``command`` is the command line that asked for it.
    """

    plan: Plan = Plan()
    seconds: float = 30.0
    jobs: int = 1
    out: Path | None = None
    resume: bool = False
    against: Sequence[Lineage] = ()
    command: str = ""


def cells_for(scenarios: Sequence[Scenario], protocols: Sequence[str] | None = None) -> list[Target]:
    """The targets of ``scenarios`` under ``protocols``; by default under those that each scenario names.

    For a Python scenario ``protocols`` select among its variants.  Runs a
    user's protocol file.  UsageError if no target is left, or two protocols have one id.
    """
    if protocols is None:
        targets = [Target(s, choice) for s in scenarios for choice in choices(s)]
    else:
        asked = list(dict.fromkeys(protocols))
        variants = {name for s in scenarios for name in s.variants}
        loaded = [load_protocol(spec) for spec in asked if spec not in variants]
        if len({c.id for c in loaded}) < len({c.spec for c in loaded}):
            raise UsageError("two protocols have the same name. Rename one, or run them apart.")
        chosen = {c.id: c for c in loaded}
        targets = []
        for s in scenarios:
            if s.variants:
                targets += [Target(s, c) for c in choices(s) if c.id in asked]
            else:
                targets += [Target(s, c) for c in chosen.values() if s.exists_under(c.code)]
    if not targets:
        what = "the scenarios name no such protocol, or do what its tree does not have"
        raise UsageError(f"no cell to run: {what}. Give another --protocol.")
    return targets


def run_campaign(targets: Sequence[Target], options: Options, tell: Tell, stop: Stop | None = None) -> Run:
    """Run a cell for each of ``targets``, in ``options.jobs`` child processes.

    ``tell`` gets "started" (number of cells, seconds), "given" (children have the first cells, so there is a
    moment of time), "cell_started", "cell_progress", "finding" (path in the folder or "", record; again when
    it has more evidence), "cell_done" (cell) and "note" (text).
    With ``options.out`` everything is stored there as it happens.  When
    ``stop`` is requested, or something fails, the results so far are stored first.
    """
    stop = stop or Stop()
    campaign = Campaign(targets, options, tell, stop)
    try:
        if campaign.waiting:
            with Pool(options.jobs, stop, len(campaign.waiting)) as pool:
                pool.run(campaign, meanwhile=lambda: tell("given"))
    finally:
        run = campaign.finish()
    return run


class _Piece(NamedTuple):
    """The work of one job: a whole cell or, under a ``visit`` of its own, help to hammer a running cell."""

    target: Target
    visit: str = ALONE


class Campaign:
    """One call of ``run_campaign``: each message goes to the ledger first, then on.

    It is the pool's employer: it gives the children the cells, one each.  When no cell is left, free
    children help to hammer the running cells, with seeds of their own; a search is always done by
    one child.
    """

    def __init__(self, targets: Sequence[Target], options: Options, tell: Tell, stop: Stop) -> None:
        self.targets, self.options, self.tell, self.stop = targets, options, tell, stop
        if "stress" not in options.plan.modes:
            for target in targets:
                if target.scenario.mix is not None:
                    what = f"{target.scenario.path}: its threads draw, so it can only be hammered."
                    raise UsageError(f"{what} Use `racebench run {target.scenario.name}`.")
        self.started = time.perf_counter()
        self.plan = plan_record(map(plan_row, targets), options.plan, options.seconds)
        if options.command:
            self.plan["command"] = options.command
        if options.against:
            self.plan["against"] = list(options.against)
        folder = None if options.out is None else RunFolder(options.out, resume=options.resume)
        self.ledger = Ledger(folder)
        if folder is not None:
            if folder.earlier.torn:
                tell("note", f"{folder.earlier.torn} torn line(s) in the journal: a run was cut off")
            if folder.earlier.plan is None:
                folder.add_plan(self.plan)
        self.waiting = deque(target for target in targets if not self.ledger.is_done(target.name))
        self._cells = len(self.waiting)
        self._running: Counter[CellName] = Counter()
        self._helpers: Counter[CellName] = Counter()
        self._losses: Counter[CellName] = Counter()
        # The cells that are being hammered, and the time at which that ends.
        self._hammered: dict[CellName, tuple[Target, float]] = {}
        tell("started", self._cells, options.seconds)

    def _share(self) -> float:
        """Seconds for the next cell."""
        seconds, cells, jobs = self.options.seconds, self._cells, self.options.jobs
        own = min(seconds, seconds * jobs / cells)
        if "stress" in self.options.plan.modes:
            return own
        rest = self.started + seconds - time.perf_counter()
        return max(own, min(rest, rest * jobs / len(self.waiting)))

    def next_job(self, free: int) -> Job | None:
        if not self.waiting:
            return self._help()
        seconds, plan = self._share(), self.options.plan
        target = self.waiting.popleft()
        earlier = self.ledger.began(target.cell(plan.modes))
        return self._job(_Piece(target), plan, seconds, earlier, last=not self.waiting)

    def _help(self) -> Job | None:
        """A job that helps the hammered cell with the fewest helpers so far; None if none needs help."""
        now = time.monotonic()
        left = {name: until - now for name, (_, until) in self._hammered.items()}
        worth = [n for n in left if left[n] > _WORTH_HELP_S and self._losses[n] < _MOST_LOSSES]
        if not worth:
            return None
        name = min(worth, key=self._helpers.__getitem__)
        self._helpers[name] += 1
        n = self._helpers[name]
        seed = Share(n, n + 1).seed(self.options.plan.seed)
        plan = self.options.plan._replace(modes=("stress",), seed=seed)
        return self._job(_Piece(self._hammered[name][0], f"helper {n}"), plan, left[name], Earlier())

    def _job(self, piece: _Piece, plan: Plan, seconds: float, earlier: Earlier, last: bool = False) -> Job:
        self._running[piece.target.name] += 1
        call = Call(in_child, (Place.of(piece.target), plan, seconds, earlier), last)
        return Job(piece, call, limit_s(plan, seconds), renewed=True)

    def on_message(self, job: Job, word: str, *what: Any) -> None:
        piece = job.asker
        if word == "finding":
            self.tell("finding", self.ledger.found(piece.visit, *what), *what)
        elif word == "cell_so_far":
            self.ledger.progressed(piece.visit, *what)
        elif piece.visit == ALONE and word in ("cell_started", "cell_progress"):
            if word == "cell_started":
                self._started(piece.target, *what[2:])
            self.tell(word, *what)

    def _started(self, target: Target, mode: str, seconds: float) -> None:
        self._hammered.pop(target.name, None)
        if mode == "stress":
            self._hammered[target.name] = target, time.monotonic() + seconds

    def done(self, job: Job, value: CellResult) -> None:
        self._over(job.asker, self.ledger.done(job.asker.visit, value.cell, value.seen))

    def failed(self, job: Job, error: RaceBenchError) -> None:
        """Handle a cell that could not be run at all."""
        self.done(job, failed(job.asker.target, error))

    def lost(self, job: Job, why: str) -> None:
        """Handle the loss of a process; its messages are kept, and --resume runs the cell again."""
        piece, out = job.asker, self.options.out
        self._losses[piece.target.name] += 1
        if out is not None:
            why = f"{why}. `racebench run --resume {out}` runs the cell again"
        self._over(piece, self.ledger.lost(piece.visit, piece.target.name, why))

    def _over(self, piece: _Piece, cell: Cell) -> None:
        """Handle the end of one job; the cell is done when all jobs on it have ended."""
        if piece.visit == ALONE:
            self._hammered.pop(cell.name, None)
        self._running[cell.name] -= 1
        if not self._running[cell.name]:
            self.tell("cell_done", cell)

    def finish(self) -> Run:
        """Store the run and return it."""
        names = [target.name for target in self.targets]
        # A failure may have ended the campaign early, too.
        interrupted = self.stop.asked or not self.ledger.ended() >= set(names)
        run = self.ledger.run(names, self.plan, interrupted)
        if self.options.against:
            # Imported only here, because it loads half of report/.
            from ..report.regressions import against

            all_of_it = run.cells, self.ledger.findings(), self.plan
            compared = [against(lineage, all_of_it, all_of_it) for lineage in self.options.against]
            run = replace(run, against=tuple(compared))
        self.ledger.finish(run)
        return run
