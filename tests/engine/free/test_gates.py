"""Waiting at a lock: looks first where another CPU can let go of it meanwhile, parked in the end."""

from __future__ import annotations

import threading

import pytest

from racebench.engine.free import gates
from racebench.engine.free.gates import looks, passed


class Counted:
    """A lock that is free at the ``at``-th try; who parks gets it at once, if ``opens``."""

    def __init__(self, at: int, opens: bool = True) -> None:
        self.at, self.opens = at, opens
        self.tries = 0
        self.parked: list[float] = []

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        if blocking:
            self.parked.append(timeout)
            return self.opens
        self.tries += 1
        return self.tries >= self.at


@pytest.mark.parametrize(
    ("at", "much", "tries", "parked"), [(3, 5, 3, []), (9, 5, 5, [0.5]), (1, 0, 0, [0.5])]
)
def test_who_looked_in_vain_parks(at: int, much: int, tries: int, parked: list[float]) -> None:
    gate = Counted(at)
    assert passed(gate, much, 0.5)  # type: ignore[arg-type]
    assert (gate.tries, gate.parked) == (tries, parked)


def test_a_gate_that_stays_shut_is_not_passed() -> None:
    gate = threading.Lock()
    gate.acquire()
    assert not passed(gate, 3, 0.0)
    assert not passed(Counted(9, opens=False), 3, 0.5)  # type: ignore[arg-type]
    gate.release()
    assert passed(gate, 0)


@pytest.mark.parametrize(("gil", "cpus", "looking"), [(True, 8, False), (False, 1, False), (False, 2, True)])
def test_nobody_looks_who_would_keep_others_from_running(
    monkeypatch: pytest.MonkeyPatch, gil: bool, cpus: int, looking: bool
) -> None:
    monkeypatch.setattr(gates, "has_gil", lambda: gil)
    monkeypatch.setattr(gates, "cpus", lambda: cpus)
    assert bool(looks(2)) is looking
