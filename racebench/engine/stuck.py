"""Which thread waits for which, and the evidence of a faulty execution.

Both engines keep, for each thread, what it holds (with the code that took it)
and what it wants; the functions here turn that into evidence.  They only read:
the caller makes sure that nothing changes meanwhile (controlled: it has the
floor; free: it holds the wait-for graph's mutex and the ring is asleep).
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from types import CodeType
from typing import Any, Protocol

from ..errors import described, shortened
from ..primitives import Thread
from ..trace import Site
from .instrument import site_of
from .osthreads import is_ours, site_in

_HOW = {"": "held", "behind": "awaited", "joins": "blocked"}
UNKNOWN_SITE = Site("?", "?", 0)
_MOST_FRAMES = 24

CPU = "cpu"
"""The class of the processor, for which an interrupted thread waits."""


class Waiter(Protocol):
    """The record of a thread of the program, in either engine."""

    name: str
    obj: Any
    held: list[tuple[Any, CodeType, int]]
    thread: threading.Thread | None
    waits_at: tuple[CodeType, int] | None

    @property
    def suspended(self) -> bool:
        """Whether another task runs a handler on its processor."""

    @property
    def handling(self) -> tuple[str, int]:
        """The interrupt that it handles ("": none), and how many of ``held`` were taken before."""


class Fault:
    """A fault found at step ``at`` of an execution.

    ``by`` are the threads concerned, by index; ``past`` the steps that
    show it, if those are not simply the first ``at``.
    """

    __slots__ = ("at", "by", "crash", "evidence", "message", "past", "rule", "signature")

    def __init__(
        self, rule: str, signature: str, message: str, at: int, evidence: dict[str, Any] | None = None
    ) -> None:
        self.rule, self.signature, self.message, self.at = rule, signature, message, at
        self.evidence: dict[str, Any] = {} if evidence is None else evidence
        self.crash = False
        self.by: tuple[int, ...] = ()
        self.past: tuple[int, ...] | None = None


class Polled:
    """The object of a wait that asks again and again; the thread's stack may then show the question.

    ``site`` is where the wait began.
    """

    site: Site


def wanted_site(task: Waiter) -> Site:
    """Where ``task`` waits: the innermost frame of the code under test."""
    if isinstance(task.obj, Polled):
        return task.obj.site
    if task.waits_at is not None:
        return site_of(*task.waits_at)
    return site_in(task.thread) or UNKNOWN_SITE


def find_ring(me: Waiter, blocked: Any = None) -> list[Any] | None:
    """The threads of a ring through ``me``: each waits for the next; None if there is none.

    ``blocked(task)`` says whether a task really waits; by default ``not ready``.
    """
    waits = blocked or (lambda task: not task.ready)
    obj = me.obj
    if obj is None or not waits(me):
        return None
    owners = list(obj.owners_for(me))
    if me in owners:
        # Also if it is in another ring too: the report must not depend on which thread came first.
        return [me]
    # No recursion: a function that refers to itself is a ring of objects, which only the collector frees.
    path, left = [me], [iter(owners)]
    seen: set[int] = set()
    while path:
        owner = next(left[-1], None)
        if owner is None:
            path.pop()
            left.pop()
        elif owner is me:
            return path
        elif id(owner) not in seen:
            seen.add(id(owner))
            obj = owner.obj
            if obj is not None and waits(owner):
                path.append(owner)
                left.append(iter(obj.owners_for(owner)))
    return None


def is_closed(ring: list[Any]) -> bool:
    """Whether no thread outside ``ring`` can release one of its threads."""
    return all(getattr(task.obj, "strict", True) for task in ring)


def ring_fault(me: Waiter, ring: list[Any], at: int) -> Fault:
    """The deadlock that the new wait of ``me`` closes; ``ring`` is the result of ``find_ring``.

    A thread that a handler in the ring has interrupted waits for the handler's return.
    """
    following = ring[1:] + ring[:1]
    if not [task for task in ring[1:] if not task.suspended]:
        return _self_fault(me, following[0], at)
    edges = []
    parts = []
    for task, holder in zip(ring, following, strict=True):
        if task.suspended:
            edges.append(_interrupted(task, holder.name, wanted_site(task)))
            continue
        lock, wants = task.obj, wanted_site(task)
        how = "joins" if isinstance(lock, Thread) else "behind" if _is_behind(holder, lock) else ""
        taken = wanted_site(holder) if how else _taken(holder, lock)
        parts.append((lock.cls, wants.function, f"{_HOW[how]} in {taken.function}"))
        edges.append(_edge(task.name, _holds(task), lock, wants, holder.name, taken))
        if how:
            edges[-1][how] = True
    # One ring has as many starting points as threads; begin at the least.
    first = min(range(len(parts)), key=lambda i: (parts[i], i))
    parts = parts[first:] + parts[:first]
    start = [i for i, e in enumerate(edges) if "holder" in e][first]
    edges = edges[start:] + edges[:start]
    signature = "deadlock.cycle: " + " -> ".join(
        f"{cls} wanted in {wanted}, {taken}" for cls, wanted, taken in parts
    )
    message = "; ".join(_told(edge) for edge in edges)
    return Fault("deadlock.cycle", signature, message, at, {"ring": edges})


def _is_behind(holder: Waiter, lock: Any) -> bool:
    """Whether ``holder`` only waits for ``lock``, as a writer that holds readers back."""
    return holder.obj is lock and not any(held is lock for held, _, _ in holder.held)


def _told(edge: dict[str, Any]) -> str:
    """One edge of a ring in words."""
    if "holder" not in edge:
        return f"{edge['thread']} waits for {edge['wants']['lock']}"
    if edge.get("joins"):
        return f"{edge['thread']} waits for {edge['holder']} to end ({edge['wants']['site']})"
    wants = f"{edge['thread']} wants {edge['wants']['lock']} ({edge['wants']['site']}), "
    if edge.get("behind"):
        return f"{wants}and waits behind writer {edge['holder']} (waiting in {edge['taken']})"
    return f"{wants}held by {edge['holder']} (taken in {edge['taken']})"


def _holds(task: Waiter, first: int = 0, last: int | None = None) -> list[dict[str, str]]:
    return [
        {"lock": held.name, "class": held.cls, "site": str(site_of(code, lasti))}
        for held, code, lasti in task.held[first:last]
    ]


def _edge(
    name: str, holds: list[dict[str, str]], lock: Any, wants: Site, holder: str, taken: Site
) -> dict[str, Any]:
    return {
        "thread": name,
        "holds": holds,
        "wants": {"lock": lock.name, "class": lock.cls, "site": str(wants)},
        "holder": holder,
        "taken": str(taken),
    }


def _interrupted(task: Waiter, handler: str, site: Site, last: int | None = None) -> dict[str, Any]:
    """The entry of a ring for the thread interrupted by ``handler``."""
    wants = {"lock": f"{handler} to return", "class": CPU, "site": str(site)}
    return {"thread": task.name, "holds": _holds(task, 0, last), "wants": wants}


def _taken(task: Waiter, lock: Any) -> Site:
    for held, code, lasti in task.held:
        if held is lock:
            return site_of(code, lasti)
    return UNKNOWN_SITE


def _self_fault(me: Any, holder: Any, at: int) -> Fault:
    """``me`` wants what it holds itself, or what ``holder``, the thread that it interrupts, holds."""
    lock = me.obj
    wants, taken = wanted_site(me), _taken(holder, lock)
    handling, below = me.handling
    if not handling or not _is_below(me, holder, lock):
        message = f"{me.name} waits for {lock.name} ({wants}), which it took itself in {taken}"
        signature = f"deadlock.self: {lock.cls} wanted in {wants.function}, held in {taken.function}"
        ring = [_edge(me.name, _holds(me), lock, wants, me.name, taken)]
        return Fault("deadlock.self", signature, message, at, {"ring": ring})
    thread = holder.name
    message = (
        f"{handling} interrupts {thread} and waits for {lock.name} ({wants}), "
        f"which {thread} took in {taken} and cannot release before {handling} returns"
    )
    signature = (
        f"deadlock.self: {lock.cls} wanted in interrupt context in {wants.function}, held in {taken.function}"
    )
    where = wanted_site(holder) if holder is not me else taken
    ring = [
        _edge(handling, _holds(me, below), lock, wants, thread, taken),
        _interrupted(holder, handling, where, below if holder is me else None),
    ]
    return Fault("deadlock.self", signature, message, at, {"ring": ring, "interrupt": handling})


def _is_below(me: Any, holder: Any, lock: Any) -> bool:
    """Whether the interrupted thread took ``lock``, not the handler itself."""
    if holder is not me:
        return True
    _, below = me.handling
    return any(held is lock for held, _, _ in me.held[:below])


def wait_fault(stuck: Sequence[Any], faults: Iterable[Fault], at: int) -> list[Fault]:
    """``deadlock.wait`` for an execution that ended with ``stuck`` threads.

    Empty if a fault that was found before already explains why they wait: a
    ring, a crash, a hang, or a thread that ended with a lock.
    """
    explained = ("deadlock.", "lock.leaked", "stall.", "program.error")
    if any(e.crash or e.rule.startswith(explained) for e in faults):
        return []
    wants = [(task, task.obj, wanted_site(task)) for task in stuck]
    loose = [w for w in wants if w[1] is not None and not list(w[1].owners_for(w[0]))]
    if not loose:
        return []
    parts = sorted({f"{obj.cls} in {site.function}" for _, obj, site in loose})
    message = "; ".join(f"{task.name} waits for {obj.label()} ({site})" for task, obj, site in wants)
    evidence = {
        "waiting": [
            {
                "thread": task.name,
                "wants": {"lock": obj.label(), "site": str(site)},
                "holds": [{"lock": held.name, "site": str(site_of(c, i))} for held, c, i in task.held],
            }
            for task, obj, site in wants
        ]
    }
    return [Fault("deadlock.wait", "deadlock.wait: " + ", ".join(parts), message, at, evidence)]


def leak_fault(task: Waiter, at: int) -> Fault:
    """``task`` ended holding locks."""
    locks = ", ".join(f"{held.name} (taken in {site_of(c, i)})" for held, c, i in task.held)
    parts = sorted({f"{held.cls} taken in {site_of(c, i).function}" for held, c, i in task.held})
    return Fault(
        "lock.leaked",
        "lock.leaked: " + ", ".join(parts),
        f"{task.name} ended holding {locks}",
        at,
        {"holds": [{"lock": held.name, "site": str(site_of(c, i))} for held, c, i in task.held]},
    )


def misuse_fault(task: Waiter, lock: Any, site: Site, at: int) -> Fault:
    """``task`` released a lock that it does not hold."""
    owners = ", ".join(owner.name for owner in lock.owners_for(task))
    return Fault(
        "lock.misuse",
        f"lock.misuse: {lock.cls} released in {site.function}",
        f"{task.name} released {lock.name}, which is held by {owners or 'nobody'} ({site})",
        at,
        {"site": str(site)},
    )


def crash_fault(rule: str, message: str, site: Site, at: int) -> Fault:
    """A ``check_that`` failed: the machine stops."""
    fault = Fault(rule, f"{rule} in {site.function}", shortened(message), at, {"site": str(site)})
    fault.crash = True
    return fault


def error_fault(who: str, error: BaseException, at: int) -> Fault:
    """The code under test raised in ``who``: a thread, an interrupt, or the check."""
    theirs = []
    tb = error.__traceback__
    while tb is not None:
        if not is_ours(tb.tb_frame.f_code.co_filename):
            theirs.append(site_of(tb.tb_frame.f_code, tb.tb_lasti))
        tb = tb.tb_next
    site = theirs[-1] if theirs else UNKNOWN_SITE
    return Fault(
        "program.error",
        f"program.error: {type(error).__name__} in {site.function}",
        f"{who} raised {described(error)} ({site})",
        at,
        {"site": str(site), "stacks": {who: _frames(theirs)}},
    )


def livelock_fault(running: Sequence[str], bound: str, at: int) -> Fault:
    """Steps went on past the ``bound``; ``running`` names the threads that make them."""
    names = ", ".join(running)
    return Fault(
        "stall.livelock", f"stall.livelock: {names}", f"no end after {bound}: {names} still running", at
    )


def hang_fault(task: Any, at: int, stack: tuple[Site, ...]) -> Fault:
    """A thread makes no steps and does not return."""
    where = str(stack[-1]) if stack else "unknown"
    function = stack[-1].function if stack else "?"
    return Fault(
        "stall.hang",
        f"stall.hang: {task.name} in {function}",
        f"{task.name} makes no steps and does not come back; it is in {where}. "
        "It blocks on, or computes, something that RaceBench does not see.",
        at,
        {"stacks": {task.name: _frames(stack)}},
    )


def _frames(stack: Sequence[Site]) -> list[str]:
    """``stack`` for a report; only both ends of a deep recursion."""
    frames = [str(site) for site in stack]
    left_out = len(frames) - _MOST_FRAMES
    if left_out <= 0:
        return frames
    half = _MOST_FRAMES // 2
    return [*frames[:half], f"[{left_out:,} calls left out]", *frames[-half:]]
