"""A child off the server is like one that has begun as a Python of its own."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from racebench.campaign.child import Call, Link
from racebench.campaign.pool import Pool
from racebench.campaign.stop import Stop

from . import warm


def looks_around(link: Link) -> dict[str, Any]:
    return {
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "path": sys.path,
        "argv": sys.argv,
        "descriptors": [(found.st_dev, found.st_ino) for found in map(os.fstat, range(3))],
        "affinity": sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [],
        "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
        "handlers": {
            n: str(signal.getsignal(n)).partition(" object at ")[0]
            for n in signal.valid_signals()
            if n != signal.SIGPIPE
        },
        "threads": [thread.name for thread in threading.enumerate()],
        "patched": "patched" in vars(threading),
        "leads": os.getpgrp() == os.getpid(),
    }


def seen() -> dict[str, Any]:
    with Pool(1, Stop()) as pool:
        found: dict[str, Any] = pool.call(Call(looks_around))
    return found


@pytest.mark.skipif(not warm.CAN, reason="needs a server to fork")
def test_it_finds_what_one_that_starts_anew_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    seen()  # the server is there, and what follows is changed after that
    request.getfixturevalue("capfd")
    monkeypatch.setenv("SET_LATE", "yes")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path / "first"))
    monkeypatch.setattr(threading, "patched", True, raising=False)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    try:
        one = seen()
        with monkeypatch.context() as patch:
            patch.setattr(warm.multiprocessing, "get_context", warm.ANEW)
            other = seen()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    assert one == other
    assert one["environment"]["SET_LATE"] == "yes"
    assert signal.SIGUSR1 in one["blocked"]
