"""xdist's workers: gateways with folders of their own, and workers that are lost."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from types import SimpleNamespace
from typing import Any

import pytest

from racebench.campaign.results import read_run
from racebench.pytest_plugin import workers as pytest_workers
from racebench.pytest_plugin.workers import Workers

from ..inner import KILLED, LOAD, PYTHON, QUICK, THREE, run, write

Pytester = pytest.Pytester
pytest_plugins = ["pytester"]

# In the pytest inside: no pause is worth waiting for.
HASTE = """
from racebench import pytest_workers as w
w.TICK_S, w.GRACE_S, w.PATIENCE_S, w._LONGEST_PAUSE_S, w._pause = 0.02, 0.2, 0.5, 0.02, lambda failures: 0.02
"""
# A machine of one's own: DOWN stands for its power switch.
SSH = """\
#!/bin/sh
if [ -e "{folder}/down" ]; then
    echo call >> "{folder}/calls"
    [ "$(wc -l < "{folder}/calls")" -lt {calls} ] || rm "{folder}/down"
    exit 255
fi
for last; do :; done
exec sh -c "$last"
"""
POWER_CUT = KILLED.replace(
    "DIE",
    'import shutil; shutil.rmtree("scenarios"); open("{folder}/down", "w").close(); os.kill(os.getpid(), 9)',
)

# -- gateways


@contextmanager
def socket_server(folder: Path) -> Iterator[str]:
    """execnet's own socket server on a free port of 127.0.0.1, in ``folder``."""
    import execnet

    script = Path(execnet.__file__).parent / "script" / "socketserver.py"
    server = subprocess.Popen(
        [sys.executable, "-u", str(script), "127.0.0.1:0"], cwd=folder, stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        line = server.stdout.readline()
        found = re.search(r"\('127\.0\.0\.1', (\d+)\)", line)
        assert found is not None, line
        yield f"127.0.0.1:{found[1]}"
    finally:
        server.kill()
        server.communicate()


def machines(inner: Pytester, *specs: str) -> dict[str, Any]:
    """A run over gateways that have folders of their own: each gets a copy of the scenarios."""
    write(inner, account__py=PYTHON, two_routes__toml=THREE)
    out = inner.path / "out"
    gateways = [arg for spec in specs for arg in ("--tx", spec)]
    # xdist takes each argument that exists for a path below the folders it copies: hence the "=".
    folder = inner.path / "scenarios"
    result = run(inner, "-d", *gateways, f"--rsyncdir={folder}", f"--race-out={out}", str(folder))
    result.assert_outcomes(passed=3, failed=2)
    return read_run(out)


def test_two_gateways_with_folders_of_their_own(inner: Pytester, tmp_path_factory: Any) -> None:
    folders = [tmp_path_factory.mktemp(name) for name in ("one", "two")]
    stored = machines(inner, *(f"popen//chdir={folder}" for folder in folders))
    assert [len(c.findings) for c in stored.cells] == [0, 1, 0, 0, 2]
    assert all((folder / "scenarios" / "account.py").exists() for folder in folders)


def test_a_socket_server_on_this_machine(inner: Pytester, tmp_path_factory: Any) -> None:
    with socket_server(tmp_path_factory.mktemp("far")) as address:
        stored = machines(inner, f"socket={address}")
    assert [len(c.findings) for c in stored.cells] == [0, 1, 0, 0, 2]
    assert {row["file"] for row in stored["options"]["cells"]} == {
        str(inner.path / "scenarios" / name) for name in ("account.py", "two_routes.toml")
    }


# -- lost workers


@pytest.fixture
def hasty(inner: Pytester) -> Pytester:
    inner.makepyfile(haste=HASTE)
    return inner


def far(
    inner: Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: Any, calls: int
) -> tuple[Path, list[str]]:
    """A machine called far that loses power in the stress of one cell, and is back after ``calls`` calls."""
    folder = tmp_path_factory.mktemp("far")
    ssh = inner.mkdir("bin") / "ssh"
    ssh.write_text(SSH.format(folder=folder, calls=calls))
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", str(ssh.parent), prepend=":")
    write(inner, account__py=POWER_CUT.replace("{folder}", str(folder)))
    scenarios = inner.path / "scenarios"
    spec = f"ssh=me@far//python={sys.executable}//chdir={folder}/work"
    return folder, ["-d", "--tx", spec, f"--rsyncdir={scenarios}", str(scenarios)]


def hasten(inner: Pytester, *args: str) -> pytest.RunResult:
    return inner.runpytest_subprocess(*LOAD, "-p", "haste", *QUICK, *args)


def test_a_machine_that_loses_power_and_its_files_is_called_until_it_is_back(
    hasty: Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: Any
) -> None:
    folder, args = far(hasty, monkeypatch, tmp_path_factory, calls=3)
    out = hasty.path / "out"
    result = hasten(hasty, *args, f"--race-out={out}")
    result.assert_outcomes(passed=2, failed=1)
    text = result.stdout.str()
    assert "me@far: no worker can be started (ssh: exit status 255); tried again until it can be" in text
    assert "me@far answers again" in text
    assert (folder / "calls").read_text().count("call") == 3
    stored = read_run(out)
    assert [(c.protocol, c.verdict) for c in stored.cells] == [
        ("kept", "as_expected"), ("lost", "unknown"), ("more", "as_expected"),
    ]  # fmt: skip


def test_the_others_go_on_without_it(
    hasty: Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: Any
) -> None:
    _, args = far(hasty, monkeypatch, tmp_path_factory, calls=10**9)
    # Whatever the far machine runs first, it loses power in it; this one runs the rest.
    account = hasty.path / "scenarios" / "account.py"
    text = account.read_text().replace("import shutil", 'if "far" in os.getcwd(): import shutil')
    account.write_text(text.replace("program(kept)", "program(kept, setup)"))
    near = f"popen//chdir={tmp_path_factory.mktemp('near')}"
    result = hasten(hasty, *args, "--tx", near)
    result.assert_outcomes(passed=2, failed=1)
    assert "INTERNALERROR" not in result.stdout.str()


def test_if_none_is_left_the_run_ends_stored_as_interrupted(
    hasty: Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: Any
) -> None:
    _, args = far(hasty, monkeypatch, tmp_path_factory, calls=10**9)
    out = hasty.path / "out"
    result = hasten(hasty, *args, f"--race-out={out}")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    text = result.stdout.str()
    assert "no worker is left, and none can be started on me@far" in text
    assert "INTERNALERROR" not in text
    stored = read_run(out)
    assert stored.interrupted
    assert [c.found for c in stored.cells if c.protocol == "lost"] == [("account.lost",)]


def test_a_frozen_worker_is_ended_and_its_item_fails(hasty: Pytester) -> None:
    write(hasty, account__py=KILLED.replace("DIE", "os.kill(os.getpid(), signal.SIGSTOP)"))
    result = hasten(hasty, "scenarios", "-n", "1", "--timeout", "2")
    result.assert_outcomes(passed=2, failed=1)
    text = result.stdout.str()
    assert "said nothing long after its time limit, and was ended" in text
    assert "─ account.lost: account x lost ─" in text


def test_no_number_of_crashes_ends_the_run_unless_it_is_asked_for(inner: Pytester) -> None:
    # Each shard of one cell costs a worker: xdist by itself gives up after four for each that there is.
    write(
        inner,
        account__py=PYTHON.replace('"kept": program(kept)', '"kept": program(kept, lambda: os._exit(7))'),
    )
    args = ("scenarios", "-n", "1", "--race-shards", "5")
    run(inner, *args).assert_outcomes(passed=5, failed=5)
    asked = run(inner, *args, "--max-worker-restart", "1")
    assert "maximum crashed workers reached: 1" in asked.stdout.str()
    asked.assert_outcomes(passed=5, failed=2)


@pytest.mark.parametrize(
    "spec", ["socket=127.0.0.1:1", "popen//python=/nowhere/python", "popen//chdir=/proc/x"]
)
def test_a_machine_that_is_not_there_at_the_start_is_named(inner: Pytester, spec: str) -> None:
    write(inner, account__py=PYTHON)
    args = ("-d", "--tx", spec, "--race-out=out", "--rsyncdir=scenarios", "scenarios")
    for _ in range(2):
        # The folder is as free as before.
        result = run(inner, *args)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        text = result.stderr.str() + result.stdout.str()
        assert f"--tx: {spec} cannot be used: " in text
        assert "Traceback" not in text and "INTERNALERROR" not in text


# -- in xdist's place


class Xdist:
    """The part of xdist's session that Workers deals with; ``clone`` says what a new worker's start does."""

    def __init__(self, clone: Callable[[Any], None]) -> None:
        self._active_nodes: set[Any] = set()
        self._max_worker_restart: int | None = 4
        self._clone_node = clone
        self.queue: Queue[Any] = Queue()
        self.nodemanager = SimpleNamespace()
        self.shuttingdown, self.shouldstop = False, ""
        self.lines: list[str] = []
        self.report_line = self.lines.append
        self.config = SimpleNamespace(getoption=lambda name, default: default)


class Node:
    shutting_down = False

    def __init__(self, name: str = "gw0") -> None:
        spec = SimpleNamespace(ssh=None, socket=None, popen=True, via=None)
        self.ended = False
        self.gateway = SimpleNamespace(id=name, spec=spec, _io=SimpleNamespace(kill=self._end))

    def _end(self) -> None:
        self.ended = True


class Minded:
    """Workers over an Xdist, and a clock that goes when it is told to."""

    def __init__(self, clone: Callable[[Any], None], left_s: float | None = None) -> None:
        self.now = 0.0
        self.xdist = Xdist(clone)
        self.workers = Workers(self.xdist, lambda: left_s, lambda: self.now)

    def pass_s(self, seconds: float, step: float = 1.0) -> None:
        for _ in range(round(seconds / step)):
            self.now += step
            self.xdist.worker_race_tick()  # type: ignore[attr-defined]

    def lose(self, node: Node) -> None:
        self.xdist._clone_node(node)
        self.xdist._active_nodes.discard(node)


@pytest.fixture
def mind(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Minded]]:
    monkeypatch.setattr(pytest_workers, "TICK_S", 1.0)
    made: list[Minded] = []

    def make(*args: Any, **kwargs: Any) -> Minded:
        made.append(Minded(*args, **kwargs))
        return made[-1]

    yield make
    for minded in made:
        minded.workers.stop()


