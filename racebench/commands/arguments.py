"""The command line's words: verbs, options, durations."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .. import engine
from ..errors import UsageError
from ..records import VERSION
from ..report.formats import formats
from ..vgic.drawing import STATES

RUN_S, VERIFY_S, ABLATE_S, FUZZ_S = 30.0, 60.0, 600.0, 60.0
_DURATION = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)(ms|s|m|h)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def duration(text: str) -> float:
    """Seconds in ``500ms``, ``30s``, ``10m`` or ``2h``."""
    match = _DURATION.fullmatch(text)
    if match is None or not float(match[1]):
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration: write 500ms, 30s, 10m or 2h")
    return float(match[1]) * _UNITS[match[2]]


def natural(text: str) -> int:
    """A whole number, 0 or more."""
    if not re.fullmatch(r"[0-9]{1,12}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def positive(text: str) -> int:
    """A whole number, 1 or more."""
    value = natural(text)
    if not value:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value


def columns(text: str) -> int:
    """A width that a report can be read in."""
    value = natural(text)
    if not 40 <= value <= 500:
        raise argparse.ArgumentTypeError("must be 40 to 500")
    return value


def named(text: str) -> str:
    """What can name a file: an empty variable of a script would mean the current folder."""
    if not text or "\0" in text:
        raise argparse.ArgumentTypeError(f"{text!r} is not the name of a file or folder")
    return text


def path(text: str) -> Path:
    return Path(named(text))


class _Parser(argparse.ArgumentParser):
    """Bad usage is a UsageError, as every other bad input."""

    def error(self, message: str) -> Any:
        raise UsageError(f"{message}. See `{self.prog} --help`.")


def parser() -> argparse.ArgumentParser:
    """The whole command line; ``verb`` is the verb's name."""
    top = _Parser(
        prog="racebench",
        description="Stress, replay, explain and prove locking in interrupt routing, on real threads.",
        epilog="example: racebench run      (the xen-devel thread of May 2017, claim by claim, in 30 s)",
    )
    top.add_argument("--version", action="version", version=f"racebench {VERSION}")
    verbs = top.add_subparsers(dest="verb", metavar="VERB", required=True)
    for add in (_run, _verify, _explore, _replay, _explain, _report, _compare, _ablate, _fuzz, _list, _bench):
        add(verbs)
    return top


def _verb(verbs: Any, name: str, about: str, example: str) -> Callable[..., Any]:
    sub: argparse.ArgumentParser = verbs.add_parser(
        name, help=about, description=about[0].upper() + about[1:] + ".", epilog=f"example: {example}"
    )
    return sub.add_argument


def _quiet(add: Callable[..., Any], about: str = "no progress") -> None:
    add("--quiet", "-q", action="store_true", help=about)


def _cells(add: Callable[..., Any]) -> None:
    add("scenario", nargs="*", metavar="SCENARIO", help="name, @tag, file or folder (default: @thread)")
    add(
        "--protocol", nargs="+", action="extend", metavar="P",
        help="bundled id, or path/to/file.py:Name (default: those the scenario names)",
    )  # fmt: skip
    add("--out", type=path, metavar="DIR", help="the run's own folder (default: reports/<time>-VERB)")
    add("--json", type=named, metavar="FILE", help="write the run object; - prints it, alone")
    _quiet(add, "no progress; at the end only what is not as expected")


def _run(verbs: Any) -> None:
    add = _verb(
        verbs, "run", "hammer scenarios on real threads, search every schedule, store what is found",
        "racebench run route_vs_route --protocol baseline no_rank_lock --time 10s",
    )  # fmt: skip
    _cells(add)
    add("--time", type=duration, metavar="T", help="budget of all cells together (default: 30s)")
    add("--only", choices=("stress", "verify"), help="one mode instead of both")
    add("--jobs", type=positive, default=1, metavar="N", help="processes (default: 1)")
    add("--seed", type=natural, metavar="N", help="of noise and search (default: 0)")
    add("--resume", type=path, metavar="DIR", help="go on with the run in DIR")


def _verify(verbs: Any) -> None:
    add = _verb(
        verbs, "verify", "search every schedule, one execution per equivalence class",
        "racebench verify route_vs_isenabler --protocol baseline",
    )  # fmt: skip
    _cells(add)
    add("--preemptions", type=natural, metavar="N", help="only schedules with at most N preemptions")
    add("--time", type=duration, default=VERIFY_S, metavar="T", help="budget of all cells (default: 60s)")
    add("--jobs", type=positive, default=1, metavar="N", help="processes (default: 1)")


