"""Faults that crash Xen."""

from __future__ import annotations

from . import Kind, Rule

KIND = Kind.CRASH
RULES = {
    "crash.null_handler": Rule(
        "set_affinity called through the none handler", "handler", "the none handler is called"
    ),
    "crash.null_desc": Rule("a lock or field of desc None is used", "desc", "a desc of None is used"),
    "crash.assertion": Rule("one of Xen's ASSERTs is false", "ASSERT", "an ASSERT fails"),
    "crash.freed": Rule("something that is freed is used", "freed", "something freed is used"),
}
