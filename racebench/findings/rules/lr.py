"""List registers."""

from __future__ import annotations

from . import Rule

RULES = {
    "lr.hw_inactive": Rule(
        "an LR with its HW bit is written, or ended, while the line is not active",
        "LR HW",
        "an LR names a line that is not active",
    ),
    "lr.stale_index": Rule(
        "gic_update_one_lr looks at an LR that the vCPU does not use", "LR index", "a stale LR is looked at"
    ),
}
