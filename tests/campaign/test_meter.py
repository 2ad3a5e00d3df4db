"""Time in which a process is kept waiting does not count; time in which it waits by itself does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from racebench.campaign import meter
from racebench.campaign.meter import Meter

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts it")


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, float] | None]:
    """What the system says at each look: seconds run, and seconds ready to run."""
    sums: list[tuple[float, float] | None] = []
    monkeypatch.setattr(
        meter, "_read", lambda pid: None if (one := sums.pop(0)) is None else {"1": meter._Sum(*one)}
    )
    return sums


@pytest.mark.parametrize(
    ("what", "then", "now", "counts"),
    [
        ("blocked for good", (5, 1), (5, 1), 10),
        ("spins, alone", (5, 1), (15, 1), 10),
        ("spins, beside three others", (5, 1), (7.5, 8.5), 2.5),
        ("is not let run at all", (5, 1), (5, 11), 0.5),
        ("waits for good, while many look about", (5, 1), (5.1, 61), 0.5),
        ("spins, and its other threads wait for a processor", (5, 1), (14, 31), 9),
        ("several threads run", (5, 1), (35, 1), 10),
        ("sleeps, and waits a little", (5, 1), (6, 3), 8),
        ("another thread has its number", (5, 1), (3, 0.5), 9.5),
    ],
)
def test_what_counts(
    counted: list[tuple[float, float] | None],
    what: str,
    then: tuple[float, float],
    now: tuple[float, float],
    counts: float,
) -> None:
    counted += [then, now]
    assert Meter(1).lap(10) == counts


def test_a_thread_that_ends_takes_only_its_own_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program's threads end at each execution: what the thread that starts them waited does not count."""
    main, ended, begun = meter._Sum(5, 1), meter._Sum(8, 20), meter._Sum(1, 2)
    looks = [{"1": main, "2": ended}, {"1": meter._Sum(6, 5), "3": begun}]
    monkeypatch.setattr(meter, "_read", lambda pid: looks.pop(0))
    assert Meter(1).lap(10) == 10 - (4 + 2)


def test_where_nothing_is_counted_the_load_tells(
    counted: list[tuple[float, float] | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meter.os, "cpu_count", lambda: 2)
    for load, counts in ((0.5, 10.0), (8.0, 2.5)):
        counted[:] = [None, None]
        monkeypatch.setattr(meter.os, "getloadavg", lambda load=load: (load, 0, 0))
        assert Meter(1).lap(10) == counts
    counted[:] = [None, None]
    monkeypatch.delattr(meter.os, "getloadavg")
    assert Meter(1).lap(10) == 10


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.kill()
        process.wait()


def ran(sums: dict[str, meter._Sum]) -> float:
    return sum(one.ran for one in sums.values())


@LINUX
def test_one_that_spins_in_c_runs_and_one_that_is_gone_is_not_there(
    processes: list[subprocess.Popen[bytes]],
) -> None:
    spin = "import sys; print(flush=True); sum(iter(int, 1))"
    process = subprocess.Popen([sys.executable, "-c", spin], stdout=subprocess.PIPE)
    processes.append(process)
    assert process.stdout is not None and process.stdout.readline()
    before = meter._read(process.pid)
    # Its own time goes on whatever the machine does.
    while (
        (now := meter._read(process.pid)) is not None and before is not None and ran(now) - ran(before) < 0.05
    ):
        pass
    assert now is not None and all(one.waited >= 0 for one in now.values())
    process.kill()
    process.wait()
    assert meter._read(process.pid) is None


@LINUX
def test_a_thread_that_has_ended_in_between_is_left_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "2").mkdir()
    (tmp_path / "2" / "schedstat").write_text("2000000000 3000000000 7\n")
    monkeypatch.setattr(meter, "Path", lambda name: tmp_path)
    assert meter._read(os.getpid()) == {"2": (pytest.approx(2.0), pytest.approx(3.0))}
