"""Thousands of mutated inputs: none gives a traceback, a hang, a file outside, or runs planted code.

The default run takes a sample of 300; ``pytest -m soak tests/hostile`` takes
5,000 others.  Another seed: ``HOSTILE_SEED=7 pytest ...``.  A fault is named by
its seed and number, which make the same files again.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import guard, samples
from .box import Box
from .cases import build

SEED = int(os.environ.get("HOSTILE_SEED", "0"))
CHUNK, SAMPLE, ALL = 25, 300, 5_300
_CHUNKS = [
    pytest.param(first, marks=() if first < SAMPLE else pytest.mark.soak) for first in range(0, ALL, CHUNK)
]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> samples.Samples:
    return samples.made(tmp_path_factory.mktemp("samples"))


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    yield


@pytest.mark.parametrize("first", _CHUNKS)
def test_mutated_inputs_do_no_harm(
    first: int,
    made: samples.Samples,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    wrong = []
    for number in range(first, first + CHUNK):
        box = Box(tmp_path / str(number))
        monkeypatch.chdir(box.work)
        case = build(SEED, number, box, made)
        before = guard.listing(box)
        said = guard.outcome(case, capsys)
        found = guard.faults(case, box, *said)
        found += [f"{name} was changed" for name in guard.changed(case, before, guard.listing(box))]
        if found:
            wrong.append(f"case {SEED}/{number} {str(case.argv)[:300]}: {found}: {said[2][:300]}")
        monkeypatch.chdir(tmp_path)
        shutil.rmtree(box.path)
    assert not wrong, "\n".join(wrong)
