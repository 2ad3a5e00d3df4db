"""Threads that a program starts while it runs: in all modes, and in replay."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

import racebench as rb
from racebench.primitives import clock

from .programs import Box, locked


def bare(s: Box) -> None:
    s.x += 1


def two(of: Callable[[Box], None], join: bool = True) -> Callable[[Box], Any]:
    def main(s: Box) -> None:
        both = [rb.Thread(target=of, args=(s,)) for _ in range(2)]
        for one in both:
            one.start()
        for one in both if join else ():
            one.join()

    return main


def both_counted(s: Box, results: dict[str, Any]) -> rb.Broken | None:
    return None if s.x == 2 else rb.broken("box.lost", f"x is {s.x}")


def program(
    main: Callable[[Box], Any], setup: Callable[[], Box] = Box, check: Any = both_counted
) -> rb.Program:
    return rb.Program("threads", setup, {"main": main}, check=check)


class Started(Box):
    """Its setup starts a thread, which begins with the program's own."""

    def __init__(self) -> None:
        super().__init__()
        rb.Thread(target=locked, args=(self,)).start()


def nested(s: Box) -> None:
    rb.Thread(target=two(locked, join=False), args=(s,), name="outer").start()


CORRECT = {
    "joined": program(two(locked)),
    "not joined": program(two(locked, join=False)),
    "started by a thread that was started": program(nested),
    "started in setup": program(locked, Started),
}


@pytest.mark.parametrize("name", CORRECT)
def test_it_costs_what_the_flat_program_costs(name: str) -> None:
    flat = rb.verify(rb.Program("flat", Box, {"a": locked, "b": locked}, check=both_counted))
    result = rb.verify(CORRECT[name])
    assert (result.verdict, result.complete) == (rb.Verdict.CLEAN, True)
    assert result.executions == flat.executions == 2
    assert result.stats["redundant"] == 0


@pytest.mark.parametrize("name", CORRECT)
def test_correct_ones_are_clean_in_the_other_modes_and_leave_no_thread(name: str) -> None:
    before = threading.active_count()
    assert rb.explore(CORRECT[name], executions=60).verdict is rb.Verdict.CLEAN
    assert rb.stress(CORRECT[name], seconds=0.05).verdict is rb.Verdict.CLEAN
    assert threading.active_count() == before


def test_a_lost_update_of_two_that_were_started_is_found_and_replayed() -> None:
    broken = program(two(bare))
    for result in (rb.verify(broken), rb.explore(broken, executions=200)):
        found = {finding.rule: finding for finding in result.findings}
        assert {"box.lost", "data_race"} <= found.keys()
        schedule = found["box.lost"].schedule
        assert {thread for thread, _, _ in schedule} == {"main", "main.bare-1", "main.bare-2"}
        again = rb.replay(broken, schedule)
        assert "box.lost" in {finding.rule for finding in again.findings}


def test_stress_finds_the_lost_update_too() -> None:
    result = rb.stress(program(two(bare)), seconds=60.0, stop_on_first=True)
    assert [finding.rule for finding in result.findings] == ["box.lost"]


def seen_by(
    main: Callable[[Box], Any], setup: Callable[[], Box] = Box, **threads: Any
) -> tuple[set[Any], rb.Result]:
    """What ``main`` returns in all schedules."""
    seen: set[Any] = set()

    def keep(s: Box, results: dict[str, Any]) -> None:
        seen.add(results["main"])

    result = rb.verify(rb.Program("seen", setup, {"main": main, **threads}, check=keep))
    assert result.complete
    return seen, result


def test_whether_it_lives_is_searched_both_ways_and_known_after_a_join() -> None:
    def main(s: Box) -> Any:
        child = rb.Thread(target=locked, args=(s,))
        child.start()
        early = child.is_alive()
        child.join()
        return early, child.is_alive()

    assert seen_by(main)[0] == {(True, False), (False, False)}


@pytest.mark.parametrize("timeout, sees", [(1.0, {True, False}), (0.0, {True, False}), (None, {False})])
def test_a_join_with_a_timeout_may_end_by_it(timeout: float | None, sees: set[bool]) -> None:
    def main(s: Box) -> bool:
        child = rb.Thread(target=locked, args=(s,))
        child.start()
        child.join(timeout)
        return child.is_alive()

    assert seen_by(main)[0] == sees


class Prepared(Box):
    def __init__(self) -> None:
        super().__init__()
        self.child = rb.Thread(target=locked, args=(self,))


