"""Several machines, and workers that are lost: what xdist does, and what is kept of it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from racebench.campaign.results import read_run

from ..inner import KILLED, PYTHON, THREE, run, write

Pytester = pytest.Pytester
pytest_plugins = ["pytester"]

# The code under test runs in a child of xdist's worker, which dies here.
WORKER = "import os\ndef pytest_configure(): os.environ['WORKER'] = str(os.getpid())\n"
DIE = "os.kill(int(os.environ['WORKER']), 9); __import__('select').select([], [], [], 60)"
# A machine of one's own, with a power switch.
SSH = """\
#!/bin/sh
[ ! -e "{folder}/down" ] || exit 255
for last; do :; done
exec sh -c "$last"
"""
# What has been found is with the controller by then; the program's own time.sleep would not wait for it.
POWER_CUT = KILLED.replace(
    "        DIE",
    f"""\
        import select
        while "account.lost" not in open("{{journal}}").read():
            select.select([], [], [], 0.01)
        open("{{folder}}/down", "w").close()
        {DIE}""",
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
    return read_run(out).to_json()


def test_two_gateways_with_folders_of_their_own(inner: Pytester, tmp_path_factory: Any) -> None:
    folders = [tmp_path_factory.mktemp(name) for name in ("one", "two")]
    stored = machines(inner, *(f"popen//chdir={folder}" for folder in folders))
    assert [len(c["findings"]) for c in stored["cells"]] == [0, 1, 0, 0, 2]
    assert all((folder / "scenarios" / "account.py").exists() for folder in folders)


def test_a_socket_server_on_this_machine(inner: Pytester, tmp_path_factory: Any) -> None:
    with socket_server(tmp_path_factory.mktemp("far")) as address:
        stored = machines(inner, f"socket={address}")
    assert [len(c["findings"]) for c in stored["cells"]] == [0, 1, 0, 0, 2]
    assert {row["file"] for row in stored["options"]["cells"]} == {
        str(inner.path / "scenarios" / name) for name in ("account.py", "two_routes.toml")
    }


# -- lost workers


def test_a_crash_costs_an_item_until_there_are_as_many_as_xdist_allows(inner: Pytester) -> None:
    write(inner, account__py=KILLED.replace("DIE", DIE), conftest__py=WORKER)
    out = inner.path / "out"
    # Each shard of the cell costs a worker.
    shards = ("-k", "lost", "--race-shards", "3", "--max-worker-restart", "1")
    result = run(inner, "scenarios", "-n", "1", *shards, f"--race-out={out}")
    assert "maximum crashed workers reached: 1" in result.stdout.str()
    assert result.parseoutcomes()["failed"] == 2
    verdicts = {c["protocol"]: c["verdict"] for c in read_run(out).to_json()["cells"]}
    assert verdicts["lost"] == "unknown"


def test_a_machine_that_is_lost_ends_the_run_which_is_stored(
    inner: Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: Any
) -> None:
    folder = tmp_path_factory.mktemp("far")
    ssh = inner.mkdir("bin") / "ssh"
    ssh.write_text(SSH.format(folder=folder))
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", str(ssh.parent), prepend=":")
    scenarios, out = inner.path / "scenarios", inner.path / "out"
    cut = POWER_CUT.replace("{folder}", str(folder)).replace("{journal}", str(out / "journal.jsonl"))
    write(inner, account__py=cut, conftest__py=WORKER)
    spec = f"ssh=me@far//python={sys.executable}//chdir={folder}/work"
    result = run(inner, "-d", "--tx", spec, f"--rsyncdir={scenarios}", f"--race-out={out}", str(scenarios))
    assert result.ret == pytest.ExitCode.INTERNAL_ERROR
    stored = read_run(out).to_json()
    assert stored["interrupted"]
    found = {c["protocol"]: (c["verdict"], c["found"]) for c in stored["cells"]}
    assert found["lost"] == ("unknown", ["account.lost"])
