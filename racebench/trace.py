"""Operations, steps and schedules.

A schedule is a tuple of (thread, operation, object) triples of strings.  It
holds no counter, address or bytecode offset, so it survives JSON, a new
Python version and edits of the program that do not change its steps.
"""

from __future__ import annotations

import enum
import linecache
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

Schedule = tuple[tuple[str, str, str], ...]


class Kind(enum.Enum):
    """What a step does to its object.

    REQUEST_READ and REQUEST_WRITE: the thread wants a fair read-write lock, cannot
    have it now and visibly waits; the acquire that may follow is a step of its
    own.  WAKE: a condition's waiter wakes spuriously.  TIMEOUT: a wait ends by its
    timeout.  AWAIT and PASS: a thread begins to wait for an event, and continues; ARRIVE
    and LEAVE: the same for a barrier.  LOOK: it asks for the state of one of these.  UPDATE:
    an atomic value is read and written in one step.  PAUSE and CLOCK: it sleeps, or asks for
    the time.  PUT, GET and TRY_GET: the same as UP, DOWN and TRY_DOWN, for a queue.
    START, END and JOIN: it starts another thread, ends, continues after another one's end.
    """

    READ = "read"
    WRITE = "write"
    ACQUIRE = "acquire"
    TRY_ACQUIRE = "try_acquire"
    RELEASE = "release"
    LOCKED = "locked"
    ACQUIRE_READ = "acquire_read"
    RELEASE_READ = "release_read"
    ACQUIRE_WRITE = "acquire_write"
    REQUEST_READ = "request_read"
    REQUEST_WRITE = "request_write"
    RELEASE_WRITE = "release_write"
    WAIT = "wait"
    NOTIFY = "notify"
    NOTIFY_ALL = "notify_all"
    WAKE = "wake"
    DOWN = "down"
    TRY_DOWN = "try_down"
    UP = "up"
    WAIT_UNTIL = "wait_until"
    IRQS_OFF = "irqs_off"
    IRQS_ON = "irqs_on"
    INTERRUPT = "interrupt"
    RETURN = "return"
    STORE = "store"
    FENCE = "fence"
    TIMEOUT = "timeout"
    AWAIT = "await"
    PASS = "pass"
    SET = "set"
    CLEAR = "clear"
    LOOK = "look"
    ARRIVE = "arrive"
    LEAVE = "leave"
    ABORT = "abort"
    RESET = "reset"
    UPDATE = "update"
    PAUSE = "pause"
    CLOCK = "clock"
    PUT = "put"
    GET = "get"
    TRY_GET = "try_get"
    START = "start"
    JOIN = "join"
    END = "end"

    # Members are compared by identity, so hash that: Enum's own hash is Python code, slow at each lookup.
    __hash__ = object.__hash__


_CHANGES_NOTHING = {
    # A store that waits in a buffer has changed nothing yet.
    *(Kind.READ, Kind.LOCKED, Kind.STORE, Kind.AWAIT, Kind.PASS, Kind.LOOK, Kind.TIMEOUT),
    *(Kind.PAUSE, Kind.CLOCK, Kind.JOIN),
}


class Op:
    """One operation of a thread: its kind, and for a field its name.

    One Op exists for each field of each class and each kind of access, so an
    offer allocates nothing.  ``drains`` marks a WRITE made by a store
    buffer: then the actor's ``source`` is the thread whose store it was.
    ``apart`` marks operations that order steps in a way of their own.  Two operations on one
    object commute unless one ``conflicts``: it writes, or it reads a value that its
    reader may then change in place, which an engine sets when it sees such a value.
    ``inside`` says that it uses the list, dict or set in the field.
    ``does`` is the kind of operation for its effect on the object: an acquire that times out
    is a failed try.  ``timed`` is the offer in its place if it may also time out; grant and
    timeout have each other as ``other``.
    ``times`` is how often a release gives.
    """

    __slots__ = (
        *("apart", "atomic", "conflicts", "does", "drains", "field", "inside"),
        *("is_field", "kind", "nested", "other", "timed", "times", "writes"),
    )

    def __init__(
        self, kind: Kind, field: str = "", atomic: bool = False, drains: bool = False, inside: bool = False
    ) -> None:
        self.kind, self.field, self.atomic, self.drains, self.inside = kind, field, atomic, drains, inside
        self.does = kind
        self.timed: Op | None = None
        self.other: Op | None = None
        self.times = 1
        self.is_field = bool(field)
        self.writes = kind not in _CHANGES_NOTHING
        self.conflicts = self.writes
        self.apart = drains or kind in (Kind.WAIT_UNTIL, Kind.STORE, Kind.FENCE)
        self.nested = kind in (Kind.WAIT, Kind.INTERRUPT, Kind.RETURN, Kind.START)

    def __repr__(self) -> str:
        return f"<Op {self.kind.value} {self.field}>"


