"""Finds what changes in an execution without a step, and which threads use it.

Nothing announces such a change, and looking at each access would slow every program down.  So pictures
are taken of what the threads can reach, before and after a few of the executions (the first, second,
fourth, eighth...): a place that differs was changed by some thread.  Only then a few more executions
are traced, by the instruction, to see which threads use it.

A place that only one thread uses is its own, and does not weaken the proof.  Nor does a place that is
used with one lock held, always the same: the steps of the lock are searched in all their orders, so all
orders of the uses are.  If one thread changes any other place and another thread uses it too, schedules
would have to order these uses, and do not: the answer is unknown, and names the place.  That may be a
false alarm, for two threads that fill a list which nobody reads; but the opposite choice could make a
proof wrong.  Not noticed: a use that a few executions do not reach, and a change that is undone before
its thread's next step.  Objects are told apart by the names of their attributes only.

A container, or another object that has changed inside, may be fetched by its name with the lock held
and used by a variable, a result or an iterator afterwards.  So what a variable that is read, or a call
that returns, leads to is looked up in a picture of that moment, if fewer locks are held than at the uses
before: what the state no longer leads to was taken out by one thread.

**Hand-overs.** In case of doubt, small programs are examined more closely (``search.ordering``).
Regard the uses as steps, two of which conflict if they are of one place, by different threads, and one
writes.  If in each execution that a complete search has run the steps order all such pairs, then the
uses add neither to the order nor a race: the search has reversed all that it would have had to reverse
had it known them, so it has missed nothing.  That is checked in every execution, not in a few, and so
finds the pair that another order of a lock leaves unordered.  A use lies between its thread's step
before it and the next one, and comes before another use only if that next step happens before (or is)
the last step before the other use.  A thread that gets a container, or has a name as a string, may use
it without the name from then on: that lasts until the thread has ended.  So the ordering is seen for a
value that is handed over by a semaphore, a condition, an event, a barrier, a start or a join; for a list
only by a start or a join.  A place that is not certain to have changed, or changed by something else
than a store that is seen, stays doubtful.
"""

from __future__ import annotations

import dis
import functools
from collections.abc import Callable, Mapping, Sized
from types import CodeType, FrameType
from typing import Any, NamedTuple

from ..instrument import site_of
from ..osthreads import is_ours
from .objects import VALUES, is_library
from .pictures import Picture, Place

TRACED = 3
_NAMED = {"LOAD_ATTR", "LOAD_METHOD", "LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF", "LOAD_CLASSDEREF"}
_NAMED |= {"LOAD_FROM_DICT_OR_DEREF", "LOAD_SUPER_ATTR", "IMPORT_NAME", "IMPORT_FROM"}
_STORES = {"STORE_ATTR", "DELETE_ATTR", "STORE_GLOBAL", "STORE_DEREF", "DELETE_GLOBAL", "DELETE_DEREF"}


class Use(NamedTuple):
    """Thread ``proc`` uses ``name`` when ``at`` steps have been made.

    ``writes``: it may write.  ``kept``: it may use it again without the name, until it ends.
    """

    name: str
    proc: int
    at: int
    writes: bool
    kept: bool


