"""A controlled run stays on one processor, and gives the others back."""

from __future__ import annotations

import threading

import pytest

from racebench.engine import osthreads
from racebench.errors import ProgramError


def test_a_program_that_lets_no_thread_start_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", None)
    with pytest.raises(ProgramError, match="no thread can be started: threading.excepthook is None"):
        osthreads.started(print, "a")
