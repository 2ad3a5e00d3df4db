"""Quiet steps: those of one thread alone are no nodes of the search, until another thread comes to them."""

from __future__ import annotations

from typing import Any

import pytest

import racebench as rb
from racebench.engine.control.lookout import Lookout
from racebench.engine.control.scheduler import Scheduler
from racebench.engine.search.classes import class_of
from racebench.engine.search.dpor import Search
from racebench.engine.search.event import Event
from racebench.engine.search.loop import outcomes
from racebench.engine.search.quiet import Quiet, Step
from racebench.engine.search.sharing import ALL, Sharing
from racebench.errors import ProgramError
from racebench.primitives import ops

X, Y = ("s", "x"), ("s", "y")


def test_a_key_is_quiet_while_one_thread_uses_it_or_none_changes_it() -> None:
    sharing = Sharing()
    sharing.use(0, X, False)
    sharing.use(0, X, True)
    assert sharing.quiet(X)
    sharing.use(1, X, False)
    assert not sharing.quiet(X)
    sharing.use(0, Y, False)
    sharing.use(1, Y, False)
    assert sharing.quiet(Y)
    sharing.use(1, Y, True)
    assert not sharing.quiet(Y)
    sharing.use(ALL, "z", True)
    assert not sharing.quiet("z")


def step(proc: int, op: Any, *, reads: Any = (), writes: Any = ()) -> tuple[Step, Event]:
    event = Event(proc, op, "s", reads, writes)
    return (proc, op, (reads, writes), op.conflicts), event


def chosen(*steps: tuple[Step, Event]) -> Quiet:
    quiet = Quiet()
    for _, event in steps:
        assert not quiet.use(event)
    assert quiet.begin(dict(steps))
    return quiet


READ_X, WRITE_X = step(0, ops.LOAD, reads=(X,)), step(0, ops.SAVE, writes=(X,))


def test_steps_on_quiet_keys_are_chosen() -> None:
    quiet = chosen(READ_X, WRITE_X, step(0, ops.SAVE, writes=(Y,)), step(1, ops.SAVE, writes=(Y,)))
    assert quiet.has(*READ_X) and quiet.has(*WRITE_X)
    assert not quiet.has(*step(0, ops.SAVE, writes=(Y,)))


def test_steps_that_may_wait_for_another_thread_are_not() -> None:
    for op in (ops.DOWN, ops.WAIT, ops.LATE_ACQUIRE, ops.PAUSE, ops.JOIN, ops.ARRIVE):
        unfit = step(0, op, writes=(Y,))
        quiet = chosen(READ_X, unfit)
        assert quiet.has(*READ_X) and not quiet.has(*unfit)


def test_a_step_that_uses_more_than_it_did_when_it_was_chosen_is_not_chosen() -> None:
    quiet = chosen(READ_X, WRITE_X)
    assert not quiet.has(WRITE_X[0], Event(0, ops.SAVE, "s", (), (X, ("predicate", ""))))


def test_another_thread_on_a_key_that_was_relied_on_is_a_surprise_once() -> None:
    quiet = chosen(READ_X, WRITE_X)
    reader = step(1, ops.LOAD, reads=(X,))
    assert quiet.use(reader[1])
    assert not quiet.use(reader[1])
    assert not quiet.choose(dict([READ_X, WRITE_X, reader]))


def test_a_key_that_none_changes_may_be_read_by_another() -> None:
    quiet = chosen(READ_X)
    assert not quiet.use(step(1, ops.LOAD, reads=(X,))[1])
    assert quiet.use(step(1, ops.SAVE, writes=(X,))[1])


def test_after_too_many_surprises_nothing_is_chosen() -> None:
    keys = [("s", f"f{n}") for n in range(6)]
    steps = [step(0, ops.SAVE, writes=(key,)) for key in keys]
    quiet = chosen(*steps)
    goes_on = []
    for key in keys[:4]:
        assert quiet.use(step(1, ops.SAVE, writes=(key,))[1])
        goes_on.append(quiet.choose({}))
    assert goes_on == [True, True, True, False]


