"""``racebench list``: the scenarios, protocols, strategies or rules, or what runs a function of Xen."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path

from rich.text import Text

from .. import vgic
from ..campaign.stop import Stop
from ..findings.rules import rules
from ..report.listing import function_list, listing, scenario_list
from ..report.terminal import show
from ..report.text import clean
from ..report.tree import Block
from ..scenario import catalogue
from ..scenario.scenario import Scenario
from ..scenario.selection import bundled_root, name_of, scenario_files
from .shared import arguments
from .shared.screen import Screen

ABOUT = "list scenarios, protocols, strategies or rules, or what runs a function of Xen"
EXAMPLE = "list release_guest_irq"


def declare(add: arguments.Add) -> None:
    what = f"{', '.join(_LISTS)}, or a function of Xen"
    add("what", nargs="?", default="scenarios", metavar="WHAT", help=f"{what} (default: scenarios)")


def act(args: argparse.Namespace, stop: Stop) -> int:
    screen = Screen()
    if args.what in _LISTS:
        show(screen, _LISTS[args.what]())
        return 0
    cited, scenarios = catalogue.running(args.what, tuple(_LISTS))
    present = _named(s for s in scenarios if not s.variants)
    show(screen, function_list(cited, present, _named(s for s in scenarios if s.variants)))
    # A scenario whose threads draw their operations cannot be proved, so `run` could not prove it.
    proved = _named(s for s in scenarios if not s.variants and s.mix is None)
    if proved:
        names = " ".join(clean(name) for name, _ in proved)
        screen.print(Text("\nunder your protocol:", style="dim"))
        # To be copied, so never wrapped.
        command = f"racebench run {names} --protocol YOURS.py:Name"
        screen.print(Text(command, style="bold"), soft_wrap=True)
    return 0


def _scenarios() -> list[Block]:
    groups = catalogue.groups()
    tags = Counter(tag for group in groups for s in group.scenarios for tag in s.tags)
    files = scenario_files(bundled_root())
    return scenario_list([(g.name, g.what, _named(g.scenarios, files)) for g in groups], tags)


def _protocols() -> list[Block]:
    codes = [vgic.protocol(p) for p in vgic.protocol_ids()]
    return [listing(("protocol", "what"), [(c.ID, c.SUMMARY) for c in codes])]


def _strategies() -> list[Block]:
    # Imported only here, because the engines take a moment to load.
    from ..engine.strategies import STRATEGIES

    known = [(n, (c.__doc__ or "").splitlines()[0]) for n, c in STRATEGIES.items()]
    return [listing(("strategy", "what"), known)]


def _rules() -> list[Block]:
    return [listing(("rule", "broken when"), ((name, rule.broken_when) for name, rule in rules().items()))]


_LISTS = {"scenarios": _scenarios, "protocols": _protocols, "strategies": _strategies, "rules": _rules}


def _named(scenarios: Iterable[Scenario], files: Collection[Path] | None = None) -> list[tuple[str, str]]:
    return [
        (name_of(s.path, files), f"{s.title} ({', '.join(s.settles)})" if s.settles else s.title)
        for s in scenarios
    ]
