"""The command line.  Each verb parses, asks the campaign, and prints.

Exit status: 0 as expected, 1 not, 2 bad usage or input, 3 RaceBench failed,
130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from . import __version__, bench, claims, engine, vgic
from .campaign import Options, cells_for, default_folder, run_campaign
from .errors import HarnessBug, RaceBenchError, ReplayDiverged, UsageError
from .findings import RULES
from .report.finding import finding_panel
from .report.listing import bench_table, listing
from .report.live import LiveScreen, PlainLines
from .report.terminal import show_run
from .report.text import clean
from .scenario import Scenario
from .selection import bundled, load_protocol, select
from .store import read_finding, read_run
from .trace import schedule_from_json

_DURATION = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)(ms|s|m|h)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_RUN_S, _VERIFY_S = 30.0, 60.0


def duration(text: str) -> float:
    """Seconds in ``500ms``, ``30s``, ``10m`` or ``2h``."""
    match = _DURATION.fullmatch(text)
    if match is None or not float(match[1]):
        raise argparse.ArgumentTypeError(f"{clean(text)!r} is not a duration: write 500ms, 30s, 10m or 2h")
    return float(match[1]) * _UNITS[match[2]]


def natural(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,12}", text):
        raise argparse.ArgumentTypeError(f"{clean(text)!r} is not a whole number")
    return int(text)


def positive(text: str) -> int:
    value = natural(text)
    if not value:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value


class _Parser(argparse.ArgumentParser):
    """One line on stderr for bad usage, as for every other bad input."""

    def error(self, message: str) -> Any:
        raise UsageError(f"{message}. See `{self.prog} --help`.")


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = _Parser(
        prog="racebench",
        description="Stress, replay, explain and prove locking in interrupt routing, on real threads.",
        epilog="example: racebench run                  (the xen-devel thread of May 2017, settled)",
    )
    top.add_argument("--version", action="version", version=f"racebench {__version__}")
    verbs = top.add_subparsers(dest="verb", metavar="VERB", required=True)
    for add in (_add_run, _add_verify, _add_explore, _add_replay, _add_explain, _add_list, _add_bench):
        add(verbs)
    return top


def _verb(verbs: Any, name: str, about: str, example: str) -> argparse.ArgumentParser:
    sub: argparse.ArgumentParser = verbs.add_parser(
        name, help=about, description=about[0].upper() + about[1:] + ".", epilog=f"example: {example}"
    )
    return sub


def _cells(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("scenario", nargs="*", metavar="SCENARIO", help="name, @tag, file or folder (@thread)")
    sub.add_argument(
        "--protocol", nargs="+", action="extend", metavar="P", help="bundled id, or path/to/file.py:Name"
    )
    sub.add_argument("--json", metavar="FILE", help="write the run object; - prints it, alone")


def _add_run(verbs: Any) -> None:
    sub = _verb(
        verbs, "run", "hammer scenarios on real threads, search them under control, store what is found",
        "racebench run route_vs_route --protocol baseline no_rank_lock --time 10s",
    )  # fmt: skip
    _cells(sub)
    sub.add_argument("--time", type=duration, default=_RUN_S, metavar="T", help="for all cells (30s)")
    sub.add_argument("--only", choices=("stress", "verify"), help="one mode instead of both")
    sub.add_argument("--jobs", type=positive, default=1, metavar="N", help="processes (1)")
    sub.add_argument("--seed", type=natural, default=0, metavar="N", help="of noise and search (0)")
    sub.add_argument("--out", type=Path, metavar="DIR", help="the run's folder (reports/<time>-run)")
    sub.add_argument("--resume", type=Path, metavar="DIR", help="go on with an unfinished run")
    sub.set_defaults(do=do_run)


def _add_verify(verbs: Any) -> None:
    sub = _verb(verbs, "verify", "search every schedule", "racebench verify route_vs_isenabler")
    _cells(sub)
    sub.add_argument("--preemptions", type=natural, metavar="N", help="schedules with at most N preemptions")
    sub.add_argument("--time", type=duration, default=_VERIFY_S, metavar="T", help="for all cells (60s)")
    sub.add_argument("--jobs", type=positive, default=1, metavar="N", help="processes (1)")
    sub.set_defaults(do=do_verify)


def _add_explore(verbs: Any) -> None:
    sub = _verb(
        verbs, "explore", "run scenarios one thread at a time under a strategy",
        "racebench explore route_vs_route --protocol no_rank_lock --strategy pct --executions 1000",
    )  # fmt: skip
    _cells(sub)
    sub.add_argument("--strategy", choices=sorted(engine.STRATEGIES), default="portfolio")
    sub.add_argument("--executions", type=positive, default=10_000, metavar="N", help="per cell (10000)")
    sub.add_argument("--seed", type=natural, default=0, metavar="N")
    sub.set_defaults(do=do_explore)


def _add_replay(verbs: Any) -> None:
    sub = _verb(
        verbs, "replay", "run one stored schedule again, strictly",
        "racebench replay reports/nightly/findings/0001.json --trace",
    )  # fmt: skip
    sub.add_argument("finding", type=Path, metavar="FINDING.json")
    sub.add_argument("--trace", action="store_true", help="show every step")
    sub.add_argument("--scenario", metavar="FILE", help="the scenario, if it is not a bundled one")
    sub.add_argument("--protocol", metavar="P", help="the protocol, if it is not a bundled one")
    sub.set_defaults(do=do_replay)


def _add_explain(verbs: Any) -> None:
    sub = _verb(verbs, "explain", "show a stored finding or run", "racebench explain reports/nightly")
    sub.add_argument("stored", type=Path, metavar="FINDING.json|RUN_DIR")
    sub.add_argument("--full", action="store_true", help="unfold what is folded")
    sub.set_defaults(do=do_explain)


def _add_list(verbs: Any) -> None:
    sub = _verb(verbs, "list", "list what there is", "racebench list protocols")
    sub.add_argument(
        "what", nargs="?", choices=("scenarios", "protocols", "strategies", "rules"), default="scenarios"
    )
    sub.set_defaults(do=do_list)


def _add_bench(verbs: Any) -> None:
    sub = _verb(verbs, "bench", "measure what this machine can do", "racebench bench --json bench.json")
    sub.add_argument("--json", metavar="FILE", help="write the figures; - prints them, alone")
    sub.set_defaults(do=do_bench)


# -- verbs


def do_run(args: argparse.Namespace, console: Console) -> int:
    modes = (args.only,) if args.only else ("stress", "verify")
    if args.resume is not None and args.out is not None:
        raise UsageError("--out and --resume exclude each other. Give one.")
    out = args.resume or args.out or default_folder("run")
    options = Options(
        modes, args.time, args.seed, args.jobs, out, name="run", resume=args.resume is not None
    )
    return _campaign(args, options, console)


def do_verify(args: argparse.Namespace, console: Console) -> int:
    options = Options(("verify",), args.time, jobs=args.jobs, preemptions=args.preemptions, name="verify")
    return _campaign(args, options, console)


def do_explore(args: argparse.Namespace, console: Console) -> int:
    options = Options(
        ("explore",), 3600.0, args.seed, strategy=args.strategy, executions=args.executions, name="explore"
    )
    return _campaign(args, options, console)


def _campaign(args: argparse.Namespace, options: Options, console: Console) -> int:
    scenarios = select(args.scenario)
    protocols = None if args.protocol is None else [load_protocol(spec) for spec in args.protocol]
    cells = cells_for(scenarios, protocols)
    if not cells:
        raise UsageError("no cell to run: the scenarios name no protocol. Give --protocol.")
    alone = args.json == "-"
    quiet = Console(stderr=True) if alone else console
    live = LiveScreen(quiet) if quiet.is_terminal and not os.environ.get("CI") else PlainLines(quiet)
    collected = _Collected(live)
    try:
        run = run_campaign(cells, options, collected)
    finally:
        live.close()
    if args.json:
        _write_json(args.json, {k: v for k, v in run.items() if k != "dir"})
    if not alone:
        show_run(console, run, claims.judge(run), collected.ordered(run))
    if run["interrupted"]:
        return 130
    return 0 if all(c["verdict"] == "as_expected" for c in run["cells"]) else 1


class _Collected:
    """Passes everything on to the screen, and keeps the findings for the end."""

    def __init__(self, live: Any) -> None:
        self._live = live
        self.findings: list[tuple[str, dict[str, Any]]] = []
        self.dir: Path | None = None

    def finding(self, path: str, finding: dict[str, Any]) -> None:
        self.findings.append((path, finding))
        self._live.finding(path, finding)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._live, name)

    def ordered(self, run: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        """Unexpected ones first, one of each signature; paths from the working folder."""
        return ordered_findings(run, self.findings)


def ordered_findings(
    run: dict[str, Any], findings: Sequence[tuple[str, dict[str, Any]]]
) -> list[tuple[str, dict[str, Any]]]:
    """One finding a signature, those that nobody expected first."""
    known = {(c["scenario"], c["protocol"]): c for c in run["cells"]}
    folder = run.get("dir")

    def surprise(finding: dict[str, Any]) -> bool:
        cell = known.get((finding["scenario"], finding["protocol"]), {})
        return finding["rule"] not in (*cell.get("expected", ()), *cell.get("allowed", ()))

    distinct: dict[str, tuple[str, dict[str, Any]]] = {}
    for path, finding in sorted(findings, key=lambda pf: not surprise(pf[1])):
        shown = str(Path(folder) / path) if folder and path else path
        distinct.setdefault(finding["signature"], (shown, finding))
    return list(distinct.values())


def _write_json(target: str, value: Any) -> None:
    text = json.dumps(value, indent=1)
    if target == "-":
        print(text)
        return
    try:
        Path(target).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{target}: cannot be written: {error.strerror}. Name another file.") from error


def do_replay(args: argparse.Namespace, console: Console) -> int:
    finding = read_finding(args.finding)
    schedule = schedule_from_json(finding["schedule"], str(args.finding))
    if not schedule:
        raise UsageError(f"{args.finding}: holds no schedule: it was not reproduced under control.")
    scenario = _scenario_of(args, finding)
    code: Any = finding["protocol"]
    if args.protocol:
        code = load_protocol(args.protocol).code
    elif not scenario.variants and code not in vgic.protocol_ids():
        raise UsageError(f"{args.finding}: protocol {clean(code)!r} is not bundled. Give --protocol FILE:Name.")
    try:
        result = engine.replay(scenario.program(code), schedule)
    except ReplayDiverged as error:
        console.print(Text(f"DIVERGED: {clean(error)}", style="bold red"))
        for thread, op, obj in error.recent:
            console.print(Text(f"  before it: {clean(thread)} {clean(op)} {clean(obj)}", style="dim"))
        return 1
    return _show_replay(args, console, finding, result)


def _scenario_of(args: argparse.Namespace, finding: dict[str, Any]) -> Scenario:
    if args.scenario:
        return select([args.scenario])[0]
    for scenario in bundled():
        if scenario.name == finding["scenario"]:
            return scenario
    raise UsageError(
        f"{args.finding}: scenario {clean(finding['scenario'])!r} is not bundled. Give --scenario FILE."
    )


def _show_replay(
    args: argparse.Namespace, console: Console, finding: dict[str, Any], result: Any
) -> int:
    same = [f for f in result.findings if f.signature == finding["signature"]]
    if args.trace:
        shown = {**finding, "evidence": {**finding["evidence"], "steps": result.stats["steps"]}}
        console.print(finding_panel(shown, str(args.finding), full=True))
    if same:
        steps = len(finding["schedule"])
        console.print(Text(f"reproduced in {steps} steps: {clean(same[0].summary)}", style="bold green"))
        return 0
    others = ", ".join(clean(f.rule) for f in result.findings) or "no rule broke"
    console.print(Text(f"NOT reproduced: the schedule ran to its end, {others}", style="bold red"))
    return 1


def do_explain(args: argparse.Namespace, console: Console) -> int:
    if not args.stored.is_dir():
        console.print(finding_panel(read_finding(args.stored), str(args.stored), full=args.full))
        return 0
    run = {**read_run(args.stored), "dir": str(args.stored)}
    findings = []
    for path in sorted((args.stored / "findings").glob("[0-9]*.json")):
        findings.append((str(path.relative_to(args.stored)), read_finding(path)))
    show_run(console, run, claims.judge(run), ordered_findings(run, findings))
    return 0


def do_list(args: argparse.Namespace, console: Console) -> int:
    if args.what == "scenarios":
        rows = [(s.name, " ".join(f"@{t}" for t in s.tags), ", ".join(s.settles), s.title) for s in bundled()]
        console.print(listing(("scenario", "tags", "settles", "what"), rows))
    elif args.what == "protocols":
        codes = [vgic.protocol(p) for p in vgic.protocol_ids()]
        console.print(listing(("protocol", "what"), [(c.ID, c.SUMMARY) for c in codes]))
    elif args.what == "strategies":
        known = [(n, (c.__doc__ or "").splitlines()[0]) for n, c in engine.STRATEGIES.items()]
        console.print(listing(("strategy", "what"), known))
    else:
        console.print(listing(("rule", "holds when broken"), RULES.items()))
    return 0


def do_bench(args: argparse.Namespace, console: Console) -> int:
    alone = args.json == "-"
    said = Console(stderr=True) if alone else console
    figures = bench.measure(lambda name: said.print(Text(f"measuring {name} ...", style="dim")))
    if args.json:
        _write_json(args.json, figures)
    if not alone:
        console.print(bench_table(figures, bench.bars(figures)))
    return 0


def _terminated(signum: int, frame: Any) -> None:
    raise KeyboardInterrupt


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    if hasattr(signal, "SIGTERM") and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _terminated)
    console = Console(highlight=False)
    try:
        args = parser().parse_args(argv)
        status: int = args.do(args, console)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read us has gone; keep the interpreter from saying so at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except HarnessBug as error:
        return _failed(error)
    except RaceBenchError as error:
        print(f"racebench: {clean(error)}", file=sys.stderr)
        return 2
    except SystemExit as error:
        return int(error.code or 0)
    except Exception as error:
        return _failed(error)


def _failed(error: BaseException) -> int:
    if os.environ.get("RACEBENCH_DEBUG"):
        raise error
    what = clean(f"{type(error).__name__}: {error}")
    print(
        f"racebench: RaceBench itself failed: {what}. Set RACEBENCH_DEBUG=1 for the traceback, and report it.",
        file=sys.stderr,
    )
    return 3
