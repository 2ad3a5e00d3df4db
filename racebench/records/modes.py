"""The result of one mode of a cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..bounds import Fields
from ..errors import ResultError
from ..findings import FEWEST_COLLISIONS, Result, miss_bound
from .encoding import NOTHING, encoded

# The fields of a ModeResult that each mode has.  ``_STRESS_KEYS``: where stress has other keys in JSON.
_MODE_FIELDS: Mapping[str, Sequence[str]] = {
    "stress": ("executions", "failures", "first_failure", "seconds"),
    "verify": ("complete", "executions", "preemption_bound", "done", "seconds"),
    "explore": ("strategy", "executions", "failures", "first_failure", "seconds", "strategies"),
}
# Fields that are left out if they are empty.
_MODE_MORE = ("returned", "idle")
_STRESS_KEYS = {"executions": "collisions", "first_failure": "first_failure_s"}
# The keys in JSON: the kind of each value, and the default if the key may be missing.
_MODE_KINDS: Mapping[str, tuple[Any, ...]] = {
    **dict.fromkeys(("executions", "failures"), (int,)),
    **dict.fromkeys(("first_failure", "done"), (float, None)),
    "seconds": (float, 0.0),
    "complete": (bool,),
    "preemption_bound": (int, None),
    "strategy": (str, ""),
    "strategies": ({str: {"executions": int, "classes": int, "hits": int, "miss_bound?": [float]}}, None),
    "returned": ({str: {str: int}}, NOTHING),
    "idle": ([str], ()),
}
_COUNTED = {"executions", "failures", "first_failure", "seconds"}
MODES = tuple(_MODE_FIELDS)
Counts = Mapping[str, Mapping[str, int]]


def _key(mode: str, name: str) -> str:
    return _STRESS_KEYS.get(name, name) if mode == "stress" else name


def mode_kinds(mode: str) -> dict[str, tuple[Any, ...]]:
    """The keys of ``mode`` in JSON, with the kinds that reading checks."""
    return {_key(mode, name): _MODE_KINDS[name] for name in (*_MODE_FIELDS[mode], *_MODE_MORE)}


@dataclass(frozen=True, slots=True)
class ModeResult:
    """The result of one mode of a cell.

    ``first_failure`` is in seconds for stress, and counts executions for explore.
    ``complete``, ``preemption_bound`` and ``done`` are verify's, as in ``Result``;
    ``strategy`` and ``strategies`` (the share of each strategy) are explore's.
    ``returned`` counts the codes that each operation returned, by name; ``idle`` are the
    threads that did nothing to shared state in any execution under control.
    """

    mode: str
    executions: int = 0
    failures: int = 0
    first_failure: float | None = None
    seconds: float = 0.0
    complete: bool = False
    preemption_bound: int | None = None
    done: float | None = None
    strategy: str = ""
    strategies: Mapping[str, Any] | None = None
    returned: Counts = field(default_factory=dict)
    idle: tuple[str, ...] = ()

    @staticmethod
    def of(mode: str, result: Result, strategy: str = "") -> ModeResult:
        """The engine's ``result`` of ``mode``."""
        fields: dict[str, Any] = {
            "executions": result.executions,
            "failures": result.failures,
            "first_failure": result.first_failure_s if mode == "stress" else result.first_failure,
            "seconds": round(result.seconds, 3),
            "complete": result.complete,
            "preemption_bound": result.stats.get("preemption_bound"),
            "done": result.stats.get("done"),
            "strategy": strategy,
            "strategies": result.stats.get("strategies"),
            "returned": result.stats.get("returned", {}),
            "idle": tuple(result.stats.get("idle", ())),
        }
        return ModeResult(mode, **{name: fields[name] for name in (*_MODE_FIELDS[mode], *_MODE_MORE)})

    @property
    def miss_bound(self) -> float | None:
        return miss_bound(self.executions, self.failures)

    @property
    def telling(self) -> bool:
        """Whether it has enough executions to give an answer."""
        fewest = FEWEST_COLLISIONS if self.mode == "stress" and not self.failures else 1
        return self.executions >= fewest

    def plus(self, more: ModeResult) -> ModeResult:
        """Merge two results.  Counts are added; of two proofs the one that covers more is kept.

        The shares of single strategies cannot be added, and are left out.
        """
        if self.mode == "verify":
            return max(self, more, key=lambda proof: (proof.complete, proof.done or 0, proof.executions))
        first = self.first_failure
        if first is None and more.first_failure is not None:
            first = (self.seconds if self.mode == "stress" else self.executions) + more.first_failure
        return replace(
            self,
            executions=self.executions + more.executions,
            failures=self.failures + more.failures,
            first_failure=first,
            seconds=round(self.seconds + more.seconds, 3),
            strategies=None,
            returned=summed(self.returned, more.returned),
            idle=tuple(thread for thread in self.idle if thread in more.idle),
        )

    def to_json(self) -> dict[str, Any]:
        fields = encoded(self, _MODE_FIELDS[self.mode], _MODE_MORE)
        fields = {_key(self.mode, name): value for name, value in fields.items()}
        return {**fields, "miss_bound": self.miss_bound} if self.mode == "stress" else fields

    @staticmethod
    def from_json(mode: str, value: Any, place: str) -> ModeResult:
        """Read ``value``; ResultError if ``mode`` does not store it so, or a count is negative."""
        stored = Fields(value, place)
        keys = {_key(mode, name): name for name in (*_MODE_FIELDS[mode], *_MODE_MORE)}
        read = stored.all(mode_kinds(mode))
        fields = {name: read[key] for key, name in keys.items()}
        for name in _COUNTED & fields.keys():
            if (fields[name] or 0) < 0:
                raise ResultError(f"{place}.{_key(mode, name)}: below nothing. Give what RaceBench stored.")
        return ModeResult(mode, **fields)


def summed(one: Counts, other: Counts) -> dict[str, dict[str, int]]:
    """The counts of both: how often each operation returned each code."""
    total = {operation: dict(codes) for operation, codes in one.items()}
    for operation, codes in other.items():
        of = total.setdefault(operation, {})
        for code, n in codes.items():
            of[code] = of.get(code, 0) + n
    return total
