"""Run the machine with one thread: which results are explained by some serial order of operations.

The model of a protocol's operations, one after another, is the protocol
itself, on a machine that only the caller touches.  The result of an operation in a
state is computed once and cached.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

from ..primitives import Lock, lent
from ..primitives.locks import FOREVER, checked
from ..primitives.single_thread import SingleThread
from .action import IrqAction
from .snapshot import Glimpse, glimpse
from .system import System, states

Log = Sequence[tuple[int, Any]]
"""The operations of one thread: the number of each, and its result."""

_MOST_STATES, _MOST_ORDERS = 4_000, 100_000


class _WouldHang(Exception):
    """An operation that runs alone waits for something that nobody will provide."""


class _SerialLock(Lock):
    def acquire(self, blocking: bool = True, timeout: float = FOREVER) -> bool:
        if self.real.acquire(False):
            return True
        if checked(blocking, timeout) is None:
            raise _WouldHang(self.name)
        return False


class _Alone(SingleThread):
    """The runtime of a machine that one thread uses: an operation that would wait raises."""

    def __init__(self) -> None:
        super().__init__()
        self.types[Lock] = _SerialLock

    def hangs(self, what: str) -> NoReturn:
        raise _WouldHang(what)


class Serial:
    """The results of operations one after another.  States are numbers; 0 is the first.

    Used by one thread at a time, while the threads of the run are at rest.
    """

    def __init__(self, build: Callable[[], System], codes: Sequence[Callable[[System], Any]]) -> None:
        self._codes = codes
        self._runtime = _Alone()
        self._steps: dict[tuple[int, int], tuple[Any, int] | None] = {}
        self._numbers: dict[tuple[Any, ...], int] = {}
        self._states: list[list[tuple[Any, ...]]] = []
        self._glimpses: list[Glimpse] = []
        with lent(self._runtime):
            self._system = build()
        self._objects = [(s, tuple(s._rb_fields)) for s in states(self._system.machine)]
        self._number()

    @property
    def full(self) -> bool:
        """Whether it has stored so many states that a new Serial should replace it."""
        return len(self._states) > _MOST_STATES

    def glimpse(self, state: int) -> Glimpse:
        return self._glimpses[state]

    def _number(self) -> int:
        """The number of the machine's present state."""
        values = [tuple([vars(s)[name] for name in names]) for s, names in self._objects]
        key = tuple([_plain(value) for own in values for value in own])
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self._states)
            self._states.append(values)
            self._glimpses.append(glimpse(self._system.machine))
        return number

    def step(self, state: int, code: int) -> tuple[Any, int] | None:
        """The result of operation ``code`` in ``state``, and the state after it; None if it does not end."""
        key = state, code
        if key not in self._steps:
            self._steps[key] = self._step(state, code)
        return self._steps[key]

    def _step(self, state: int, code: int) -> tuple[Any, int] | None:
        for (s, names), values in zip(self._objects, self._states[state], strict=True):
            vars(s).update(zip(names, values, strict=True))
        try:
            with lent(self._runtime):
                result = self._codes[code](self._system)
        except Exception:
            self._unlock()
            return None
        # An operation that leaves a lock held has not ended either.
        return None if self._unlock() else (result, self._number())

    def _unlock(self) -> bool:
        """Release every lock that is held; return whether there was one."""
        held = [
            lock
            for s, _ in self._objects
            for lock in vars(s).values()
            if isinstance(lock, Lock) and lock.locked()
        ]
        for lock in held:
            lock.real.release()
        return bool(held)

    def along(self, state: int, order: Iterable[tuple[int, Any]]) -> int | None:
        """The state after ``order``, if each operation returns its recorded result there; else None."""
        for code, result in order:
            step = self.step(state, code)
            if step is None or step[0] != result:
                return None
            state = step[1]
        return state

    def ends(self, starts: Iterable[int], logs: Sequence[Log]) -> set[int] | None:
        """Every state in which a serial order of ``logs`` that explains all results can end.

        Each thread's operations stay in their order.  None if there are too
        many orders to look at.
        """
        goal = tuple(map(len, logs))
        stack = [((0,) * len(logs), state) for state in starts]
        seen, ends = set(stack), set[int]()
        while stack:
            at, state = stack.pop()
            if at == goal:
                ends.add(state)
                continue
            if len(seen) > _MOST_ORDERS:
                return None
            for thread, log in enumerate(logs):
                if at[thread] == len(log):
                    continue
                code, result = log[at[thread]]
                step = self.step(state, code)
                if step is None or step[0] != result:
                    continue
                after = (*at[:thread], at[thread] + 1, *at[thread + 1 :]), step[1]
                if after not in seen:
                    seen.add(after)
                    stack.append(after)
        return ends


def _plain(value: Any) -> Any:
    """``value`` in a form in which equal states compare equal: an action by its content."""
    return (value.d, value.virq) if isinstance(value, IrqAction) else value
