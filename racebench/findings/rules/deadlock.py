"""Threads that wait for each other, or for ever."""

from __future__ import annotations

from . import Kind, Rule

KIND = Kind.DEADLOCK
RULES = {
    "deadlock.cycle": Rule("threads wait for one another in a ring", "deadlock", "threads deadlock"),
    "deadlock.self": Rule(
        "a thread waits for a lock it holds", "self-lock", "a thread deadlocks with itself"
    ),
    "deadlock.wait": Rule(
        "no thread can move, and one waits for something nobody owns", "no wake", "a thread waits forever"
    ),
}
