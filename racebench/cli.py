"""The command line.  Each verb asks the campaign or an engine, and prints.

Exit status: 0 as expected, 1 not, 2 bad usage or input, 3 RaceBench failed,
130 interrupted.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from . import engine, vgic
from .campaign import ablation as ablate
from .campaign import bench, fuzz, modes, store
from .campaign.cell import Plan
from .campaign.results import read_finding, read_journal
from .campaign.resume import planned
from .campaign.runner import Options, cells_for, run_campaign
from .campaign.stop import Stop
from .campaign.store import RunFolder
from .commands.arguments import RUN_S, parser
from .commands.output import write_json
from .commands.reading import do_compare, do_explain, do_report, read_stored
from .errors import HarnessBug, RaceBenchError, ReplayDiverged, ScenarioError, UsageError
from .findings import RULES
from .records import SCHEMA, FindingRecord, Run
from .report.ablation import ablation_report
from .report.facts import cell_name
from .report.finding import finding_panel
from .report.fuzzing import fuzz_commands, fuzz_report
from .report.listing import bench_table, function_list, listing, scenario_list
from .report.live import FuzzScreen, LiveScreen, PlainLines, Quiet
from .report.run import document
from .report.terminal import show, show_run
from .report.text import brief, clean, counted
from .scenario import catalogue
from .scenario.scenario import Scenario, scenario_from_text
from .scenario.selection import Target, bundled, load_protocol, name_of, select


class _Screen(Console):
    """Prints no more once its reader has gone; the run goes on and keeps its exit status."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        _forget_stdout()


