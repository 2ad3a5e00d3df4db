"""A campaign as the command line runs it, for the verbs that run cells."""

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
    """What the cells run that the command line names, and who is held against whom in them."""
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
    """Run ``targets``, show what comes of them, and return the exit status."""
    listener: Any = _Listener(args)
    try:
        run = run_campaign(targets, options._replace(command=args.command), listener, stop)
    finally:
        listener.close()
    status: int = listener.screen.conclude(run, options.out)
    return status


class _Listener:
    """Hears a campaign, and loads what shows it with the first that is told after its start.

    That brings rich, which takes a moment; by then a child is at work, so nobody waits for it.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        self._args = args
        self._started: list[tuple[int, float]] = []

    def started(self, cells: int, seconds: float) -> None:
        self._started.append((cells, seconds))

    @cached_property
    def screen(self) -> CampaignScreen:
        from .campaign_screen import CampaignScreen

        return CampaignScreen(self._args)

    def __getattr__(self, name: str) -> Any:
        while self._started:
            self.screen.listener.started(*self._started.pop())
        return getattr(self.screen.listener, name)
