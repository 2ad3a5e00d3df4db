"""Command lines with words that are wrong."""

from __future__ import annotations

import random

from . import values
from .box import GOOD, Box, Case, times
from .samples import Samples
from .values import DURATIONS, NAMES, NUMBERS


def command_line(rng: random.Random, box: Box, samples: Samples) -> Case:
    argv = list(rng.choice(_good_lines(box)))
    for _ in range(times(rng)):
        at = rng.randrange(len(argv) + 1)
        what = rng.choice(("word", "word", "word", "option", "option", "drop", "twice"))
        word = _word(rng, box)
        if what == "word" and at < len(argv):
            argv[at] = word
        elif what == "word":
            argv.append(word)
        elif what == "drop" and at < len(argv):
            del argv[at]
        elif what == "twice" and at < len(argv):
            argv.insert(at, argv[at])
        else:
            argv[at:at] = [rng.choice(_OPTIONS), word]
    return Case(_bounded(argv), elsewhere=True)


_OPTIONS = (
    "--time", "--time", "--seed", "--seed", "--jobs", "--jobs", "--executions", "--preemptions", "--width",
    "--protocol", "--strategy", "--state", "--only", "--out", "--json", "--html", "--trace",
    "--full", "--no-such",
    "-x", "--", "-", "--time=1e400s", "--jobs=0", "--prot", "--scenario", "--resume", "--help",
)  # fmt: skip
_PROTOCOLS = (
    "../../x.py:Name", "../in:X", "/dev/null:X", ":", ":X", "x.py:", "x.py", "no_such",
    "Base-Line", "baseline:X",
    "/dev/zero:X", "a\x00.py:X", "baseline,no_rank_lock", "__init__", "protocols",
    "../baseline",
)  # fmt: skip


def _word(rng: random.Random, box: Box) -> str:
    kind = rng.choice((NAMES, DURATIONS, NUMBERS, _PROTOCOLS, _PROTOCOLS, _PLACES))
    word = rng.choice(kind).replace("BOX", str(box.path))
    if word in (".", ".."):
        # To name a folder is to ask for the Python files below it.
        word = "..."
    return rng.choice(values.LONG) if rng.random() < 0.01 else word


_PLACES = (
    "BOX/in", "BOX/in/none.toml", "BOX/out/new", "BOX/out", "../in", "/dev/null", "/dev/zero",
    "/dev/null/x",
    "BOX/out/good", "a\x00b.toml", "x" * 300 + ".toml", "d/" * 3000 + "x.toml", "~", "@thread",
)  # fmt: skip


def _good_lines(box: Box) -> list[list[str]]:
    out = ["--out", str(box.out / "run")]
    return [
        ["run", "route_vs_route", "--protocol", "baseline", "--time", "50ms", "--seed", "1", *out],
        ["verify", "route_vs_route", "--protocol", "baseline", "--preemptions", "1", "--time", "50ms", *out],
        ["explore", "release_vs_isenabler", "--protocol", "baseline", "--executions", "5", *out],
        ["explore", "route_vs_route", "--strategy", "pct", "--executions", "5", "--json", "-", *out],
        ["ablate", "baseline", "route_vs_route", "--time", "50ms", *out],
        ["fuzz", "baselin", "--time", "50ms", "--seed", "3", "--state", "dying", *out],
        ["replay", str(box.input / "none.json"), "--trace"],
        ["explain", str(box.out)],
        [
            "report",
            str(GOOD),
            "--html",
            str(box.out / "a"),
            "--markdown",
            str(box.out / "b"),
            "--width",
            "60",
        ],
        ["compare", str(GOOD), str(GOOD), "--json", str(box.out / "c")],
        ["list", "protocols"],
        ["run", "--resume", str(GOOD), "--time", "50ms"],
    ]


_RUNS_CELLS, _UNBOUNDED = ("run", "verify", "explore", "ablate", "fuzz"), ("bench",)


def _bounded(argv: list[str]) -> list[str]:
    """``argv`` with a small budget at its end, where the last one given counts, and an ``--out`` of ours.

    What a mutation says before that is still parsed, and refused if it is wrong.
    """
    verb = next((word for word in argv if word in _RUNS_CELLS), "")
    if any(word in _UNBOUNDED for word in argv):
        return ["list"]
    if not verb or argv[:1] != [verb] or "--" in argv:
        return argv
    return argv + (["--executions", "5"] if verb == "explore" else ["--time", "50ms"])
