"""The rules in words: one for a matrix, a clause for a sentence, and what kind of fault each is."""

from __future__ import annotations

from collections.abc import Mapping

from .text import clean
from .tree import Look

_IN_WORDS: Mapping[str, tuple[str, str]] = {
    "deadlock.cycle": ("deadlock", "threads deadlock"),
    "deadlock.self": ("self-lock", "a thread deadlocks with itself"),
    "deadlock.wait": ("no wake", "a thread waits forever"),
    "lock_order.inversion": ("order", "locks are taken in both orders"),
    "mapping.corrupted": ("mapping", "the mapping is corrupted"),
    "mapping.double_success": ("double", "two routes of one vIRQ both succeed"),
    "mapping.lost_enable": ("enable", "an enable is lost"),
    "mapping.ienable_mismatch": ("ienable", "a rank's ienable bit is wrong"),
    "crash.null_handler": ("handler", "the none handler is called"),
    "crash.null_desc": ("desc", "a desc of None is used"),
    "crash.assertion": ("ASSERT", "an ASSERT fails"),
    "crash.freed": ("freed", "something freed is used"),
    "irq.lost_eoi": ("EOI", "the EOI of an interrupt is lost"),
    "irq.wrong_vcpu": ("vCPU", "a vIRQ is inflight on the wrong vCPU"),
    "irq.wrong_affinity": ("affinity", "an interrupt goes to the wrong pCPU"),
    "irq.stuck_inprogress": ("stuck", "an interrupt is stuck in progress"),
    "irq.lost": ("lost", "an interrupt is lost"),
    "irq.line_dead": ("line", "a line stays active for good"),
    "irq.stale_pending": ("pending", "a stale pending latch is left"),
    "irq.wrong_owner": ("owner", "an interrupt is ended for the wrong owner"),
    "action.stale": ("action", "a stale guest action is left"),
    "lr.hw_inactive": ("LR HW", "an LR names a line that is not active"),
    "lr.stale_index": ("LR index", "a stale LR is looked at"),
    "reservation.leaked": ("leak", "a reservation is leaked"),
    "reservation.missing": ("reserve", "a routed vIRQ is left unreserved"),
    "reservation.double_free": ("refree", "a reservation is freed twice"),
    "reservation.out_of_bounds": ("bounds", "a bit out of bounds is cleared"),
    "list.corrupted": ("list", "a list is corrupted"),
    "lock.leaked": ("held", "a thread ends with a lock held"),
    "lock.irqs_on": ("irqs on", "a lock is held with interrupts on"),
    "lock.misuse": ("misuse", "a lock is released that is not held"),
    "data_race": ("race", "two accesses race"),
    "stall.livelock": ("livelock", "threads livelock"),
    "stall.hang": ("hang", "a thread hangs"),
    "history.not_serializable": ("history", "the return codes fit no serial order"),
    "program.error": ("error", "the program raises"),
}

_FAMILIES = {
    **dict.fromkeys(("crash", "program"), Look.CRASH),
    **dict.fromkeys(("deadlock", "stall"), Look.DEADLOCK),
    **dict.fromkeys(("lock_order", "data_race", "lock.irqs_on"), Look.PREDICTION),
}
SIGNS: Mapping[Look, str] = {
    Look.CORRUPTION: "#",
    Look.CRASH: "x",
    Look.DEADLOCK: "o",
    Look.PREDICTION: "~",
}
"""What stands before a rule's word, so that the kinds can be told apart without colours; worst first."""


def family(rule: str) -> Look:
    """What kind of fault it is; of a program's own rule, something is corrupted."""
    return _FAMILIES.get(rule) or _FAMILIES.get(rule.partition(".")[0], Look.CORRUPTION)


def gravity(rule: str) -> int:
    """0 for the worst."""
    return list(SIGNS).index(family(rule))


def word(rule: str) -> str:
    """``# mapping``: the sign of its kind, and a word."""
    known = _IN_WORDS.get(rule)
    return f"{SIGNS[family(rule)]} {known[0] if known else clean(rule).rpartition('.')[2].replace('_', ' ')}"


def clause(rule: str) -> str:
    """``the mapping is corrupted``."""
    return _IN_WORDS[rule][1] if rule in _IN_WORDS else f"{clean(rule)} is broken"