class Uses:
    """Which threads use each of some names, and where: the first place that writes it, or else that reads it.

    ``stored`` has the names that an instruction stores to, ``latest`` the uses in the present execution.
    ``under`` has the locks that were held at all uses.  A thread that reads a ``loose`` name may change
    what the name stands for.
    """

    __slots__ = ("_log", "_picture", "by", "latest", "loose", "names", "stored", "under")

    def __init__(self, names: frozenset[str], loose: frozenset[str] = frozenset()) -> None:
        self.names, self.loose = names, loose
        self.stored: set[str] = set()
        self.latest: set[Use] = set()
        self.by: dict[str, dict[str, tuple[bool, str]]] = {}
        self.under: dict[str, frozenset[str]] = {}
        self._log: Sized = ()
        self._picture: Callable[[], Picture] | None = None

    @classmethod
    def of(cls, places: set[Place]) -> Uses:
        names = frozenset(name for place in places for name in place.names)
        return cls(names, frozenset(name for place in places if place.loose for name in place.names))

    def begin(self, log: Sized, picture: Callable[[], Picture]) -> None:
        """Start an execution, whose steps are appended to ``log``; ``picture`` takes a present picture."""
        self._log, self._picture, self.latest = log, picture, set()

    def tracer(self, task: Any) -> Callable[[FrameType, str, Any], Any]:
        """Return the trace function for the thread of ``task``; one thread runs at a time."""

        def look(frame: FrameType, event: str, argument: Any) -> Any:
            if event == "call":
                if is_ours(frame.f_code.co_filename) or is_library(frame.f_code):
                    return None
                # Trace by the instruction: a lock may be taken in the middle of a line.
                frame.f_trace_opcodes, frame.f_trace_lines = True, False
            elif event == "opcode":
                name, writes, said = _names(frame.f_code).get(frame.f_lasti, ("", False, False))
                if name in self.names:
                    kept = said or name in self.loose
                    self.latest.add(Use(name, task.index, len(self._log), writes or kept, kept))
                    self._used(name, task, writes, frame)
                for variable in _variables(frame.f_code).get(frame.f_lasti, ()):
                    self._had(frame.f_locals.get(variable), task, frame)
            elif event == "return":
                self._had(argument, task, frame)
            return look

        return look

    def _had(self, value: Any, task: Any, frame: FrameType) -> None:
        """Note that the thread uses ``value``, fetched by a loose name before, or returns it to its caller.

        A value that the state no longer leads to was taken out, and is the thread's own.
        """
        if type(value) in VALUES or self._picture is None:
            return
        held = self._held(task, False)
        fewer = {name for name in self.loose if not self.under.get(name, held) <= held}
        for name in fewer & self._picture().used_by(value) if fewer else ():
            self._used(name, task, False, frame)

    def _used(self, name: str, task: Any, writes: bool, frame: FrameType) -> None:
        if writes:
            self.stored.add(name)
        held = self._held(task, not writes and name not in self.loose)
        under = self.under.setdefault(name, held)
        self.under[name] = under & held
        known = self.by.setdefault(name, {}).get(task.name)
        # The place where a lock is missing says more than the first one.
        if known is None or (writes and not known[0]) or (not under <= held and writes >= known[0]):
            self.by[name][task.name] = writes, str(site_of(frame.f_code, frame.f_lasti))

    @staticmethod
    def _held(task: Any, looks: bool) -> frozenset[str]:
        """Return the locks that guard a use by ``task``; ``looks``: it only reads and changes nothing."""
        # A read-write lock that its readers share does not exclude another thread's change.
        return frozenset(
            lock.name for lock, _, _ in task.held if looks or getattr(lock, "writer", task) is task
        )

    def sentences(self, places: set[Place], all_of_them: bool = False) -> list[str]:
        """Return a sentence for each of ``places`` that two threads use with no common lock, or for all."""
        sentences = []
        for place in sorted(places, key=lambda place: place.what):
            users: dict[str, tuple[bool, str]] = {}
            for name in sorted(place.names):
                for thread, use in self.by.get(name, {}).items():
                    users[thread] = max(use, users.get(thread, use), key=lambda use: use[0])
            locks = [self.under[name] for name in place.names if name in self.under]
            # It was changed, but no use was seen: it was used by another name, as with ``vars``.
            hidden = place.certain and not users
            if all_of_them or hidden or (len(users) > 1 and not frozenset.intersection(*locks)):
                ordered = sorted(users.items(), key=lambda item: (not item[1][0], item[0]))
                parts = [f"{'written' if w else 'used'} by {t} in {site}" for t, (w, site) in ordered]
                how = " and ".join(parts) or "changed by the threads"
                sentences.append(
                    f"{place.what}, is {how}: RaceBench does not see that. "
                    "Declare it with racebench.shared in a State."
                )
        return sentences


@functools.lru_cache(maxsize=4096)
def _names(code: CodeType) -> Mapping[int, tuple[str, bool, bool]]:
    """Return by offset an instruction's name, whether it stores to it, and whether it is only a string."""
    return {
        instruction.offset: (
            str(instruction.argval),
            instruction.opname in _STORES,
            instruction.opname == "LOAD_CONST",
        )
        for instruction in dis.get_instructions(code)
        # A string may be a name as well: for ``getattr``, ``vars(x)[...]``, ``globals()[...]``.
        if instruction.opname in _NAMED | _STORES
        or (instruction.opname == "LOAD_CONST" and type(instruction.argval) is str)
    }


@functools.lru_cache(maxsize=4096)
def _variables(code: CodeType) -> Mapping[int, tuple[str, ...]]:
    """Return by offset the local or enclosing variables that an instruction reads."""
    return {
        instruction.offset: instruction.argval if type(instruction.argval) is tuple else (instruction.argval,)
        for instruction in dis.get_instructions(code)
        if instruction.opname in ("LOAD_DEREF", "STORE_FAST_LOAD_FAST")
        or instruction.opname.startswith("LOAD_FAST")
    }