def test_a_worker_that_never_gets_to_work_is_started_ever_more_rarely(mind: Callable[..., Minded]) -> None:
    starts: list[float] = []
    minded: Minded = mind(lambda node: starts.append(minded.now), left_s=1e6)
    minded.xdist._active_nodes.add(Node("other"))
    for _ in range(8):
        minded.lose(Node(f"gw{len(starts)}"))
        before = len(starts)
        while len(starts) == before:
            minded.pass_s(1)
    gaps = [b - a for a, b in itertools.pairwise(starts)]
    assert gaps == [2, 4, 8, 16, 30, 30, 30]
    # One that did its work is replaced at once, and the count begins anew.
    worked = Node("gw99")
    minded.workers.ready(worked)
    minded.lose(worked)
    assert starts[-1] == minded.now
    minded.lose(Node("gw100"))
    minded.pass_s(1)
    assert starts[-1] == minded.now


def test_a_place_is_given_up_when_the_work_is_done_or_the_time_is_up(mind: Callable[..., Minded]) -> None:
    def refuse(node: Any) -> None:
        raise OSError("no more processes")

    for left_s, shutting in ((1e6, True), (0.0, False)):
        minded = mind(refuse, left_s=left_s)
        minded.xdist._active_nodes.add(other := Node("other"))
        minded.workers.ready(lost := Node())
        minded.lose(lost)
        assert len(minded.xdist._active_nodes) == 2
        assert "this machine: no worker can be started (OSError no more processes)" in minded.xdist.lines[0]
        minded.xdist.shuttingdown = shutting
        minded.pass_s(1)
        assert minded.xdist._active_nodes == {other}
        assert len(minded.xdist.lines) == 1


