"""A pool that is collected in an execution which is not its own changes nothing there."""

from __future__ import annotations

import gc
import queue
import subprocess
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import racebench as rb
from racebench.engine.control.scheduler import Scheduler

GIL = getattr(sys, "_is_gil_enabled", lambda: True)()


class Account:
    def __init__(self) -> None:
        self.balance, self.lock = 0, threading.Lock()

    def add(self) -> None:
        with self.lock:
            self.balance += 1


def test_a_pool_that_is_collected_late_makes_no_step() -> None:
    """It goes in a ring, in the midst of the next execution; without the GIL it may do so by itself."""
    lasting: list[Any] = []

    def leaves_a_ring(s: Account) -> int:
        with s.lock:
            gc.collect()
        with ThreadPoolExecutor(1) as pool:
            pool.submit(s.add).result()
            # By one of these the pool's end is told to its threads, as long as they are there.
            lasting[:] = weakref.getweakrefs(pool)
        ring: list[Any] = [pool]
        ring.append(ring)
        with s.lock:
            return s.balance

    def right(s: Account, results: dict[str, Any]) -> rb.Broken | None:
        return None if results["main"] in (1, 2) else rb.broken("wrong", f"{results}")

    threads = {"main": leaves_a_ring, "other": Account.add}
    program = rb.Program("late", Account, threads, check=right, instrument=[Account])
    proof = rb.verify(program, seconds=60)
    assert (proof.findings, proof.verdict, proof.complete) == ((), rb.Verdict.CLEAN, True)
    assert rb.explore(program, executions=40, seed=1).verdict is rb.Verdict.CLEAN
    assert rb.stress(program, seconds=0.02).findings == ()


def test_who_uses_a_queue_of_another_execution_is_told() -> None:
    """But for a pool, what is put in there is a step as ever, though the queue is not as it was."""
    kept: list[Any] = []

    class Before(Account):
        """Uses the queue of the execution before this one."""

        def __init__(self) -> None:
            super().__init__()
            own: queue.SimpleQueue[int] = queue.SimpleQueue()
            # There is none yet, or one of when setup was only looked at.
            self.jobs = kept[0] if kept and type(kept[0]) is type(own) else own
            kept[:] = [own]

    def puts(s: Before) -> None:
        s.add()
        s.jobs.put(1)

    def gets(s: Before) -> int:
        s.add()
        return s.jobs.get()

    threads = {"a": puts, "b": gets}
    result = rb.verify(rb.Program("kept", Before, threads))
    assert (result.findings, result.verdict) == ((), rb.Verdict.UNKNOWN)
    assert any("queue outlives an execution" in said for said in result.stats["unseen"])


class Gone:
    """What a function has as long as it runs, or an exception of it lasts."""


@pytest.mark.parametrize("how", ["raised", "handed over"])
def test_who_has_passed_the_floor_on_has_nothing_left_of_the_execution(how: str) -> None:
    """A worker that comes to its end only in the next execution: what it still had would go there."""
    went: list[tuple[int, bool]] = []

    def thread(s: Account) -> None:
        gone, me = Gone(), threading.get_ident()
        weakref.finalize(gone, lambda: went.append((scheduler.floor.runs, threading.get_ident() == me)))
        s.add()
        if how == "raised":
            raise ValueError(gone)
        scheduler.hand_over("what lookouts keep", gone)

    class Lying:
        """The lock that gives the floor back: who has done so sleeps until the next execution has a state."""

        def __init__(self, real: Any) -> None:
            self.acquire, self._release = real.acquire, real.release

        def release(self) -> None:
            self._release()
            if scheduler.floor.runs == 1:
                set_up.wait(20)

    set_up, states = threading.Event(), 0

    def setup() -> Account:
        nonlocal states
        states += 1
        if states == 2:
            set_up.set()
        return Account()

    first = type(
        "First", (), {"begin": lambda self: None, "pick": lambda self, enabled, current: enabled[0]}
    )()
    with Scheduler(rb.Program("gone", setup, {"a": thread}, instrument=[Account])) as scheduler:
        scheduler.floor.control = Lying(scheduler.floor.control)  # type: ignore[assignment]
        for _ in range(2):
            scheduler.run(first)
    if how == "raised":
        assert went[0] == (1, True)
    elif GIL:
        # Kept by the lookout it goes with that.  Without the GIL it waits for the thread that made it.
        assert went[0] == (2, False)


KEEPS_A_POOL = """
import threading
from concurrent.futures import ThreadPoolExecutor
import racebench as rb

pools = []

def main(lock):
    pools.append(ThreadPoolExecutor(1))
    with lock:
        return pools[-1].submit(int).result()

print(rb.verify(rb.Program("keeps", threading.Lock, {"main": main})).verdict)
"""


def test_a_pool_that_outlives_its_run_is_no_trouble_when_the_interpreter_ends() -> None:
    command = [sys.executable, "-c", KEEPS_A_POOL]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "Verdict.CLEAN\n", "")