def _forget_stdout() -> None:
    """Keep the interpreter from complaining of a closed pipe when it exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def do_run(args: argparse.Namespace, console: Console, stop: Stop) -> int:
    modes = (args.only,) if args.only else ("verify", "stress")
    plan = Plan(modes, args.seed or 0)
    if args.resume is None:
        cells = cells_for(select(args.scenario), args.protocol)
        out = args.out or default_folder("run")
        return _campaign(args, cells, Options(plan, args.time or RUN_S, args.jobs, out), console, stop)
    if args.out is not None:
        raise UsageError("--out and --resume exclude each other. Give one.")
    journal = read_journal(args.resume)
    if args.scenario or args.protocol:
        cells, seconds = cells_for(select(args.scenario), args.protocol), RUN_S
    else:
        cells, planned_, seconds = planned(journal.plan, args.resume)
        plan = plan if args.only or args.seed is not None else planned_
    options = Options(plan, args.time or seconds, args.jobs, args.resume, resume=True)
    return _campaign(args, cells, options, console, stop)


def do_verify(args: argparse.Namespace, console: Console, stop: Stop) -> int:
    cells = cells_for(select(args.scenario), args.protocol)
    plan = Plan(("verify",), preemptions=args.preemptions)
    options = Options(plan, args.time, args.jobs, args.out or default_folder("verify"))
    return _campaign(args, cells, options, console, stop)


def do_explore(args: argparse.Namespace, console: Console, stop: Stop) -> int:
    cells = cells_for(select(args.scenario), args.protocol)
    plan = Plan(("explore",), args.seed, strategy=args.strategy, executions=args.executions)
    options = Options(plan, 0.0, 1, args.out or default_folder("explore"))
    return _campaign(args, cells, options, console, stop)


def default_folder(verb: str) -> Path:
    """``reports/<time>-<verb>``, with a number behind it if that exists."""
    base = Path("reports") / f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{verb}"
    path, n = base, 1
    while path.exists():
        n += 1
        path = base.with_name(f"{base.name}-{n}")
    return path


def _campaign(
    args: argparse.Namespace, targets: Sequence[Target], options: Options, console: Console, stop: Stop
) -> int:
    alone = args.json == "-"
    screen = Console(stderr=True, highlight=False) if alone else console
    progress = _progress(screen, args.quiet)
    try:
        run = run_campaign(targets, options, progress, stop)
    finally:
        progress.close()
    if args.json:
        write_json(args.json, run.to_json())
    if not alone and options.out is not None:
        # What is stored is what is shown, as `explain` shows it.
        stored = read_stored(options.out, beside=False)
        show_run(console, document(stored.surprising() if args.quiet else stored))
    return _status(run)


def _status(run: Run) -> int:
    """The exit status that ``run`` comes to; says what went wrong."""
    wrong = [cell for cell in run.cells if cell.error]
    for error in sorted({cell.error for cell in wrong}):
        names = [cell_name(cell) for cell in wrong if cell.error == error]
        others = f" and {counted(len(names) - 1, 'more cell')}" if len(names) > 1 else ""
        print(f"racebench: {names[0]}{others}: {brief(error)}", file=sys.stderr)
    faults = [cell for cell in wrong if not cell.lost]
    if run.interrupted:
        return 130
    if any(cell.failed for cell in faults):
        print("Please report it, with the traceback that RACEBENCH_DEBUG=1 shows.", file=sys.stderr)
        return 3
    if faults:
        return 2
    return 0 if all(cell.verdict == "as_expected" for cell in run.cells) else 1


def _progress(screen: Console, quiet: bool) -> Quiet | LiveScreen | PlainLines:
    if quiet:
        return Quiet(screen)
    return LiveScreen(screen) if _fancy(screen) else PlainLines(screen)


def _fancy(screen: Console) -> bool:
    """Whether a live display is fit for ``screen``."""
    return screen.is_terminal and not screen.is_dumb_terminal and not os.environ.get("CI")


def do_replay(args: argparse.Namespace, console: Console, stop: Stop) -> int:
    record = read_finding(args.finding)
    schedule = record.finding.schedule
    if not schedule:
        what = f"{args.finding}: holds no schedule: it was not reproduced under control"
        raise UsageError(f"{what}. Show it with `racebench explain`.")
    scenario = _scenario_of(args, record)
    code: Any = record.protocol
    if args.protocol:
        code = load_protocol(args.protocol).code
    elif scenario.initial is not None and code not in vgic.protocol_ids():
        hint = " ".join(record.replay_args or ("--protocol", "FILE:Name"))
        raise UsageError(f"{args.finding}: protocol {code!r} is not bundled. Add {hint}.")
    try:
        with stop.interruptible():
            program = ablate.as_found(scenario.program(code), record, str(args.finding))
            result = modes.replay(program, schedule)
    except ReplayDiverged as error:
        console.print(Text(f"diverged: {clean(error)}", style="bold red"))
        for thread, op, obj in error.recent:
            console.print(Text(f"  before it: {clean(thread)} {clean(op)} {clean(obj)}", style="dim"))
        return 1
    return _show_replay(args, console, record, result)


def _scenario_of(args: argparse.Namespace, record: FindingRecord) -> Scenario:
    """The scenario as it stood when the finding was stored; code only if it is named or bundled."""
    if args.scenario:
        return select([args.scenario])[0]
    if record.source:
        try:
            return scenario_from_text(Path(f"{record.scenario}.toml"), record.source)
        except ScenarioError as error:
            place = f"source: {error.place}" if error.place else "source"
            raise ScenarioError(str(args.finding), place, error.what, error.remedy) from error
    for scenario in bundled():
        if scenario.name == record.scenario:
            return scenario
    if record.rerun:
        raise UsageError(f"{args.finding}: its program is in a test. Run `{record.rerun}`.")
    hint = " ".join(record.replay_args or ("--scenario", "FILE"))
    raise UsageError(f"{args.finding}: scenario {record.scenario!r} is code. Add {hint}.")


def _show_replay(args: argparse.Namespace, console: Console, record: FindingRecord, result: Any) -> int:
    if args.trace:
        evidence = {**record.finding.evidence, "steps": result.stats["steps"]}
        shown = replace(record, finding=replace(record.finding, evidence=evidence))
        show(console, [finding_panel(shown, str(args.finding), full=True)])
    for found in result.findings:
        if found.rule == record.finding.rule:
            steps = len(record.finding.schedule)
            text = f"reproduced in {steps} steps: {clean(found.rule)}: {clean(found.summary)}"
            console.print(Text(text, style="bold green"))
            return 0
    others = ", ".join(clean(f.rule) for f in result.findings) or "no rule broke"
    console.print(Text(f"not reproduced: the schedule ran to its end, but {others}", style="bold red"))
    return 1


def do_ablate(args: argparse.Namespace, console: Console, stop: Stop) -> int:
    choice, scenarios = load_protocol(args.protocol), select(args.scenario or ["@pairs"])
    folder = RunFolder(args.out or default_folder("ablate"))
    alone = args.json == "-"
    said = Console(stderr=True, highlight=False, quiet=args.quiet) if alone or args.quiet else console
    with said.status("") as status:
        found = ablate.ablate(
            choice, scenarios, args.time, stop, lambda text: status.update(Text(f"{choice.id}: {text}"))
        )
    value = ablate.told(found, lambda finding: str(folder.path / folder.add_finding(finding)))
    store.write_json(folder.path / "ablation.json", {"schema": SCHEMA, **value})
    if args.json:
        write_json(args.json, {"schema": SCHEMA, **value})
    if not alone:
        show(console, ablation_report(value))
        console.print(Text(f"saved in {folder.path}", style="dim"))
    if found.interrupted:
        return 130
    return 1 if any(answer.verdict == ablate.OPEN for answer in found.answers) else 0


def do_fuzz(args: argparse.Namespace, console: Console, stop: Stop) -> int:
    choice = load_protocol(args.protocol)
    folder = RunFolder(args.out or default_folder("fuzz"))
    alone = args.json == "-"
    screen = Console(stderr=True, highlight=False, quiet=args.quiet) if alone or args.quiet else console
    with FuzzScreen(screen, args.time, _fancy(screen)) as shown:
        fuzzed = fuzz.fuzz(choice, args.time, args.seed, folder, shown, stop, args.state)
    record = fuzz.run_record(fuzzed, args.time, args.state)
    folder.finish(record)
    run = record.to_json()
    if args.json:
        write_json(args.json, run)
    if not alone:
        show(console, fuzz_report(run))
        for command in fuzz_commands(run, str(folder.path), choice.spec):
            console.print(Text(command, style="bold"), soft_wrap=True)
    if fuzzed.interrupted:
        return 130
    return 1 if fuzzed.new else 0


def do_list(args: argparse.Namespace, console: Console, stop: Stop) -> int:
    if args.what == "scenarios":
        shown = [(g.name, g.what, _told(g.scenarios)) for g in catalogue.groups()]
        tags = Counter(tag for group in catalogue.groups() for s in group.scenarios for tag in s.tags)
        show(console, scenario_list(shown, tags))
    elif args.what == "protocols":
        codes = [vgic.protocol(p) for p in vgic.protocol_ids()]
        show(console, [listing(("protocol", "what"), [(c.ID, c.SUMMARY) for c in codes])])
    elif args.what == "strategies":
        known = [(n, (c.__doc__ or "").splitlines()[0]) for n, c in engine.STRATEGIES.items()]
        show(console, [listing(("strategy", "what"), known)])
    elif args.what == "rules":
        show(console, [listing(("rule", "broken when"), RULES.items())])
    else:
        cited, scenarios = catalogue.running(args.what)
        past = [s for s in scenarios if s.variants]
        told = _told(s for s in scenarios if not s.variants)
        show(console, function_list(cited, told, _told(past)))
        if told:
            names = " ".join(clean(name) for name, _ in told)
            console.print(Text("\nunder your protocol:", style="dim"))
            # To be copied, so never wrapped.
            console.print(
                Text(f"racebench run {names} --protocol YOURS.py:Name", style="bold"), soft_wrap=True
            )
    return 0


def _told(scenarios: Iterable[Scenario]) -> list[tuple[str, str]]:
    return [
        (name_of(s.path), f"{s.title} ({', '.join(s.settles)})" if s.settles else s.title) for s in scenarios
    ]


def do_bench(args: argparse.Namespace, console: Console, stop: Stop) -> int:
    alone = args.json == "-"
    said = Console(stderr=True, highlight=False) if alone else console
    with stop.interruptible():
        figures = bench.measure(lambda name: said.print(Text(f"measuring {name} ...", style="dim")))
    if args.json:
        write_json(args.json, figures)
    if not alone:
        show(console, [bench_table(figures, bench.bars(figures))])
    return 0


_VERBS: Mapping[str, Callable[[argparse.Namespace, Console, Stop], int]] = {
    "run": do_run,
    "verify": do_verify,
    "explore": do_explore,
    "replay": do_replay,
    "ablate": do_ablate,
    "fuzz": do_fuzz,
    "explain": do_explain,
    "report": do_report,
    "compare": do_compare,
    "list": do_list,
    "bench": do_bench,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    # A stream that was closed when we were started is None.
    sys.stdout, sys.stderr = sys.stdout or io.StringIO(), sys.stderr or io.StringIO()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    console = _Screen(highlight=False)
    stop = Stop()
    try:
        with stop.on_signals():
            args = parser().parse_args(argv)
            status = _VERBS[args.verb](args, console, stop)
            sys.stdout.flush()
            return status
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        _forget_stdout()
        return 0
    except HarnessBug as error:
        return _failed(error)
    except RaceBenchError as error:
        print(f"racebench: {brief(error)}", file=sys.stderr)
        return 2
    except OSError as error:
        where = f"{error.filename}: " if error.filename is not None else ""
        what = f"{where}{error.strerror or error}. Check the path and the disk."
        print(f"racebench: {brief(what)}", file=sys.stderr)
        return 2
    except Exception as error:
        return _failed(error)


def _failed(error: Exception) -> int:
    if os.environ.get("RACEBENCH_DEBUG") == "1":
        traceback.print_exception(error)
    what = brief(f"{type(error).__name__}: {error}")
    print(
        f"racebench: RaceBench itself failed: {what}. "
        "Please report it, with the traceback that RACEBENCH_DEBUG=1 shows.",
        file=sys.stderr,
    )
    return 3
