"""Links, FIFOs, devices, folders and huge files in the place of a file, and ways out of a folder."""

from __future__ import annotations

import os
import random
from pathlib import Path

from .box import Box, Case, remove, stored
from .folders import read_it
from .inputs import run_it
from .samples import Samples

SPARSE = 2 << 30


ROLES = (
    "toml",
    "folder",
    "py",
    "finding",
    "run.json",
    "journal.jsonl",
    "a finding",
    "findings",
    "out",
    "out",
)
KINDS = ("fifo", "folder", "ring", "to nothing", "to a file", "to a folder", "huge", "to a device", "empty")
EACH = len(ROLES) * len(KINDS)


def special(rng: random.Random, box: Box, samples: Samples) -> Case:
    """Any kind of file in any role."""
    return in_role(rng, box, samples, rng.choice(ROLES), rng.choice(KINDS))


def one_of_each(number: int, rng: random.Random, box: Box, samples: Samples) -> Case:
    """Each kind of file in each role, for the numbers below ``EACH``."""
    return in_role(rng, box, samples, ROLES[number % len(ROLES)], KINDS[number // len(ROLES)])


def in_role(rng: random.Random, box: Box, samples: Samples, role: str, kind: str) -> Case:
    if role == "toml":
        path = _strange(rng, kind, box, box.input / "strange.toml")
        return Case(run_it(rng, str(path), box), str(path))
    if role == "folder":
        for name in ("a.toml", "b/c.toml", "b"):
            if rng.random() < 0.5:
                (box.input / name).parent.mkdir(exist_ok=True)
                if not (box.input / name).exists():
                    _strange(rng, kind, box, box.input / name)
        return Case(run_it(rng, str(box.input), box), str(box.input))
    if role == "py":
        path = _strange(rng, kind, box, box.input / "strange.py")
        if path.is_symlink() and "planted" in os.readlink(path):
            path.unlink()
        return Case(["verify", "route_vs_route", "--protocol", f"{path}:X", "--time", "50ms"], str(path))
    if role == "finding":
        path = _strange(rng, kind, box, box.input / "strange.json")
        return Case([rng.choice(("explain", "replay")), str(path)], str(path))
    run = stored(box, "run", samples)
    if role == "out":
        return _planted_out(rng, kind, box, run)
    target = {"a finding": "findings/0001.json"}.get(role, role)
    remove(run / target)
    _strange(rng, kind, box, run / target)
    if role == "journal.jsonl" or rng.random() < 0.3:
        remove(run / "run.json")
    return Case(read_it(rng, box, run), str(run))


def _planted_out(rng: random.Random, kind: str, box: Box, run: Path) -> Case:
    """A folder to write to that was laid out by somebody else, with ways out of it."""
    for name in ("run.json", "journal.jsonl"):
        (run / name).unlink(missing_ok=True)
    names = ("journal.jsonl", "run.json", "run.json.part", "findings", "scenarios", "findings/0001.json.part",
             "findings/0001.json", "ablation.json", "ablation.json.part")  # fmt: skip
    for name in rng.sample(names, rng.randrange(1, 6)):
        if (run / name).parent.is_dir() and not (run / name).parent.is_symlink():
            remove(run / name)
            _strange(rng, kind, box, run / name)
    verb = rng.choice(
        (["verify", "route_vs_route", "--protocol", "no_rank_lock"], ["ablate", "baseline", "route_vs_route"])
    )
    return Case([*verb, "--time", "300ms", "--out", str(run)], str(run))


def _strange(rng: random.Random, kind: str, box: Box, path: Path) -> Path:
    """Something at ``path`` that is not the file that is expected there."""
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "ring":
        path.symlink_to(path.name)
    elif kind == "to nothing":
        path.symlink_to(box.outside / "none")
    elif kind == "to a file":
        path.symlink_to(
            rng.choice((box.outside / "secret.json", box.outside / "journal.jsonl", box.work / "planted.py"))
        )
    elif kind == "to a folder":
        path.symlink_to(box.outside / "folder", target_is_directory=True)
    elif kind == "huge":
        with open(path, "wb") as file:
            file.truncate(SPARSE)
    elif kind == "to a device":
        path.symlink_to(rng.choice(("/dev/zero", "/dev/full", "/dev/tty", "/dev/null", "/proc/self/mem")))
    else:
        path.write_bytes(b"")
        if os.geteuid():
            path.chmod(0)
    return path