def test_what_is_hardly_ever_quiet_is_not_worth_a_new_search() -> None:
    shared = [step(proc, ops.SAVE, writes=((Y, n),)) for n in range(4) for proc in (0, 1)]
    quiet = Quiet()
    for _, event in (WRITE_X, *shared):
        quiet.use(event)
    assert not quiet.begin(dict([WRITE_X, *shared]))
    assert not quiet.has(*WRITE_X)
    assert quiet.begin(dict([WRITE_X, *shared[:7]]))
    assert not quiet.begin(dict([WRITE_X, *shared[:7]]))


# -- the search


class Shared(rb.State):
    n = rb.shared(0)
    go = rb.shared(0)
    mine = rb.shared(0)
    own = rb.shared(0)
    limit = rb.shared(10)

    def __init__(self) -> None:
        self.lock = rb.Lock("lock")


def counts(s: Shared) -> None:
    for _ in range(s.limit):
        with s.lock:
            s.n += 1
        s.own += 1


def goes(s: Shared) -> None:
    s.go = 1


def publishes(s: Shared) -> None:
    counts(s)
    s.mine = 1
    s.mine = 0


def publishes_locked(s: Shared) -> None:
    counts(s)
    with s.lock:
        s.mine = 1
        s.mine = 0


def is_not_published(s: Shared) -> None:
    rb.check_that(s.mine == 0, "quiet.seen", "a value that nobody was to see")


def looks_early(s: Shared) -> None:
    early = s.go == 0
    with s.lock:
        s.n += 1
    if early:
        is_not_published(s)


def looks_early_locked(s: Shared) -> None:
    early = s.go == 0
    with s.lock:
        s.n += 1
        if early:
            is_not_published(s)


def program(publish: Any, look: Any) -> rb.Program:
    return rb.Program("quiet", Shared, {"publishes": publish, "looks": look, "goes": goes})


def searched(of: rb.Program) -> tuple[Search, list[tuple[int, int]], set[int]]:
    """The search at its end; for each execution the nodes and steps; and the classes of executions."""
    with Scheduler(of) as scheduler:
        search = Search(scheduler)
        restarts, sizes, classes = 0, [], set()
        for outcome in outcomes(search):
            if search.restarts > restarts:
                restarts, sizes, classes = search.restarts, [], set()
            assert outcome is not None
            sizes.append((len(search.strategy.stack), len(outcome.log)))
            assert [event.proc for event in search.partial_order.events] == [t.index for t, *_ in outcome.log]
            classes.add(class_of(outcome.log, len(scheduler.tasks)))
        assert search.complete
        return search, sizes, classes


def test_a_thread_that_comes_late_to_what_was_quiet_is_not_missed() -> None:
    # Until `looks` comes before `goes`, which is searched last, `mine` is used by one thread alone.
    found = rb.verify(program(publishes, looks_early))
    assert {f.rule for f in found.findings} >= {"quiet.seen"}
    healthy = rb.verify(program(publishes_locked, looks_early_locked))
    assert healthy.complete and {f.rule for f in healthy.findings} == {"data_race"}


def test_quiet_steps_are_no_nodes_and_no_class_is_lost() -> None:
    search, sizes, classes = searched(program(publishes_locked, looks_early_locked))
    assert search.restarts >= 2
    # Ten times a read and a write of `own`.
    assert all(steps - nodes == 20 for nodes, steps in sizes)
    assert len(classes) == search.executions == len(sizes) and not search.redundant


def test_the_same_classes_without_quiet_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    _, _, classes = searched(program(publishes_locked, looks_early_locked))
    monkeypatch.setattr(Quiet, "begin", lambda *_: False)
    search, sizes, others = searched(program(publishes_locked, looks_early_locked))
    assert all(nodes == steps for nodes, steps in sizes)
    assert len(others) == len(classes) == search.executions


def test_each_execution_that_is_looked_at_is_another(monkeypatch: pytest.MonkeyPatch) -> None:
    def bumps(s: Shared) -> None:
        for _ in range(3):
            s.own += 1
            with s.lock:
                s.n += 1

    def adds(s: Shared) -> None:
        for _ in range(3):
            s.mine += 1
            with s.lock:
                s.n += 1

    looked, before = [], Lookout.before

    def spy(lookout: Lookout, state: Any) -> Any:
        picture = before(lookout, state)
        if picture is not None:
            looked.append((search.restarts, search.executions + 1))
        return picture

    monkeypatch.setattr(Lookout, "before", spy)
    with Scheduler(rb.Program("looked", Shared, {"bumps": bumps, "adds": adds})) as scheduler:
        search = Search(scheduler)
        for _ in outcomes(search):
            pass
        assert (search.executions, search.restarts, search.complete) == (20, 1, True)
    assert looked == [(0, 1), (0, 2), (0, 4), (0, 8), (1, 16)]


