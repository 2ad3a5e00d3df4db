"""A user's program: fresh shared state, named threads, a check."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, TypeVar

from .errors import ProgramError, described, exactly
from .findings import Broken

ThreadFunction = Callable[[Any], Any]
Check = Callable[[Any, dict[str, Any]], Broken | Iterable[Broken] | None]
Snapshot = Callable[[Any], Any]
T = TypeVar("T")
_MOST_TOLD = 1 << 20


@dataclass(frozen=True)
class Program:
    """A concurrent program: ``setup() -> state``, threads, an optional check.

        class Account(racebench.State):
            balance = racebench.shared(0)

        def deposit(s):
            s.balance += 1

        program = racebench.Program(
            "account",
            setup=Account,
            threads={"a": deposit, "b": deposit},
            check=lambda s, results: None if s.balance == 2 else racebench.broken("account.lost", "..."),
        )
        print(racebench.verify(program))

    ``setup`` is called for each execution, and must make the shared state: RaceBench
    sees nothing of a state that was made before.
    ``threads`` maps a name to ``callable(state)``; its return value is the
    thread's result.  ``check(state, results)`` runs at rest, after all threads
    have ended, and returns None, one ``broken(...)`` or several.
    ``snapshot(state)`` returns JSON values, shown as the state before and after.
    ``recycle(state)`` may restore a state whose threads all ended normally to
    exactly what ``setup`` would make, and return True; the next execution then gets it.
    ``story(state)`` returns JSON values that describe an execution, if
    executions differ from one another (threads that draw their operations).
    ``parts`` has each thread's operations in words, and ``smaller()`` gives the
    programs with one operation less, in which shrinking searches for the operations needed.
    ``interrupts`` maps a name to (a thread's name, ``handler(state)``).  It comes
    once, on that thread's processor: between any two of the thread's steps unless
    it has interrupts off (``irqs_off``, ``Lock.irq``, ``irqsave``), at the latest
    when the thread has ended; never, if that leaves them off.  The handler runs
    to its end before the thread goes on.  It starts with interrupts off, and no
    other one comes to that processor until then, whatever it does.
    ``daemons`` names threads that may wait for ever: once all the others have ended
    and each daemon has ended or waits, the execution is over and ``check`` runs.
    Such a daemon has no result (None), and the locks that it holds while it waits are not
    leaked, because no thread is left that could want them.  It is then unwound; under control
    that comes after ``check``.  Another thread that waits for ever is still a deadlock,
    and so is a ring of daemons, or a handler that waits for ever.
    ``instrument`` names classes whose attributes become shared fields for the time of a
    run: a class, a module (all the classes that it defines), "package.module",
    "package.module:Class" or "package.module:Class.attribute".  Locks that these
    made when they were imported are replaced for that time.
    All threads start at once.  ProgramError if an argument has another shape.
    """

    name: str
    setup: Callable[[], Any]
    threads: Mapping[str, ThreadFunction]
    check: Check | None = None
    snapshot: Snapshot | None = field(default=None, kw_only=True)
    recycle: Callable[[Any], bool] | None = field(default=None, kw_only=True)
    story: Callable[[Any], Any] | None = field(default=None, kw_only=True)
    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict, kw_only=True)
    smaller: Callable[[], Iterable[Program]] | None = field(default=None, kw_only=True)
    interrupts: Mapping[str, tuple[str, ThreadFunction]] = field(default_factory=dict, kw_only=True)
    daemons: Collection[str] = field(default=frozenset(), kw_only=True)
    instrument: Collection[Any] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise ProgramError("Program.name must be a non-empty string. Give it a name.")
        if not callable(self.setup):
            raise self._error("setup is not callable. Pass a class or function.")
        if not isinstance(self.threads, Mapping) or not self.threads:
            raise self._error("threads must map at least one name to a callable.")
        for name, function in self.threads.items():
            if not isinstance(name, str) or not name:
                raise self._error(f"thread name {name!r} is not a non-empty string.")
            if not callable(function):
                raise self._error(f"thread {name!r} is not callable.")
        for part in ("check", "snapshot", "recycle", "story", "smaller"):
            if getattr(self, part) is not None and not callable(getattr(self, part)):
                raise self._error(f"{part} is not callable.")
        object.__setattr__(self, "name", exactly(self.name))
        object.__setattr__(self, "threads", {exactly(name): call for name, call in self.threads.items()})
        object.__setattr__(self, "interrupts", self._checked_interrupts())
        object.__setattr__(self, "daemons", self._checked_daemons())
        object.__setattr__(self, "instrument", self._checked_instrument())

    def _error(self, what: str) -> ProgramError:
        return ProgramError(f"{self.name}: {what}")

    def _checked_instrument(self) -> tuple[Any, ...]:
        if isinstance(self.instrument, (str, bytes)) or not isinstance(self.instrument, Collection):
            raise self._error("instrument must be a list of classes, modules or their names.")
        for target in self.instrument:
            if not isinstance(target, (str, type, ModuleType)):
                kind = type(target).__name__
                raise self._error(f"instrument has {kind}, not a class, a module or the name of one.")
        return tuple(self.instrument)

    def _checked_daemons(self) -> frozenset[str]:
        if isinstance(self.daemons, str) or not isinstance(self.daemons, Collection):
            raise self._error("daemons must be a collection of names of threads, such as {'worker'}.")
        for name in self.daemons:
            if not isinstance(name, str) or name not in self.threads:
                known = ", ".join(self.threads)
                raise self._error(f"daemon {name!r} is no thread of the program. Choose of {known}.")
        return frozenset(exactly(name) for name in self.daemons)

    def _checked_interrupts(self) -> dict[str, tuple[str, ThreadFunction]]:
        if not isinstance(self.interrupts, Mapping):
            raise self._error("interrupts must map names to (thread, callable).")
        for name, value in self.interrupts.items():
            if not isinstance(name, str) or not name or name in self.threads:
                raise self._error(f"interrupt name {name!r} is empty, or a thread's.")
            if not isinstance(value, tuple) or len(value) != 2 or not callable(value[1]):
                raise self._error(f"interrupt {name!r} is not (thread, callable).")
            if value[0] not in self.threads:
                known = ", ".join(self.threads)
                raise self._error(f"interrupt {name!r} is for thread {value[0]!r}. Choose one of {known}.")
        return {exactly(n): (exactly(thread), call) for n, (thread, call) in self.interrupts.items()}

    @property
    def actors(self) -> tuple[str, ...]:
        """The names that make steps: the threads, then the interrupts."""
        return (*self.threads, *self.interrupts)

    def fresh(self) -> Any:
        """Return a new state from ``setup``; ProgramError if it raises."""
        process = os.getpid()
        state = self._called("setup", self.setup)
        if os.getpid() != process:
            # A setup that forks returns twice.  The other process would continue the same search
            # and fork again in each execution: soon there would be thousands of processes.
            os._exit(1)
        return state

    def recycled(self, state: Any) -> bool:
        """Whether ``recycle`` has put ``state`` back; ProgramError if it raises."""
        recycle = self.recycle
        return recycle is not None and self._called("recycle", lambda: bool(recycle(state)))

    def _called(self, part: str, call: Callable[[], T]) -> T:
        """The result of ``call``, a ``part`` of the program; ProgramError if it raises."""
        try:
            return call()
        except (ProgramError, KeyboardInterrupt):
            raise
        except BaseException as error:
            raise self._error(f"{part} raised {described(error)}. Mend {part}.") from error

    def pictured(self, state: Any) -> Any:
        """The result of ``snapshot`` for ``state``, as plain JSON; ProgramError if it is no JSON."""
        return self._plain("snapshot", self.snapshot, state)

    def retold(self, state: Any) -> Any:
        """The result of ``story``, likewise."""
        return self._plain("story", self.story, state)

    def _plain(self, part: str, make: Callable[[Any], Any] | None, state: Any) -> Any:
        if make is None:
            return None
        made = self._called(part, lambda: make(state))
        try:
            text = json.dumps(made)
            value = json.loads(text)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            what = f"{part} returned what JSON cannot hold: {described(error)}"
            raise self._error(f"{what}. Return dicts, lists, strings and numbers.") from error
        if len(text) > _MOST_TOLD:
            what = f"{part} returned {len(text):,} characters of JSON, more than {_MOST_TOLD:,}"
            raise self._error(f"{what}. Return less.")
        return value

    def broken_rules(self, state: Any, results: dict[str, Any]) -> tuple[Broken, ...]:
        """The rules that ``check`` finds broken after an execution."""
        if self.check is None:
            return ()
        said = self.check(state, results)
        if said is None or (type(said) is list and not said):
            return ()
        rules: tuple[Any, ...] = (said,)
        if isinstance(said, Iterable) and not isinstance(said, str):
            rules = tuple(said)
        for rule in rules:
            if not isinstance(rule, Broken):
                raise self._error(f"check returned {type(rule).__name__}, not None or racebench.broken(...).")
        return rules
