"""One call of ``stress``: batches of collisions, each under a setting of the noise, until the time is up."""

from __future__ import annotations

import sys
from time import perf_counter, sleep
from typing import Any, TypedDict, Unpack

from ...errors import HarnessBug, ProgramError
from ...findings import FEWEST_COLLISIONS, Finding, Result, Verdict, miss_bound
from ...primitives import installed
from ...program import Program
from .. import osthreads
from ..blind_spots import NOTHING, judged
from ..delays import only_controlled
from ..garbage import leaves_nothing, tamed
from ..progress import PROGRESS_S, Progress, ProgressCall
from ..real import run as real
from .batches import Batches
from .noise import Adviser, Jolt
from .run import FreeRun
from .tally import FreeTally, Rings, no_rings
from .watchdog import Watchdog


class How(TypedDict, total=False):
    """The receiver of progress, and how long a thread may go without a step."""

    progress: ProgressCall | None
    stall_s: float


@leaves_nothing
def stress(
    program: Program,
    seconds: float = 2.0,
    seed: int = 0,
    *,
    stop_on_first: bool = False,
    rings: Rings = no_rings,
    **how: Unpack[How],
) -> Result:
    """Hammer ``program`` on free-running OS threads for ``seconds``; see ``modes.stress``.

    ``rings`` says which lock orders are inversions.  A program that runs only under control is not run.
    """
    refused = only_controlled(program)
    if refused:
        stats: dict[str, Any] = {"unseen": (refused,), "guarded": {}, "miss_bound": miss_bound(0, 0)}
        return Result(Verdict.UNKNOWN, False, 0, 0.0, (), stats=stats)
    return Stress(program, seed, rings, **how).go(seconds, stop_on_first)


class Stress:
    """One call of ``stress``."""

    def __init__(
        self,
        program: Program,
        seed: int,
        rings: Rings = no_rings,
        *,
        progress: ProgressCall | None = None,
        stall_s: float = osthreads.STALL_S,
    ) -> None:
        self.program, self.seed, self.progress = program, seed, progress
        self.run = FreeRun(program, seed)
        self.adviser = Adviser()
        self.tally = FreeTally(program, self.run, rings)
        self.interrupted = False
        self._stall_s = stall_s
        self.batches = Batches(len(self.adviser.settings))
        self._started = 0.0
        self._report_at = 0.0

    def go(self, seconds: float, stop_on_first: bool) -> Result:
        run, tally = self.run, self.tally
        self._started = self._report_at = perf_counter()
        watchdog = Watchdog(run, self._stall_s)
        with (
            installed(run),
            real.installed(self.program, run.blind_spots.say),
            osthreads.switch_interval_restored(),
            tamed() as collector,
        ):
            run.start()
            watchdog.start()
            try:
                # The collisions are checked first: on a busy machine thread starts may take all the time.
                least = FEWEST_COLLISIONS if seconds > 0 else 0
                while tally.collisions < least or perf_counter() - self._started < seconds:
                    if not self._one_batch() or (stop_on_first and tally.failures):
                        break
                    run.retire()
                    collector.collect()
                    self._report()
            except KeyboardInterrupt:
                self.interrupted = True
                self._drain()
            except ProgramError as error:
                error.findings = tally.findings("stress", self.seed)
                raise
            finally:
                run.set_noisy(False)
                watchdog.close()
                run.close()
        if run.watchdog_error is not None:
            raise HarnessBug(f"the watchdog failed: {run.watchdog_error!r}") from run.watchdog_error
        result = judged(self._result(perf_counter() - self._started), run.blind_spots.sentences())
        run.forget()
        return result

    def _one_batch(self) -> bool:
        run, at = self.run, self.adviser.choose()
        setting = self.adviser.settings[at]
        size = self.batches.next(at)
        run.noise.setting = setting
        started = perf_counter()
        # Only noisy steps are checked for stray threads: in the first setup too, for a thread that it starts.
        run.set_noisy(not self.tally.collisions)
        run.prepare(size)
        sys.setswitchinterval(setting.switch_interval_s)
        run.set_noisy(setting.jolt is not Jolt.NONE)
        whole = run.collide()
        run.set_noisy(False)
        failures = self.tally.take(size, self._started)
        took = perf_counter() - started
        self.adviser.learn(at, took, failures)
        self.batches.took(at, size, took)
        run.strangers.check()
        if run.refusal:
            raise ProgramError(run.refusal)
        return whole

    def _drain(self) -> None:
        """Let the workers end their collision after Ctrl-C, and keep what they found."""
        run = self.run
        run.stopping = True
        run.noise.let_go()
        deadline = perf_counter() + 1.0
        while not all(w.idle for w in run.everyone) and perf_counter() < deadline:
            sleep(0.005)
        for worker in run.everyone:
            if not worker.idle:
                worker.lost = True
        run.set_noisy(False)

    def _report(self) -> None:
        now = perf_counter()
        if self.progress is not None and now >= self._report_at:
            self._report_at = now + PROGRESS_S
            note = str(self.run.noise.setting)
            self.progress(Progress(self.tally.collisions, self.tally.failures, now - self._started, note))

    def _result(self, seconds: float) -> Result:
        tally = self.tally
        findings: tuple[Finding, ...] = tally.findings("stress", self.seed)
        verdict = Verdict.FOUND if findings else Verdict.CLEAN
        if not findings and (self.interrupted or tally.collisions < FEWEST_COLLISIONS):
            verdict = Verdict.UNKNOWN
        stats = {
            "miss_bound": miss_bound(tally.collisions, tally.failures),
            "detect_us": [ns / 1000 for ns in self.run.waits.detect_ns],
            "guarded": dict(tally.guarded),
            "returned": tally.returned(self.program.parts),
            "lost": [w.name for w in self.run.everyone if w.lost],
        }
        if tally.collisions and not self.run.touched:
            self.run.blind_spots.say(NOTHING)
        result = Result(
            verdict, False, tally.collisions, seconds, findings, tally.first_finding,
            tally.failures, tally.first_s, self.interrupted, stats,
        )  # fmt: skip
        return result
