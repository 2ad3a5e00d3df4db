"""What this machine can do: floors, rates, overhead, as ratios measured in one run."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from .. import vgic
from ..detect import detect
from ..engine.control.scheduler import Scheduler
from ..engine.free.run import FreeRun
from ..engine.osthreads import pinned
from ..engine.search.evidence import look
from ..engine.search.loop import outcomes
from ..engine.search.optimal import Search
from ..engine.search.relation import Relation
from ..engine.tally import Tally
from ..primitives import installed
from ..program import Program
from . import modes
from .scaling import scaling

Say = Callable[[str], None]
Figures = dict[str, float | None]

_ROUTE = {"toolstack0": "route virq=40 pirq=64", "toolstack1": "route virq=40 pirq=65"}
_IRQ = {"pcpu1": "irq pirq=64", "vcpu0": "icenabler virq=40"}
_ROUTED = vgic.Initial(routed=((40, 64, True),))
_HANDOVERS, _LOCKINGS, _OPERATIONS, _SEEDS = 30_000, 300_000, 4_000, 20
_NAIVE_S, _EXPLORE_S, _VERIFY_S = 5.0, 1.5, 1.5


def bars(figures: Mapping[str, float | None]) -> dict[str, tuple[str, bool]]:
    """For each figure that has one: the bar in words, and whether it is met."""
    handover = figures["floor.handover_us"] or 0.0

    def at_least(key: str, bar: float, text: str) -> tuple[str, bool]:
        return text, (figures.get(key) or 0.0) >= bar

    def at_most(key: str, bar: float, text: str) -> tuple[str, bool]:
        value = figures.get(key)
        return text, value is not None and value <= bar

    naive = figures["stress.naive_per_s"] or 0.0
    random = figures["explore.random.per_s"] or 0.0
    return {
        "explore.pct.per_s": at_least(
            "explore.pct.per_s", 25_000 / handover, f"x handover_us >= 25,000: {25_000 / handover:,.0f}/s"
        ),
        "explore.random.per_s": at_least(
            "explore.random.per_s", 18_000 / handover, f"x handover_us >= 18,000: {18_000 / handover:,.0f}/s"
        ),
        "verify.per_s": at_least("verify.per_s", random / 2, f">= explore.random / 2: {random / 2:,.0f}/s"),
        "stress.per_s": at_least("stress.per_s", 4 * naive, f">= 4 x naive: {4 * naive:,.0f}/s"),
        "stress.overhead": at_least("stress.overhead", 0.25, ">= 0.25"),
        "stress.first_failure_ms": at_most("stress.first_failure_ms", 50, "<= 50 ms"),
        "deadlock.detect_us": at_most("deadlock.detect_us", 1000, "<= 1,000 us"),
        "deadlock.per_s": at_least("deadlock.per_s", 100, ">= 100/s"),
        "jobs.scaling": at_least("jobs.scaling", 1.6, ">= 1.6, on two cores"),
    }


def measure(say: Say = lambda text: None) -> Figures:
    """All figures, by their key in ``bench --json``; ``say`` hears what is measured next."""
    figures: Figures = {}
    for name, part in (
        ("floors", _floors),
        ("explore", _explore),
        ("verify", _verify),
        ("stress", _stress),
        ("overhead", _overhead),
        ("first failure", _first_failure),
        ("deadlock", _deadlock),
        ("jobs", _jobs),
    ):
        say(name)
        part(figures)
    return figures


def _program(threads: Mapping[str, str], initial: vgic.Initial, protocol: str) -> Program:
    operations = {
        name: [vgic.parse_operation(text, "bench", name, initial)] for name, text in threads.items()
    }
    return vgic.build_program("bench", initial, operations, vgic.protocol(protocol))


def _route(protocol: str) -> Program:
    return _program(_ROUTE, vgic.Initial(), protocol)


def _floors(figures: Figures) -> None:
    ping, pong = threading.Lock(), threading.Lock()
    ping.acquire()
    pong.acquire()

    def answer() -> None:
        for _ in range(_HANDOVERS):
            ping.acquire()
            pong.release()

    with pinned():
        thread = threading.Thread(target=answer)
        thread.start()
        started = time.perf_counter()
        for _ in range(_HANDOVERS):
            ping.release()
            pong.acquire()
        figures["floor.handover_us"] = (time.perf_counter() - started) / _HANDOVERS / 2 * 1e6
        thread.join()
    lock = threading.Lock()
    started = time.perf_counter()
    for _ in range(_LOCKINGS):
        lock.acquire()
        lock.release()
    figures["floor.lock_ns"] = (time.perf_counter() - started) / _LOCKINGS * 1e9


def _explore(figures: Figures) -> None:
    program = _route("baseline")
    steps = seconds = 0.0
    for strategy in ("random", "pct"):
        result = modes.explore(program, strategy, 10**9, seconds=_EXPLORE_S)
        figures[f"explore.{strategy}.per_s"] = result.executions / result.seconds
        steps += result.stats["steps"]
        seconds += result.seconds
    figures["explore.steps_per_s"] = steps / seconds


def _verify(figures: Figures) -> None:
    """Proofs one after another on one scheduler: a proof of this program is over in two executions."""
    executions = 0
    with Scheduler(_route("baseline")) as scheduler:
        relation = Relation(scheduler)
        started = now = time.perf_counter()
        while now - started < _VERIFY_S:
            search, tally = Search(scheduler, relation), Tally()
            for outcome in outcomes(search):
                if outcome is not None:
                    tally.add(outcome, search.executions, "exhaustive")
                    look(tally, detect, scheduler, outcome, search.executions, "exhaustive")
            executions += search.executions
            now = time.perf_counter()
    figures["verify.per_s"] = executions / (now - started)


def _stress(figures: Figures) -> None:
    result = modes.stress(_route("baseline"), seconds=3.0)
    figures["stress.per_s"] = result.executions / result.seconds
    collisions, _ = _naive(_route("baseline"), 2.0)
    figures["stress.naive_per_s"] = collisions / 2.0


def _naive(program: Program, seconds: float) -> tuple[int, float | None]:
    """Plain threads, a barrier a collision, plain locks and attributes, no noise.

    Returns collisions, and seconds until the first that broke a rule.
    """
    names = list(program.threads)
    barrier = threading.Barrier(len(names) + 1)
    state: list[Any] = [None]
    results: dict[str, Any] = {}
    running = True

    def work(name: str) -> None:
        function = program.threads[name]
        while True:
            barrier.wait()
            if not running:
                return
            results[name] = function(state[0])
            barrier.wait()

    threads = [threading.Thread(target=work, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    collisions, first = 0, None
    started = now = time.perf_counter()
    while now - started < seconds and first is None:
        state[0] = program.setup()
        barrier.wait()
        barrier.wait()
        collisions += 1
        now = time.perf_counter()
        if program.broken_rules(state[0], results):
            first = now - started
    running = False
    barrier.wait()
    for thread in threads:
        thread.join()
    return collisions, first


def _overhead(figures: Figures) -> None:
    program = _route("baseline")
    function = next(iter(program.threads.values()))
    rates = []
    for _ in range(5):
        plain = _seconds(function, [program.setup() for _ in range(_OPERATIONS)])
        run = FreeRun(program, 0)
        with installed(run):
            states = [program.setup() for _ in range(_OPERATIONS)]
            run.local.worker = run.workers[0]
            instrumented = _seconds(function, states)
        rates.append(plain / instrumented)
    figures["stress.overhead"] = statistics.median(rates)


def _seconds(function: Callable[[Any], Any], states: list[Any]) -> float:
    started = time.perf_counter()
    for state in states:
        function(state)
    return time.perf_counter() - started


def _first_failure(figures: Figures) -> None:
    firsts = []
    for seed in range(_SEEDS):
        result = modes.stress(_route("no_rank_lock"), 2.0, seed, stop_on_first=True)
        firsts.append(2.0 if result.first_failure_s is None else result.first_failure_s)
    figures["stress.first_failure_ms"] = statistics.median(firsts) * 1000
    first = _naive(_route("no_rank_lock"), _NAIVE_S)[1]
    figures["stress.naive_first_failure_ms"] = None if first is None else first * 1000


def _deadlock(figures: Figures) -> None:
    result = modes.stress(_program(_IRQ, _ROUTED, "baseline"), seconds=2.0)
    found = [f for f in result.findings if f.rule == "deadlock.cycle"]
    detect = result.stats["detect_us"]
    figures["deadlock.detect_us"] = statistics.median(detect) if detect else None
    figures["deadlock.per_s"] = sum(f.count for f in found) / result.seconds


def _jobs(figures: Figures) -> None:
    figures["jobs.scaling"] = scaling()