def test_what_one_search_has_learnt_abridges_the_next() -> None:
    of = program(publishes_locked, looks_early_locked)
    with Scheduler(of) as scheduler:
        first = Search(scheduler)
        outcome = first.execute()
        assert outcome is not None and len(first.strategy.stack) == len(outcome.log)
        again = Search(scheduler, first.relation)
        outcome = again.execute()
        assert outcome is not None and len(again.strategy.stack) < len(outcome.log)


def test_a_program_whose_quiet_steps_are_not_always_the_same_is_refused() -> None:
    runs = [0]

    def bumps(s: Shared) -> None:
        for _ in range(3):
            with s.lock:
                s.n += 1

    def varies(s: Shared) -> None:
        with s.lock:
            s.n += 1
        runs[0] += 1
        for _ in range(3):
            # The same number of steps each time, but after eleven executions on another field.
            if runs[0] < 12:
                s.go += 1
            else:
                s.mine += 1
        bumps(s)

    with pytest.raises(ProgramError, match="not deterministic"):
        searched(rb.Program("varies", Shared, {"varies": varies, "bumps": bumps}))


class Changes:
    """Changes unseen, so that two reads of a field that has it conflict."""

    def __init__(self) -> None:
        self.n = 0


class Box(rb.State):
    held = rb.shared(None)


class Boxes(Shared):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = Box(), Box()


def test_quiet_reads_that_come_to_conflict_in_the_middle_of_a_search_stay_no_nodes() -> None:
    # The last order that is searched has `keeps` before `goes`.  Only there a box gets a value that makes
    # reads conflict, of the other box too, and that in an execution whose steps are planned in advance.
    def keeps(s: Boxes) -> None:
        s.one.held = 1 if s.go else Changes()

    def looks(s: Boxes) -> None:
        for _ in range(2):
            with s.lock:
                s.n += s.other.held is None
                s.n += s.other.held is None

    def bumps(s: Boxes) -> None:
        for _ in range(3):
            with s.lock:
                s.n += 1

    threads = {"keeps": keeps, "looks": looks, "bumps": bumps, "goes": goes}
    search, _, classes = searched(rb.Program("kept", Boxes, threads))
    assert len(classes) == search.executions == 20 and search.restarts == 2


def test_an_order_that_has_to_be_tried_has_the_quiet_steps_too() -> None:
    """Whether `waits` can go on before a step is found out by going there (see ``races``)."""

    def waits(s: Shared) -> None:
        s.own += 1
        rb.wait_until(lambda: s.n % 3 != 1)
        s.own += 1

    def bumps(s: Shared) -> None:
        for _ in range(12):
            s.mine += 1
            s.n += 1

    search, sizes, classes = searched(rb.Program("tried", Shared, {"waits": waits, "bumps": bumps}))
    assert search.redundant and all(nodes < steps for nodes, steps in sizes)
    assert len(classes) == search.executions


class InOrder:
    """Runs the first of ``names`` that can go on."""

    def __init__(self, *names: str) -> None:
        self._names = names

    def begin(self) -> None: ...

    def pick(self, enabled: list[Any], current: Any) -> Any:
        return min(enabled, key=lambda task: self._names.index(task.name))


def test_reads_that_came_to_conflict_in_another_search_begin_this_one_anew() -> None:
    """A search with few preemptions runs in turns with the complete one, and may meet such a value first."""

    def keeps(s: Boxes) -> None:
        s.one.held = 1 if s.go else Changes()

    def reads(s: Boxes) -> None:
        s.other.held  # noqa: B018
        s.n += 1

    threads = {"reads": reads, "too": lambda s: reads(s), "keeps": keeps, "goes": goes}
    totals = []
    for at in (0, 1, 4, 9):
        with Scheduler(rb.Program("elsewhere", Boxes, threads)) as scheduler:
            search = Search(scheduler)
            for n, _ in enumerate(outcomes(search), 1):
                if n == at:
                    scheduler.run(InOrder("keeps", "reads", "too", "goes"))
            assert search.complete
            totals.append(search.executions)
    assert totals == [16] * 4