def object_name(op: Op, obj: Any) -> str:
    """The name of the object of ``op`` in a schedule."""
    return f"{label_of(obj)}.{op.field}" if op.is_field else str(obj.label())


def label_of(state: Any) -> str:
    """What the class of ``state`` calls it, even if the object has an attribute called label."""
    return str(type(state).label(state))


class Actor(Protocol):
    """A thread of the program, as an execution names it."""

    index: int
    name: str


class Execution:
    """The steps of one execution's threads, in order; detectors work on it.

    ``steps`` and ``blocked`` (the operations for which threads still wait at the end) hold
    (actor, op, object); an object has a ``label()``, a lock also a ``cls``.  The object of an
    INTERRUPT has the interrupted actor as ``task``, that of a START the started one as ``runner``.
    ``sites`` has the place of each step, if the execution was recorded with
    places, and ``wanted`` that of each entry of ``blocked``.  ``surveys`` belongs to the
    detectors: a result that they share.
    """

    __slots__ = ("blocked", "sites", "steps", "surveys", "threads", "wanted")

    def __init__(
        self,
        threads: int,
        steps: Sequence[tuple[Any, Op, Any]],
        blocked: Sequence[tuple[Any, Op, Any]] = (),
        sites: Sequence[Site] = (),
        wanted: Sequence[Site] = (),
    ) -> None:
        self.threads, self.steps, self.blocked = threads, steps, blocked
        self.sites, self.wanted = sites, wanted
        self.surveys: list[Any] = []

    def place(self, n: int) -> str:
        """The place of step ``n`` in words; numbers past the last step are entries of ``blocked``."""
        extra = n - len(self.steps)
        known = self.sites if extra < 0 else self.wanted
        at = n if extra < 0 else extra
        return str(known[at]) if at < len(known) else ""


NOTHING = ("", "")
"""The held lock of a thread that wants a lock and holds none."""


class LockEdge(NamedTuple):
    """``thread`` held ``held`` (taken at step ``taken``) and wanted ``wanted`` (at step ``at``).

    Locks are (class, name).  ``others`` has all locks that it held; a mode is True for
    exclusive, False for shared.  ``fair``: a writer that waits for the wanted lock
    holds new readers back; such a writer has an edge even if it
    held ``NOTHING``.  ``fresh`` names those of the two locks that were made in a thread,
    ``unnamed`` those that were given no name.
    ``known`` is what thread ``number`` knew of the others by hand-overs when
    it wanted the lock, ``seen`` what it knew with all its reads, both empty if not
    recorded.  ``latest`` is how many steps it had made when it last wanted the lock with the
    same knowledge: see ``detect.happens_before``.
    """

    thread: str
    held: tuple[str, str]
    wanted: tuple[str, str]
    others: frozenset[tuple[str, bool]]
    held_mode: bool = True
    wanted_mode: bool = True
    taken: int = -1
    at: int = -1
    taken_site: str = ""
    wanted_site: str = ""
    fair: bool = False
    number: int = -1
    known: tuple[int, ...] = ()
    latest: int = -1
    seen: tuple[int, ...] = ()
    fresh: frozenset[str] = frozenset()
    unnamed: frozenset[str] = frozenset()


class Site(NamedTuple):
    """A place in the code under test."""

    function: str
    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.function} ({self.file}:{self.line})"


class Step:
    """One executed step, as a detailed replay records it.

    ``old`` and ``new`` are reprs of the field's value before and after the step, empty
    for operations that are not on fields.  ``held`` lists the locks that the
    thread held when the step began, outermost first.  ``file`` is the full name of
    the site's file; its line is read once no thread runs any more.
    """

    __slots__ = ("atomic", "file", "held", "kind", "lock_class", "new", "object", "old", "site", "thread")

    def __init__(self, thread: str, kind: Kind, object: str, lock_class: str, site: Site) -> None:
        self.thread, self.kind, self.object, self.lock_class = thread, kind, object, lock_class
        self.site, self.atomic = site, False
        self.held: tuple[str, ...] = ()
        self.old = self.new = self.file = ""

    def as_json(self) -> dict[str, Any]:
        return {
            "thread": self.thread,
            "op": self.kind.value,
            "object": self.object,
            "site": str(self.site),
            "code": linecache.getline(self.file, self.site.line).strip(),
            "old": self.old,
            "new": self.new,
            "held": list(self.held),
        }


def switches(schedule: Iterable[tuple[str, str, str]]) -> int:
    """How often ``schedule`` switches from one thread to another."""
    count, last = 0, None
    for thread, _, _ in schedule:
        if last is not None and thread != last:
            count += 1
        last = thread
    return count
