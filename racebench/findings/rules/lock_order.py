"""Lock classes taken in both orders."""

from __future__ import annotations

from . import Kind, Rule

KIND = Kind.PREDICTION
RULES = {
    "lock_order.inversion": Rule(
        "two lock classes taken in both orders by different threads, no common gate lock",
        "order",
        "locks are taken in both orders",
    ),
}
