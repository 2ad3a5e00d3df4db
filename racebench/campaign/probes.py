"""The parts of ``bench``: each takes a second or two and adds its figures to those of a round."""

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
from ..engine.places import pinned
from ..engine.search.dpor import Search
from ..engine.search.evidence import look
from ..engine.search.loop import outcomes
from ..engine.search.relation import Relation
from ..engine.tally import Tally
from ..findings import Result
from ..primitives import Lock, State, installed, shared
from ..program import Program
from . import modes
from .scaling import scaling

Round = dict[str, float]
"""The figures that were measured together; a figure that could not be measured is missing."""

_ROUTE = {"toolstack0": "route virq=40 pirq=64", "toolstack1": "route virq=40 pirq=65"}
_IRQ = {"pcpu1": "irq pirq=64", "vcpu0": "icenabler virq=40"}
_ROUTED = vgic.Initial(routed=((40, 64, True),))
_HANDOVERS, _LOCKINGS, _OPERATIONS, _PASSES, _SEEDS = 20_000, 200_000, 600, 8, 12
_SEARCH_S, _HAMMER_S, _NAIVE_S, _DEADLOCK_S = 0.5, 0.8, 1.5, 0.7
_FOREVER = 10**9


def _program(threads: Mapping[str, str], initial: vgic.Initial, protocol: str) -> Program:
    operations = {
        name: [vgic.parse_operation(text, "bench", name, initial)] for name, text in threads.items()
    }
    return vgic.build_program("bench", initial, operations, vgic.protocol(protocol))


def _route(protocol: str) -> Program:
    return _program(_ROUTE, vgic.Initial(), protocol)


def _floors(figures: Round) -> None:
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


def _explore(figures: Round) -> None:
    results = _explored(figures, "explore", _route("baseline"), _SEARCH_S)
    steps = sum(result.stats["steps"] for result in results)
    figures["explore.steps_per_s"] = steps / sum(result.seconds for result in results)
    figures["verify.per_s"] = _proved()


def _explored(figures: Round, name: str, program: Program, seconds: float) -> list[Result]:
    results = []
    for strategy in ("random", "pct"):
        result = modes.explore(program, strategy, _FOREVER, seconds=seconds)
        figures[f"{name}.{strategy}.per_s"] = result.executions / result.seconds
        results.append(result)
    return results


def _proved() -> float:
    """Executions per second of proofs, repeated on one scheduler: one proof takes two executions."""
    executions = 0
    with Scheduler(_route("baseline")) as scheduler:
        relation = Relation(scheduler)
        started = now = time.perf_counter()
        while now - started < _SEARCH_S:
            search, tally = Search(scheduler, relation), Tally()
            for outcome in outcomes(search):
                if outcome is not None:
                    tally.add(outcome, search.executions, "exhaustive")
                    look(tally, detect, scheduler, outcome, search.executions, "exhaustive")
            executions += search.executions
            now = time.perf_counter()
    return executions / (now - started)


class _Counter(State):
    """A small model: a counter under a lock."""

    n = shared(0)

    def __init__(self) -> None:
        self.lock = Lock("lock")


def _increment(s: _Counter) -> None:
    with s.lock:
        s.n += 1


def _small(figures: Round) -> None:
    program = Program("counter", _Counter, {"a": _increment, "b": _increment})
    _explored(figures, "small", program, _SEARCH_S / 2)


def _stress(figures: Round) -> None:
    program = _route("baseline")
    # As many passes before the collisions as after: what the machine does for a while hits both.
    passes = [_pass(program) for _ in range(_PASSES // 2)]
    result = modes.stress(program, seconds=_HAMMER_S)
    figures["stress.per_s"] = result.executions / result.seconds
    passes += [_pass(program) for _ in range(_PASSES // 2)]
    collisions, _ = _naive(program, _HAMMER_S)
    figures["stress.naive_per_s"] = collisions / _HAMMER_S
    figures["stress.overhead"] = statistics.median(plain / watched for plain, watched, _ in passes)
    both = statistics.median(both for _, _, both in passes)
    figures["stress.efficiency"] = both / _OPERATIONS * figures["stress.per_s"]


def _pass(program: Program) -> tuple[float, float, float]:
    """Seconds that the operations of one thread take, plain and watched, and plain ones of both threads."""
    first, second = program.threads.values()
    # Both kinds of states are used as soon as they are made: neither is colder in the cache than the other.
    states = [program.setup() for _ in range(_OPERATIONS)]
    plain = _seconds(first, states)
    both = plain + _seconds(second, states)
    run = FreeRun(program, 0)
    with installed(run):
        watched = [program.setup() for _ in range(_OPERATIONS)]
        run.local.worker = run.workers[0]
        return plain, _seconds(first, watched), both


def _seconds(function: Callable[[Any], Any], states: list[Any]) -> float:
    started = time.perf_counter()
    for state in states:
        function(state)
    return time.perf_counter() - started


def _naive(program: Program, seconds: float) -> tuple[int, float | None]:
    """Hammer with plain threads, one barrier a collision, plain locks and attributes, and no noise.

    Returns the collisions, and the seconds until the first one that broke a rule.
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


def _first_failure(figures: Round) -> None:
    firsts = []
    for seed in range(_SEEDS):
        result = modes.stress(_route("no_rank_lock"), 1.0, seed, stop_on_first=True)
        firsts.append(1.0 if result.first_failure_s is None else result.first_failure_s)
    figures["stress.first_failure_ms"] = statistics.median(firsts) * 1000
    first = _naive(_route("no_rank_lock"), _NAIVE_S)[1]
    if first is not None:
        figures["stress.naive_first_failure_ms"] = first * 1000


def _deadlock(figures: Round) -> None:
    result = modes.stress(_program(_IRQ, _ROUTED, "baseline"), seconds=_DEADLOCK_S)
    found = [f for f in result.findings if f.rule == "deadlock.cycle"]
    if result.stats["detect_us"]:
        figures["deadlock.detect_us"] = statistics.median(result.stats["detect_us"])
    figures["deadlock.per_s"] = sum(f.count for f in found) / result.seconds


def _jobs(figures: Round) -> None:
    figures["jobs.scaling"] = scaling()


PARTS: Mapping[str, Callable[[Round], None]] = {
    "floors": _floors,
    "explore and verify": _explore,
    "a small model": _small,
    "stress": _stress,
    "the first failure": _first_failure,
    "deadlocks": _deadlock,
    "two processes": _jobs,
}
"""By name; the floors come first."""