def test_what_is_left_to_do_goes_where_a_worker_has_done_its_own(mind: Callable[..., Minded]) -> None:
    started: list[str] = []

    def clone(node: Node) -> None:
        if node.gateway.id == "lost":
            raise OSError
        started.append(node.gateway.id)

    minded = mind(clone, left_s=0.0)
    lost, done = Node("lost"), Node("done")
    minded.workers.ready(lost)
    minded.workers.ready(done)
    # Neither the time that is up nor a worker that ends is a reason to leave it undone.
    done.shutting_down = True
    minded.xdist._active_nodes.add(done)
    minded.lose(lost)
    minded.pass_s(1)
    assert started == ["done"]
    assert minded.xdist._active_nodes == {done}


def test_a_soak_with_time_left_waits_for_a_worker_another_run_for_a_while(
    mind: Callable[..., Minded],
) -> None:
    def refuse(node: Any) -> None:
        raise OSError

    for left_s, waits in ((1e6, True), (0.0, False), (None, False)):
        minded = mind(refuse, left_s=left_s)
        minded.lose(Node())
        minded.pass_s(pytest_workers.PATIENCE_S - 1)
        assert minded.xdist._active_nodes
        minded.pass_s(60)
        assert bool(minded.xdist._active_nodes) is waits
        assert bool(minded.xdist.shouldstop) is not waits


def test_silence_is_not_counted_while_everything_is_stopped(mind: Callable[..., Minded]) -> None:
    minded = mind(lambda node: None)
    silent, ended, free = Node("gw0"), Node("gw1"), Node("gw2")
    minded.workers.begun(silent, "a::b", 10.0)
    minded.workers.begun(ended, "a::c", 10.0)
    minded.workers.begun(free, "a::d", None)
    minded.workers.over(ended)
    minded.pass_s(3600, step=3600)
    assert not silent.ended
    minded.pass_s(10 + pytest_workers.GRACE_S)
    assert (silent.ended, ended.ended, free.ended) == (True, False, False)
    assert minded.workers.silent == {"a::b"}


def test_an_xdist_that_is_made_otherwise_is_left_alone() -> None:
    assert Workers.can_mind(Xdist(lambda node: None))
    assert not Workers.can_mind(SimpleNamespace(queue=Queue()))
    assert not Workers.can_mind(None)


def test_a_process_that_is_gone_is_missed_though_its_pipe_is_held(mind: Callable[..., Minded]) -> None:
    minded, node, other = mind(lambda node: None), Node(), Node("other")
    status: list[int | None] = [None]
    for n, poll in ((node, lambda: status[0]), (other, lambda: None)):
        n._down = False  # type: ignore[attr-defined]
        n.gateway._io.popen = SimpleNamespace(poll=poll)
        minded.xdist._active_nodes.add(n)
    minded.pass_s(10)
    status[0] = 7
    minded.pass_s(10)
    events = [minded.xdist.queue.get_nowait() for _ in range(minded.xdist.queue.qsize())]
    [told] = [event for event in events if event[0] == "errordown"]
    assert told[1]["node"] is node
    assert node._down  # type: ignore[attr-defined]