@pytest.mark.parametrize("first", ["main", "starter"])
def test_a_join_before_the_start_fails_and_that_order_is_searched(first: str) -> None:
    def main(s: Prepared) -> Any:
        try:
            s.child.join()
        except RuntimeError as error:
            return str(error)
        return s.x

    threads: dict[str, Any] = {"main": main, "starter": lambda s: s.child.start()}
    threads = {first: threads.pop(first), **threads}
    seen: set[Any] = set()
    check = lambda s, results: seen.add(results["main"])  # noqa: E731
    assert rb.verify(rb.Program("early", Prepared, threads, check=check)).complete
    assert seen == {1, "cannot join thread before it is started"}


def test_a_thread_starts_once_and_does_not_join_itself() -> None:
    def main(s: Prepared) -> str:
        def itself() -> None:
            with pytest.raises(RuntimeError, match="current thread"):
                child.join()

        child = rb.Thread(target=itself)
        child.start()
        with pytest.raises(RuntimeError, match="once"):
            child.start()
        return "once"

    assert seen_by(main, Prepared, other=locked)[0] == {"once"}


def test_who_waits_for_one_who_waits_for_its_lock_is_a_ring() -> None:
    def main(s: Box) -> None:
        with s.lock:
            child = rb.Thread(target=locked, args=(s,))
            child.start()
            child.join()

    for result in (rb.verify(program(main)), rb.stress(program(main), seconds=0.05, stop_on_first=True)):
        [finding] = result.findings
        assert finding.rule == "deadlock.cycle"
        assert "waits for main.locked-1 to end" in finding.summary


def test_what_it_raises_is_a_finding_but_for_system_exit() -> None:
    def main(raised: BaseException) -> Callable[[Box], Any]:
        def fails() -> None:
            raise raised

        def starts(s: Box) -> int:
            child = rb.Thread(target=fails)
            child.start()
            child.join()
            s.x += 1
            return s.x

        return starts

    for run in (rb.verify, lambda p: rb.stress(p, seconds=0.05)):
        [finding] = run(program(main(KeyError("k")), check=None)).findings
        assert finding.rule == "program.error" and "main.fails-1 raised KeyError" in finding.summary
        assert run(program(main(SystemExit()), check=None)).verdict is rb.Verdict.CLEAN


def waiting(s: Box) -> None:
    rb.wait_until(lambda: s.x < 0)


@pytest.mark.parametrize("daemon", [True, False])
def test_a_daemon_that_still_waits_is_no_deadlock_and_its_twin_is(daemon: bool) -> None:
    def main(s: Box) -> None:
        rb.Thread(target=waiting, args=(s,), daemon=daemon).start()
        s.x += 2

    rules = [] if daemon else ["deadlock.wait"]
    for result in (rb.verify(program(main)), rb.stress(program(main), seconds=0.05)):
        assert [finding.rule for finding in result.findings] == rules
        assert daemon == (result.verdict is rb.Verdict.CLEAN)


def polling(s: Box) -> None:
    while True:
        clock.sleep(1)
        locked(s)


def test_a_daemon_that_polls_does_not_keep_the_program_from_ending_and_is_not_proved() -> None:
    def main(s: Box) -> None:
        rb.Thread(target=polling, args=(s,), daemon=True).start()
        locked(s)

    poll = program(main, check=None)
    assert rb.stress(poll, seconds=0.05).verdict is rb.Verdict.CLEAN
    assert rb.explore(poll, executions=20).verdict is rb.Verdict.CLEAN
    result = rb.verify(poll, max_executions=60)
    assert not result.complete and not result.findings


@pytest.mark.parametrize("steps", [0, 1])
def test_a_started_thread_that_crashes_before_its_first_step_hides_nothing_that_came_before(
    steps: int,
) -> None:
    def crashes(s: Box) -> None:
        for _ in range(steps):
            s.y += 1
        rb.check_that(False, "box.started", "it was started")

    def main(s: Box) -> None:
        s.y = 1
        rb.Thread(target=crashes, args=(s,)).start()

    def writes(s: Box) -> None:
        s.x = 1

    def reads(s: Box) -> None:
        rb.check_that(s.x == 0, "box.read", "x was written")

    both = rb.Program("both", Box, {"main": main, "writes": writes, "reads": reads})
    found = {finding.rule: finding for finding in rb.verify(both).findings}
    assert found.keys() == {"box.started", "box.read", "data_race"}
    for rule in ("box.started", "box.read"):
        assert rule in {finding.rule for finding in rb.replay(both, found[rule].schedule).findings}


