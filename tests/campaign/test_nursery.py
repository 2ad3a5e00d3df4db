"""A child that is started before it is known who will use it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest


def run(code: str) -> str:
    """What ``code`` prints in a process of its own, which has one thread at first."""
    start = "import os, sys\nfrom racebench.campaign import nursery\n"
    done = subprocess.run([sys.executable, "-c", start + code], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.strip()


def test_the_first_child_of_a_pool_is_the_one_that_was_started_early() -> None:
    code = """
nursery.start_early()
[early] = nursery._early
from racebench.campaign.child import Call
from racebench.campaign.pool import Pool
from racebench.campaign.stop import Stop
from tests.campaign.test_pool import answer
with Pool(1, Stop()) as pool:
    assert not nursery._early
    assert early.process.exitcode is None
    print(pool.call(Call(answer, (7,))))
assert early.process.exitcode is not None
"""
    assert run(code) == "7"


def test_one_that_nobody_takes_is_let_go() -> None:
    code = """
nursery.start_early()
[early] = nursery._early
assert early.process.exitcode is None
nursery.end_early()
print(early.process.exitcode)
"""
    assert run(code) == "0"


def test_starting_it_loads_nothing_that_shows() -> None:
    code = """
print([name for name in sys.modules if name.startswith(("racebench.engine", "racebench.vgic"))])
nursery.start_early()
late = "rich", "racebench.report", "racebench.engine", "multiprocessing"
print([name for name in sys.modules if name.startswith(late)])
nursery.end_early()
"""
    assert run(code).split() == ["[]", "[]"]


def test_a_child_ends_when_its_parent_is_killed() -> None:
    """It has no copy of its parent's ends, so it hears of that."""
    code = """
nursery.start_early()
[early] = nursery._early
print(early.process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    start = "import os, signal\nfrom racebench.campaign import nursery\n"
    # The child has the pipe too: the output ends only when it has ended.
    done = subprocess.run(
        [sys.executable, "-c", start + code], stdout=subprocess.PIPE, timeout=60, check=False
    )
    assert done.returncode == -9
    assert int(done.stdout)


_ENDS = """
import os
import racebench as rb

TITLE, TAGS, EXPECT = "ends", ["mine"], {"ends": ["clean"]}

class S(rb.State):
    x = rb.shared(0)

def ends(s):
    s.x += 1
    os._exit(7)

def variants():
    return {"ends": rb.Program("ends", S, {"a": ends})}
"""

_DEAF = """
import os, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
os.execv(sys.executable, [sys.executable, "-m", "racebench", *sys.argv[1:]])
"""


@pytest.mark.skipif(not hasattr(signal, "SIGCHLD"), reason="there is no such signal")
def test_how_a_child_ended_is_known_where_nobody_wants_to_hear_of_children(tmp_path: Path) -> None:
    """As under some supervisors: the system would reap the child, and its status would be lost."""
    (tmp_path / "ends.py").write_text(_ENDS)
    done = subprocess.run(
        [sys.executable, "-c", _DEAF, "verify", "ends.py", "--out", "out"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert "its process ended with status 7" in done.stdout
