"""A search that explorers in other processes help with.

The owner of a search explores one part of it itself, and keeps every state at
which parts begin, with the steps from there in a fixed order.  The order is
that of a search by one explorer: what is explored from a step has the steps
before it asleep, and a reversal found there is covered if one of those could
go first.  If one of the steps after it could, the reversal goes on into that
step's own states, as into a wakeup tree, whether they are still to be explored
or were long ago; it ends where a tree ends, for beyond that a part explores
everything.  Otherwise it becomes the last step, and a part of its own.  So no
two explorers meet the same class, and together they meet every class, no
matter who explores what and when.

A part begins along the tree that it came with.  The states on that way belong
to the owner, since later reversals may go through them, so an explorer hands
them over after its first execution; what comes before that waits.

An explorer that is lost leaves its part as it was when last handed over: it is
explored again from there, and what had been counted since counts twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from ..errors import ProgramError
from .controlled import Outcome
from .events import Event, dependent
from .parts import Explorer, Level, Part, Report, Twig, Wire, branch_of, event_of, twig, wire
from .tally import Tally
from .wakeup import Branch, insert, position

_WORTH_IT = 50
_WAIT_S = 0.05
_MUCH_KEPT = 5_000


class Crew(Protocol):
    """The owner's line to its helpers, who have numbers.

    A helper is told ``("part", Part)`` and ``("split", None)``; it sends Reports.
    """

    @property
    def helpers(self) -> Sequence[int]:
        """Who is there."""

    def news(self) -> Sequence[tuple[int, Report | None]]:
        """What came since the last call: a Report, or None if the helper has just come or is lost."""

    def wait(self, seconds: float) -> None:
        """Until there is news, at most ``seconds``."""

    def send(self, helper: int, word: str, what: Any) -> None: ...

    def close(self) -> None:
        """The search is over, whatever came of it: nobody listens any more."""


class _State:
    """A state that parts begin at: what sleeps there from above, the steps in order, who can step."""

    __slots__ = ("asleep", "ready", "steps")

    def __init__(self, asleep: Iterable[Event], ready: frozenset[int]) -> None:
        self.asleep, self.ready = tuple(asleep), ready
        self.steps: list[_Step] = []

    def before(self, n: int) -> list[Event]:
        """What needs no exploration after step ``n``, or is explored before it."""
        return [*self.asleep, *(step.event for step in self.steps[:n])]

    def asleep_after(self, n: int) -> list[Event]:
        made = self.steps[n].event
        return [event for event in self.before(n) if not dependent(event, made)]


class _Step:
    """A step from a state, and what is below it.

    ``held`` is the part that begins with it.  Once that is settled ``state`` is
    where it leads, if a tree goes on from there; ``inner`` is, if the part was
    split.  ``live`` counts the parts below that are not done.
    """

    __slots__ = ("event", "held", "inner", "live", "state")

    def __init__(self, event: Event) -> None:
        self.event = event
        self.held: _Held | None = None
        self.state: _State | None = None
        self.inner: _State | None = None
        self.live = 0


class _Held:
    """A part, and how it is getting on.

    ``way`` has the states on its path, each with the number of the step that
    leads on.  ``tree`` is to be explored first.  An explorer that has ``begun``
    goes along it; when it is ``settled`` all of the way is in states.  ``late``
    is what came in between.  ``weight`` is the share of the search that it is
    thought to be, and ``seen`` how much of it is explored.
    """

    __slots__ = ("asleep", "begun", "late", "seen", "settled", "tree", "way", "weight")

    def __init__(
        self, way: list[tuple[_State, int]], asleep: list[Event], tree: list[Branch], weight: float
    ) -> None:
        self.way, self.asleep, self.tree, self.weight = way, asleep, tree, weight
        self.seen = 0.0
        self.begun = self.settled = False
        self.late: list[list[Event]] = []

    @property
    def step(self) -> _Step | None:
        """The last on its way; None for all of the search."""
        if not self.way:
            return None
        state, n = self.way[-1]
        return state.steps[n]

    @property
    def order(self) -> list[int]:
        return [n for _, n in self.way]


class Shared:
    """The owner's side of a search; to its caller a search like any other.

    ``make`` makes the explorer of a part, None for all of the search.
    """

    def __init__(
        self,
        crew: Crew,
        tally: Tally,
        make: Callable[[Part | None], Explorer],
        bound: int | None = None,
    ) -> None:
        self.crew, self.tally, self.bound = crew, tally, bound
        self.complete = self.cut = False
        self._make = make
        self._mine = _Held([], [], [], 1.0)
        self._mine.settled = True
        self._explorer: Explorer | None = make(None)
        self._root: _State | None = None
        self._waiting: list[_Held] = []
        self._flying: dict[int, _Held] = {}
        self._hungry = list(crew.helpers)
        self._asked: set[int] = set()
        self._events: dict[Wire, Event] = {}
        self._kept = 0
        self._executions = self._redundant = 0
        self._finished = 0.0
        self._stuck = False

    # -- as a search

    @property
    def executions(self) -> int:
        return self._executions + (0 if self._explorer is None else self._explorer.executions)

    @property
    def redundant(self) -> int:
        return self._redundant + (0 if self._explorer is None else self._explorer.redundant)

    def execute(self) -> Outcome | None:
        if self._explorer is None:
            self.crew.wait(_WAIT_S)
            return None
        return self._explorer.execute()

    def advance(self) -> bool:
        explorer = self._explorer
        if explorer is not None:
            going_on = explorer.advance()
            self._take_over(self._mine, explorer.handed_over())
            self._insert(self._mine, explorer.learned())
            if not going_on:
                self._executions += explorer.executions
                self._redundant += explorer.redundant
                self.cut = self.cut or explorer.cut
                self._explorer = None
                self._end(self._mine)
        self.listen()
        if self._stuck:
            return False
        self.complete = self._explorer is None and not self._flying
        return not self.complete

    def listen(self) -> None:
        """Take in what helpers found, and give them something to do; cheap if there is no news."""
        for helper, report in self.crew.news():
            self._hear(helper, report)
        if self._stuck:
            return
        if self._explorer is None and self._waiting:
            self._chop()
            self._mine = self._next()
            self._explorer = self._make(self._part(self._mine))
        if self._hungry or self._explorer is None:
            self._feed()

    def done(self) -> float:
        """An estimate of the share that is explored, 0..1."""
        share = self._finished + sum(held.weight * held.seen for held in self._flying.values())
        if self._explorer is not None:
            share += self._mine.weight * self._explorer.done()
        return min(1.0, share)

    # -- helpers

    def _hear(self, helper: int, report: Report | None) -> None:
        self._asked.discard(helper)
        held = self._flying.get(helper)
        if report is None:
            self._come_or_gone(helper)
        elif held is not None:
            self._take_in(helper, held, report)

    def _come_or_gone(self, helper: int) -> None:
        held = self._flying.pop(helper, None)
        if held is not None:
            held.begun = False
            late, held.late = held.late, []
            for sequence in late:
                _into_tree(held, sequence)
            self._waiting.append(held)
        present = helper in self.crew.helpers
        if helper in self._hungry and not present:
            self._hungry.remove(helper)
        elif helper not in self._hungry and present:
            self._hungry.append(helper)

    def _take_in(self, helper: int, held: _Held, report: Report) -> None:
        if report.failed is not None:
            raise ProgramError(report.failed)
        self.tally.merge(report.tally, self.executions)
        self._executions += report.executions
        self._redundant += report.redundant
        self.cut = self.cut or report.cut
        self._stuck = self._stuck or report.stuck
        self._take_over(held, report.levels)
        self._insert(held, report.reversals)
        held.seen = report.done
        if report.over:
            del self._flying[helper]
            self._hungry.append(helper)
            self._end(held)

    def _feed(self) -> None:
        """Give parts to those who have none, as long as there are any to give."""
        while self._hungry and (self._waiting or self._split_mine()):
            self._chop()
            held = self._next()
            helper = self._hungry.pop()
            self._flying[helper] = held
            self.crew.send(helper, "part", self._part(held))
        if self._hungry or self._explorer is None:
            for helper in self._flying:
                self._ask(helper)

    def _split_mine(self) -> bool:
        explorer = self._explorer
        if explorer is None or not explorer.executions or self.executions < _WORTH_IT:
            return False
        explorer.split()
        self._take_over(self._mine, explorer.handed_over())
        return bool(self._waiting)

    # -- parts

    def _next(self) -> _Held:
        """The first in order: the fewer parts lie before those explored, the fewer states are kept."""
        held = min(self._waiting, key=lambda held: held.order)
        self._waiting.remove(held)
        held.begun, held.seen = True, 0.0
        return held

    def _part(self, held: _Held) -> Part:
        path = tuple(state.steps[n].event.proc for state, n in held.way)
        if self.bound is not None:
            return Part(path, bound=self.bound)
        others = tuple(tuple(map(wire, state.before(n))) for state, n in held.way)
        return Part(path, others, tuple(map(wire, held.asleep)), tuple(map(twig, held.tree)))

    def _new(self, way: list[tuple[_State, int]], tree: list[Branch], weight: float) -> None:
        """A part that begins with the last step of ``way``."""
        state, n = way[-1]
        held = state.steps[n].held = _Held(way, state.asleep_after(n), tree, weight)
        for above, k in way:
            above.steps[k].live += 1
        self._waiting.append(held)

    def _end(self, held: _Held) -> None:
        """``held`` is done: no reversal comes from there, nor into what lies before all that is not done."""
        self._finished += held.weight
        for state, n in held.way:
            state.steps[n].live -= 1
        at = self._root
        while at is not None:
            below = None
            for step in at.steps:
                if step.live:
                    below = step.state or step.inner
                    break
                self._forget(step)
            at = below

    def _forget(self, step: _Step) -> None:
        """Nothing leads below ``step`` any more."""
        steps = [step]
        while steps:
            step = steps.pop()
            for state in (step.state, step.inner):
                if state is not None:
                    self._kept -= 1
                    steps += state.steps
            step.held = step.state = step.inner = None

    def _chop(self) -> None:
        """Have the first part in order split, when much is kept for its sake.

        What it keeps for itself is then smaller, and sooner done; what it gives
        away is the next to be explored.
        """
        if self._kept < _MUCH_KEPT or (self._explorer is None and not self._flying):
            return
        mine = [] if self._explorer is None else [(self._mine.order, -1)]
        _, helper = min(mine + [(held.order, helper) for helper, held in self._flying.items()])
        if helper < 0:
            self._split_mine()
        else:
            self._ask(helper)

    def _ask(self, helper: int) -> None:
        if helper not in self._asked:
            self._asked.add(helper)
            self.crew.send(helper, "split", None)

    # -- states

    def _take_over(self, held: _Held, levels: Sequence[Level]) -> None:
        """The states of ``levels`` are above ``held`` from now on; what else goes on there is to do."""
        settling = held.begun and not held.settled
        step, way = held.step, held.way
        for level in levels:
            state = _State(map(self._event, level.asleep), level.ready)
            self._link(step, state, level.led and settling)
            # An order that some lock forbids was asked for: there is no such execution.
            twigs = [t for n, t in enumerate(level.twigs) if n == 0 or t[0][0] in level.ready]
            state.steps = [_Step(self._event(event)) for event, _ in twigs]
            each = held.weight / (level.done + len(twigs))
            self._finished += each * level.done
            for n in range(1, len(twigs)):
                self._new([*held.way, (state, n)], self._tree(twigs[n]), each)
            step = state.steps[0]
            step.live += 1
            held.way, held.weight = [*held.way, (state, 0)], each
            held.asleep, held.tree = state.asleep_after(0), self._tree(twigs[0])
        if settling:
            held.settled = True
            late, held.late = held.late, []
            for sequence in late:
                self._below(held, way, sequence)

    def _link(self, step: _Step | None, state: _State, led: bool) -> None:
        """``state`` is where ``step`` leads.  Within a bound there is no reversal that could lead there."""
        if self.bound is not None:
            return
        self._kept += 1
        if step is None:
            self._root = state
        elif led:
            step.state = state
        else:
            step.inner = state

    def _event(self, sent: Wire) -> Event:
        """One object for each event, however many states have it."""
        event = self._events.get(sent)
        if event is None:
            event = self._events[sent] = event_of(sent)
        return event

    def _tree(self, sent: Twig) -> list[Branch]:
        return [branch_of(child, self._event) for child in sent[1]]

    def _insert(self, held: _Held, reversals: Iterable[tuple[int, tuple[Wire, ...]]]) -> None:
        """Have each sequence explored from the state at its depth above ``held``."""
        for depth, sequence in reversals:
            state, n = held.way[depth]
            # Its explorer knows what comes before its own step there, and reports nothing that this covers.
            self._from(held, held.way[:depth], state, n + 1, [self._event(sent) for sent in sequence])

    def _from(
        self, held: _Held, way: list[tuple[_State, int]], state: _State, first: int, rest: list[Event]
    ) -> None:
        """Have ``rest`` explored from ``state``, to which ``way`` leads, by its steps from ``first`` on."""
        for n in range(first, len(state.steps)):
            at = position(state.steps[n].event, rest)
            if at is not None:
                below = rest if at < 0 else rest[:at] + rest[at + 1 :]
                if below:
                    self._below(held, [*way, (state, n)], below)
                return
        if rest[0].proc in state.ready:
            state.steps.append(_Step(rest[0]))
            tree: list[Branch] = []
            for event in reversed(rest[1:]):
                tree = [Branch(event, tree)]
            held.weight /= 2
            self._new([*way, (state, len(state.steps) - 1)], tree, held.weight)

    def _below(self, held: _Held, way: list[tuple[_State, int]], rest: list[Event]) -> None:
        """Have ``rest`` explored below the last step of ``way``, unless all is explored there anyway."""
        state, n = way[-1]
        step = state.steps[n]
        if step.state is not None:
            self._from(held, way, step.state, 0, rest)
        elif step.held is not None and not step.held.settled:
            if step.held.begun:
                step.held.late.append(rest)
            else:
                _into_tree(step.held, rest)


def _into_tree(held: _Held, rest: list[Event]) -> None:
    if held.tree:
        insert(held.tree, rest)
