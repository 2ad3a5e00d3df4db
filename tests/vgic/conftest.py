"""What the tests of several protocols need."""

from __future__ import annotations

import pytest

from racebench.primitives import Lock


@pytest.fixture
def nesting(monkeypatch):
    """Which lock class is taken inside which, by the one thread of the test."""
    held: list[str] = []
    pairs: set[str] = set()
    acquire, release = Lock.acquire, Lock.release

    def taking(self, blocking=True):
        pairs.update(f"{outer} > {self.cls}" for outer in held)
        held.append(self.cls)
        return acquire(self, blocking)

    def dropping(self):
        held.remove(self.cls)
        release(self)

    monkeypatch.setattr(Lock, "acquire", taking)
    monkeypatch.setattr(Lock, "release", dropping)
    return pairs
