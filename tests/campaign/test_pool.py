"""Child processes and what becomes of the calls that they make."""

from __future__ import annotations

import multiprocessing
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from racebench.campaign import pool as module
from racebench.campaign.child import Call, Link
from racebench.campaign.pool import Job, Pool
from racebench.campaign.stop import Stop
from racebench.errors import HarnessBug, RaceBenchError, UsageError

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


# -- calls that children make


def answer(link: Link, value: Any) -> Any:
    link.tell("saying", value)
    return value


def where(link: Link) -> int:
    return os.getpid()


def wrong(link: Link, ours: bool) -> None:
    raise (ValueError if ours else UsageError)("no good")


def unsendable(link: Link) -> Any:
    return threading.Lock()


def exits(link: Link) -> None:
    os._exit(0)


def killed(link: Link) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def for_ever(link: Link) -> None:
    with link.stop.interruptible():
        link.tell("here")
        while True:
            time.sleep(1)


def partial_answer(link: Link) -> str:
    try:
        for_ever(link)
    except KeyboardInterrupt:
        pass
    return f"as far as it came: {link.stop.why}"


def heedless(link: Link) -> None:
    link.tell("here")
    while True:
        try:
            time.sleep(1)
        except BaseException:
            pass


def hooks(link: Link) -> None:
    sys.excepthook = threading.excepthook = None  # type: ignore[assignment]
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()


def closes(link: Link) -> None:
    os.close(1)
    os.close(2)
    print("nobody hears this")


def clock(link: Link) -> None:
    time.perf_counter = time.monotonic = lambda: 0.0


def forks(link: Link) -> str:
    if os.fork() == 0:
        time.sleep(1000)
    return "left one behind"