class Waited(rb.State):
    x = rb.shared(0, atomic=True)
    mine = rb.shared(0)

    def __init__(self) -> None:
        self.condition, self.event = rb.Condition(), rb.Event()


def waits_on_a_condition(s: Waited, timeout: float | None) -> None:
    with s.condition:
        s.condition.wait(timeout)


def waits_for_an_event(s: Waited, timeout: float | None) -> None:
    s.event.wait(timeout)


@pytest.mark.parametrize("wait", [waits_on_a_condition, waits_for_an_event])
def test_what_a_daemon_does_after_a_timeout_is_not_proved_away_by_the_end_of_the_others(wait: Any) -> None:
    """In the order of each class that is run, `main` has ended when the daemon comes to its wait."""

    def main(s: Waited) -> None:
        s.x = 1
        s.mine = 1
        s.mine = 2

    def late(timeout: float | None) -> rb.Program:
        def daemon(s: Waited) -> None:
            if s.x:
                wait(s, timeout)
                rb.check_that(False, "waited.late", "the daemon went on")

        return rb.Program("late", Waited, {"daemon": daemon, "main": main}, daemons=("daemon",))

    assert rb.explore(late(1), executions=200).findings
    result = rb.verify(late(1))
    assert result.findings or not result.complete
    assert rb.verify(late(None)).complete


def test_what_a_daemon_does_after_its_sleep_is_met_though_the_others_have_ended() -> None:
    def late(s: Box) -> None:
        clock.sleep(1)
        rb.check_that(s.x == 0, "box.late", "x was written before the daemon came")

    def main(s: Box) -> None:
        rb.Thread(target=late, args=(s,), daemon=True).start()
        s.x = 2

    assert "box.late" in {finding.rule for finding in rb.verify(program(main, check=None)).findings}


def test_a_timer_comes_or_is_cancelled() -> None:
    def main(s: Box) -> int:
        timer = rb.Timer(5.0, locked, (s,))
        timer.start()
        timer.cancel()
        timer.join()
        return s.x

    assert seen_by(main)[0] == {0, 1}


def test_names_come_from_who_made_it_and_count_on_by_function() -> None:
    def main(s: Box) -> tuple[str, ...]:
        made = [
            rb.Thread(target=locked, args=(s,)),
            rb.Thread(target=locked, args=(s,), name="Pool-17_0"),
            rb.Thread(target=locked, args=(s,), name="Pool-17_1"),
            rb.Thread(target=lambda: None),
        ]
        return (*(one.label() for one in made), made[1].name)

    wanted = ("main.locked-1", "main.Pool-1", "main.Pool-2", "main.lambda-1", "Pool-17_0")
    assert seen_by(main, Box, other=locked)[0] == {wanted}


class Worker(rb.Thread):
    def __init__(self, s: Box) -> None:
        super().__init__(daemon=True)
        self.s = s

    def run(self) -> None:
        self.s.x += 1


def test_a_subclass_runs_its_run_and_its_children_are_daemons_as_it_is() -> None:
    def main(s: Box) -> tuple[int, bool]:
        worker = Worker(s)
        worker.start()
        worker.join()
        return s.x, worker.daemon

    assert seen_by(main)[0] == {(1, True)}


def test_outside_a_run_it_is_an_ordinary_thread() -> None:
    box = Box()
    child = rb.Thread(target=locked, args=(box,))
    with pytest.raises(RuntimeError, match="before it is started"):
        child.join()
    child.start()
    child.join()
    assert (box.x, child.is_alive(), child.label()) == (1, False, "locked")


def test_with_delayed_fields_a_start_is_refused() -> None:
    class Late(rb.State):
        y = rb.shared(0, delayed=True)

    def main(s: Late) -> None:
        rb.Thread(target=lambda: None).start()

    with pytest.raises(rb.ProgramError, match="delayed fields"):
        rb.verify(rb.Program("late", Late, {"main": main}))


def test_the_strategies_schedules_do_not_depend_on_how_many_there_will_be() -> None:
    def schedules(n: int) -> list[Any]:
        kept: list[Any] = []

        def keep(s: Box, results: dict[str, Any]) -> None:
            kept.append(s.x)

        rb.explore(program(two(bare), check=keep), executions=n, seed=3)
        return kept[:40]

    assert schedules(40) == schedules(80)
