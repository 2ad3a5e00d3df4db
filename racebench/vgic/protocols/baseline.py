"""Xen as it was at baf2950213, 8 May 2017.

Lock order: desc -> rank (route, release; do_IRQ for the priority), desc -> vcpu
(do_IRQ), rank -> vcpu and rank -> desc (enable, disable), rank -> rank
(ITARGETSR of a vIRQ that waits for an LR).  desc and rank are taken in both
orders.
"""

from __future__ import annotations

from ..domain import Protocol


class Baseline(Protocol):
    """Every function as in Xen."""

    ID = "baseline"
    SUMMARY = "the tree at baf2950213: desc, then rank, around both routing functions"