def _explore(verbs: Any) -> None:
    add = _verb(
        verbs, "explore", "run scenarios one thread at a time, under a strategy",
        "racebench explore route_vs_route --protocol no_rank_lock --strategy pct --executions 1000",
    )  # fmt: skip
    _cells(add)
    add("--strategy", choices=sorted(engine.STRATEGIES), default="portfolio", help="(default: portfolio)")
    add("--executions", type=positive, default=10_000, metavar="N", help="of each cell (default: 10000)")
    add("--seed", type=natural, default=0, metavar="N", help="of the strategy (default: 0)")


def _replay(verbs: Any) -> None:
    add = _verb(
        verbs, "replay", "run a stored schedule again, step by step",
        "racebench replay reports/example/findings/0001.json --trace",
    )  # fmt: skip
    add("finding", type=path, metavar="FINDING.json")
    add("--trace", action="store_true", help="show every step")
    add("--scenario", metavar="FILE", help="the Python scenario it was found in: a stored file runs no code")
    add("--protocol", metavar="FILE:NAME", help="the protocol of your own that it was found with")


def _explain(verbs: Any) -> None:
    add = _verb(verbs, "explain", "show a stored finding or run", "racebench explain reports/example")
    add("stored", type=path, metavar="FINDING.json|RUN_DIR")
    add("--full", action="store_true", help="unfold the schedule of a finding")


def _ablate(verbs: Any) -> None:
    add = _verb(
        verbs, "ablate", "say which lock acquisitions of a protocol are needed, and what breaks without each",
        "racebench ablate baseline",
    )  # fmt: skip
    add("protocol", metavar="PROTOCOL", help="bundled id, or path/to/file.py:Name")
    add("scenario", nargs="*", metavar="SCENARIO", help="name, @tag, file or folder (default: @pairs)")
    add("--time", type=duration, default=ABLATE_S, metavar="T", help="budget of it all (default: 10m)")
    add("--out", type=path, metavar="DIR", help="folder for the findings (default: reports/<time>-ablate)")
    add("--json", type=named, metavar="FILE", help="write the answers; - prints them, alone")
    _quiet(add)


def _fuzz(verbs: Any) -> None:
    add = _verb(
        verbs, "fuzz", "draw small scenarios at random and keep what no bundled one shows; 1 if there is any",
        "racebench fuzz baseline --time 60s",
    )  # fmt: skip
    add("protocol", metavar="PROTOCOL", help="bundled id, or path/to/file.py:Name")
    add("--time", type=duration, default=FUZZ_S, metavar="T", help="how long (default: 60s)")
    add("--seed", type=natural, default=0, metavar="N", help="of the drawing (default: 0)")
    add("--state", choices=STATES, help="the domain's state (default: drawn too)")
    add("--out", type=path, metavar="DIR", help="folder for what is new (default: reports/<time>-fuzz)")
    add("--json", type=named, metavar="FILE", help="write the run object; - prints it, alone")
    _quiet(add)


def _report(verbs: Any) -> None:
    add = _verb(
        verbs, "report", "write a stored run as files for people and for CI",
        "racebench report reports/example --html example.html",
    )  # fmt: skip
    add("run", type=path, metavar="RUN_DIR")
    known = formats()
    for form in known:
        add(f"--{form.name}", type=named, metavar="F", help=form.about)
    add(
        "--brief", action="store_true", help="only what is not as expected; with no format shown, not written"
    )
    wide = " and ".join(f"{form.name} (default: {form.width})" for form in known if form.width)
    add("--width", type=columns, metavar="N", help=f"of {wide}")


def _compare(verbs: Any) -> None:
    add = _verb(
        verbs, "compare", "tell what two stored runs say differently; 1 if the new one is worse",
        "racebench compare reports/example reports/example",
    )  # fmt: skip
    add("base", type=path, metavar="BASE_RUN")
    add("new", type=path, metavar="NEW_RUN")
    add("--json", type=named, metavar="FILE", help="write what differs; - prints it, alone")


def _list(verbs: Any) -> None:
    add = _verb(
        verbs, "list", "list what there is, or what runs a function of Xen",
        "racebench list release_guest_irq",
    )  # fmt: skip
    what = "scenarios, protocols, strategies, rules, or a function of Xen"
    add("what", nargs="?", default="scenarios", metavar="WHAT", help=f"{what} (default: scenarios)")


def _bench(verbs: Any) -> None:
    add = _verb(verbs, "bench", "measure what this machine can do", "racebench bench --json bench.json")
    add("--json", type=named, metavar="FILE", help="write the figures; - prints them, alone")