def forks_and_returns(link: Link) -> str:
    """Both processes come back to the child's own code."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.close(reading)
        return "the other one"
    os.close(writing)
    # The end of the pipe is the end of the other process, which had its say before.
    os.read(reading, 1)
    return "the one that was called"


def writes_rubbish(link: Link) -> None:
    for descriptor in range(3, 20):
        try:
            os.write(descriptor, b"\0\0\0\x04none")
        except OSError:
            pass


# -- the pool


class Asked:
    """Asks for ``calls`` in order, and keeps what becomes of each."""

    def __init__(self, *calls: tuple[Any, ...], limit_s: float | None = None) -> None:
        self.waiting = [Job(call[0].__name__, Call(call[0], call[1:]), limit_s) for call in calls]
        self.became: dict[str, Any] = {}
        self.heard: list[Any] = []
        self.on_told: Callable[[], None] = lambda: None

    def next_job(self, free: int) -> Job | None:
        return self.waiting.pop(0) if self.waiting else None

    def on_message(self, job: Job, word: str, *what: Any) -> None:
        self.heard.append((word, *what))
        self.on_told()

    def done(self, job: Job, value: Any) -> None:
        assert job.asker not in self.became
        self.became[job.asker] = value

    def failed(self, job: Job, error: RaceBenchError) -> None:
        self.became[job.asker] = error

    def lost(self, job: Job, why: str) -> None:
        assert job.asker not in self.became
        self.became[job.asker] = f"lost: {why}"


def run(asked: Asked, size: int = 1, stop: Stop | None = None) -> dict[str, Any]:
    with Pool(size, stop or Stop()) as pool:
        pool.run(asked)
    assert not multiprocessing.active_children()
    return asked.became


def test_a_call_is_made_elsewhere_and_its_value_comes_back() -> None:
    asked = Asked((answer, {"x": [1, 2]}), (where,))
    became = run(asked)
    assert became["answer"] == {"x": [1, 2]}
    assert became["where"] != os.getpid()
    assert ("saying", {"x": [1, 2]}) in asked.heard


def test_a_call_of_its_own_raises_what_it_raised_there() -> None:
    with Pool(1, Stop()) as pool:
        assert pool.call(Call(answer, (3,))) == 3
        with pytest.raises(UsageError, match="no good"):
            pool.call(Call(wrong, (False,)))
        with pytest.raises(HarnessBug, match="ValueError: no good"):
            pool.call(Call(wrong, (True,)))
        with pytest.raises(HarnessBug, match="pickle"):
            pool.call(Call(unsendable))
        with pytest.raises(UsageError, match="ended with status 0"):
            pool.call(Call(exits))
        assert pool.call(Call(answer, (4,))) == 4


HOSTILE: dict[Any, Any] = {
    exits: "lost: its process ended with status 0",
    killed: "lost: its process was ended by SIGKILL",
    hooks: HarnessBug,
    closes: HarnessBug,
    clock: None,
    forks: "left one behind",
    forks_and_returns: "the one that was called",
}


@needs_fork
@pytest.mark.parametrize("size", [1, 2])
def test_what_a_call_does_to_its_process_is_its_own_affair(size: int) -> None:
    """Each is followed by a call that is to see nothing of it."""
    asked = Asked(*((hostile,) for hostile in HOSTILE))
    followed = [(job, Job(f"after {job.asker}", Call(answer, (i,)))) for i, job in enumerate(asked.waiting)]
    asked.waiting = [job for pair in followed for job in pair]
    became = run(asked, size)
    for i, (hostile, ends) in enumerate(HOSTILE.items()):
        came = became[hostile.__name__]
        assert came == ends or type(came) is ends, hostile.__name__
        assert became[f"after {hostile.__name__}"] == i


@needs_fork
@pytest.mark.parametrize("hostile", HOSTILE)
def test_so_it_is_if_it_is_the_last_that_the_child_makes(hostile: Any) -> None:
    """It is made by the child itself; should there be another after all, somebody else makes it."""
    asked = Asked()
    asked.waiting = [Job("last", Call(hostile, (), last=True)), Job("after", Call(answer, (1,)))]
    became = run(asked)
    assert became["last"] == HOSTILE[hostile] or type(became["last"]) is HOSTILE[hostile]
    assert became["after"] == 1


@needs_fork
@pytest.mark.parametrize("last", [True, False])
def test_only_the_last_call_is_made_without_a_process_of_its_own(last: bool) -> None:
    asked = Asked()
    asked.waiting = [Job("where", Call(where, (), last=last))]
    with Pool(1, Stop()) as pool:
        [child] = pool._children
        pool.run(asked)
        assert (asked.became["where"] == child.process.pid) is last


@needs_fork
@pytest.mark.usefixtures("starts_anew")
def test_rubbish_in_the_pipe_costs_one_call() -> None:
    became = run(Asked((writes_rubbish,), (answer, 1)))
    assert became["writes_rubbish"].startswith("lost: its process wrote into the pipe")
    assert became["answer"] == 1


@needs_fork
def test_what_a_call_leaves_behind_is_ended_with_it() -> None:
    left: list[int] = []

    def see() -> None:
        # The process group of the call, while it is there.
        left.extend(child.group for child in pool._children)

    asked = Asked((forks,), (answer, 1))
    asked.on_told = see
    with Pool(1, Stop()) as pool:
        pool.run(asked)
        [group] = {g for g in left if g}
        for _ in range(2):
            try:
                os.killpg(group, 0)
            except ProcessLookupError:
                break


def test_a_late_call_ends_with_what_it_has() -> None:
    asked = Asked((partial_answer,), limit_s=1.0)
    asked.waiting.append(Job("answer", Call(answer, (1,))))
    became = run(asked)
    assert became["partial_answer"].startswith("as far as it came: no end within 1 s: interrupted in ")
    assert became["answer"] == 1
    [late] = [what for what in asked.heard if what[0] == "late"]
    assert "MainThread" in late[2]


def tells(link: Link) -> None:
    for _ in range(8):
        link.tell("here")


@pytest.mark.parametrize("renewed", [True, False])
def test_a_call_that_goes_on_is_late_only_if_its_time_is_not_renewed(
    monkeypatch: pytest.MonkeyPatch, renewed: bool
) -> None:
    now = [0.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0], sleep=time.sleep))
    # Whether a busy machine keeps it waiting is asked by the next test.
    monkeypatch.setattr(module.Meter, "lap", lambda self, elapsed: elapsed)

    def passes() -> None:
        now[0] += 0.7

    asked = Asked()
    asked.waiting.append(Job("tells", Call(tells), 1.0, renewed=renewed))
    asked.on_told = passes
    with Pool(1, Stop()) as pool:
        [child] = pool._children
        pool.run(asked)
        assert asked.became["tells"] is None
        assert child.cancelled is not renewed


@pytest.mark.parametrize(
    ("share", "by_clock", "is_late"), [(1.0, False, True), (0.1, False, False), (0.1, True, True)]
)
def test_a_call_that_the_machine_keeps_waiting_is_late_only_by_the_clock(
    monkeypatch: pytest.MonkeyPatch, share: float, by_clock: bool, is_late: bool
) -> None:
    """Nothing is heard of it for 5.6 s, of which it had a tenth, or all."""
    now = [0.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0], sleep=time.sleep))
    monkeypatch.setattr(module.Meter, "lap", lambda self, elapsed: share * elapsed)

    def passes() -> None:
        now[0] += 0.7

    asked = Asked()
    asked.waiting.append(Job("tells", Call(tells), 1.0, by_clock=by_clock))
    asked.on_told = passes
    with Pool(1, Stop()) as pool:
        [child] = pool._children
        pool.run(asked)
        assert asked.became["tells"] is None
        assert child.cancelled is is_late


def test_a_call_that_heeds_nothing_is_killed() -> None:
    asked = Asked()
    asked.waiting.append(Job("heedless", Call(heedless), 0.2, grace_s=0.2))
    asked.waiting.append(Job("answer", Call(answer, (1,))))
    became = run(asked)
    assert became["heedless"].startswith("lost: no end within 0.2 s")
    assert became["heedless"].endswith("; it went on, and its process was killed")
    assert became["answer"] == 1


def test_what_an_employer_raises_ends_what_runs_for_it() -> None:
    class Weary(Asked):
        def on_message(self, job: Job, word: str, *what: Any) -> None:
            raise KeyError(word)

    with Pool(2, Stop()) as pool:
        with pytest.raises(KeyError):
            pool.run(Weary((heedless,)))
        assert pool.call(Call(answer, (5,))) == 5


def test_a_stop_cancels_what_runs_and_gives_out_nothing_more() -> None:
    stop = Stop()
    asked = Asked((partial_answer,), (answer, 1))
    asked.on_told = stop.ask
    assert run(asked, stop=stop) == {"partial_answer": "as far as it came: "}


def test_the_wishes_of_the_terminal_reach_the_parent_alone() -> None:
    """Each child leads a session of its own, so what a terminal sends to ours does not come to it."""
    became = run(Asked((session,)))
    assert became["session"] != os.getsid(0)


def session(link: Link) -> int:
    return os.getsid(0)


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs a descriptor for a process")
def test_children_end_with_their_parent(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        os.set_inheritable(writing, True)
        asked = Asked((for_ever,))
        asked.on_told = lambda: os.write(writing, b"%d\n" % pool._children[0].group)
        with Pool(1, Stop()) as pool:
            pool.run(asked)
        os._exit(0)
    os.close(writing)
    # The process that makes the call leads its group; it is readable once that has ended.
    leader = os.pidfd_open(int(os.read(reading, 20)))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    select.select([leader], [], [])
    os.close(leader)
