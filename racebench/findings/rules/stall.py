"""Threads that do not end."""

from __future__ import annotations

from . import Kind, Rule

KIND = Kind.DEADLOCK
RULES = {
    "stall.livelock": Rule("steps go on past the bound without progress", "livelock", "threads livelock"),
    "stall.hang": Rule("a thread does not come back", "hang", "a thread hangs"),
}
