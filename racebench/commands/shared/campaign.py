"""Run a campaign from the command line, for the verbs that run cells."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ...campaign.runner import Options, cells_for, run_campaign
from ...campaign.stop import Stop
from ...scenario.lineage import lineages
from ...scenario.selection import Target, select
from .settings import settings

if TYPE_CHECKING:
    from ...report.regressions import Lineage
    from .campaign_screen import CampaignScreen


def chosen(args: argparse.Namespace) -> tuple[list[Target], list[Lineage]]:
    """The targets that the command line names, and which protocols are compared with which parents."""
    project = settings()
    scenarios = select(args.scenario or project.paths)
    protocols = args.protocol or list(project.protocols) or None
    if args.against is None:
        return cells_for(scenarios, protocols), []
    variants = [name for scenario in scenarios for name in scenario.variants]
    held = lineages(protocols, args.against, variants)
    specs = [choice.spec for one in held for choice in (one.choice, one.parent)]
    return cells_for(scenarios, specs), [one.stored() for one in held]


def campaign(args: argparse.Namespace, targets: Sequence[Target], options: Options, stop: Stop) -> int:
    """Run ``targets``, show the results, and return the exit status."""
    shown = _Shown(args)
    try:
        run = run_campaign(targets, options._replace(command=args.command), shown, stop)
    finally:
        shown("close")
    status: int = shown.screen.conclude(run, options.out)
    return status


class _Shown:
    """Shows the messages of a campaign; imports the screen with the first message after the start.

    The screen imports rich, which takes a moment; children have their cells by then, so they do not wait.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        self._args = args
        self._waiting: list[tuple[Any, ...]] = []

    @cached_property
    def screen(self) -> CampaignScreen:
        from .campaign_screen import CampaignScreen

        return CampaignScreen(self._args)

    def __call__(self, word: str, *what: Any) -> None:
        self._waiting.append((word, *what))
        while self._waiting and word != "started":
            self.screen.progress(*self._waiting.pop(0))
