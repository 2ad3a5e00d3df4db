"""The return codes of all operations, taken together."""

from __future__ import annotations

from . import Rule

RULES = {
    "history.not_serializable": Rule(
        "no serial order of the completed operations explains every return code",
        "history",
        "the return codes fit no serial order",
    ),
}
