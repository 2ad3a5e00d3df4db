"""Collect scenario files as pytest items, and run them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import pytest

from ..campaign.cell import Plan
from ..campaign.share import Share
from ..campaign.soak import Pace, Visitor, deadline_s, rounds_for
from ..engine.places import spread
from ..errors import RaceBenchError
from ..report.testrun import verdict
from ..scenario.scenario import Scenario, load_scenario
from ..scenario.selection import Target, apart, choices, name_of
from . import ROUND
from .race_test import RaceFailed, Running

_AFTER_DEADLINE_S = 15.0
# Tags that have a meaning as markers for pytest or pytest-timeout.
_TAKEN = {"skip", "skipif", "xfail", "parametrize", "usefixtures", "filterwarnings", "timeout"}


class ScenarioFile(pytest.File):
    """One scenario file; its items are its cells, or their shards."""

    def collect(self) -> Iterator[pytest.Item]:
        from . import visits

        try:
            scenario = load_scenario(self.path)._replace(name=name_of(self.path))
            scenario = apart(scenario, visits(self.config).scenarios)
        except RaceBenchError as error:
            raise self.CollectError(str(error)) from error
        self.add_marker("race")
        for tag in scenario.tags:
            if tag.isidentifier() and not tag.startswith("_") and tag not in _TAKEN:
                self.config.addinivalue_line("markers", f"{tag}: tag of a RaceBench scenario")
                self.add_marker(tag)
            self.extra_keyword_matches.add(tag)
        shards = self.config.getoption("race_shards")
        wanted = self.config.getini("race_protocols")
        for choice in (one for one in choices(scenario) if not wanted or one.id in wanted):
            for shard in range(shards):
                yield RaceItem.make(self, Target(scenario, choice), Share(shard, shards))


class RaceItem(pytest.Item):
    """One visit of a cell; it passes when the verdict is as expected."""

    target: Target
    share: Share

    @classmethod
    def make(cls, parent: Any, target: Target, share: Share) -> RaceItem:
        item: RaceItem = cls.from_parent(parent, name=f"{target.choice.id}{share}")
        item.target, item.share = target, share
        return item

    def runtest(self) -> None:
        from . import visits

        if self.config.getoption("race_replay"):
            from . import race_replay

            cell = self.target.cell(())
            race_replay.replay(self, race_replay.scenario_program(self), {*cell.expected, *cell.allowed})
            return
        visits(self.config).run(self)

    def repr_failure(self, excinfo: Any, style: Any = None) -> Any:
        if isinstance(excinfo.value, RaceFailed):
            return str(excinfo.value)
        if isinstance(excinfo.value, RaceBenchError):
            return f"{type(excinfo.value).__name__}: {excinfo.value}"
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Any, int | None, str]:
        return self.path, None, f"{self.target.scenario.name} x {self.name}"


class Visits:
    """Runs the items of this process."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.visitor = Visitor(Plan(seed=config.getoption("race_seed")))
        self.race_s: float = config.getoption("race_time")
        self.soak_s: float | None = config.getoption("soak")
        self.worker: dict[str, Any] = getattr(config, "workerinput", {})
        config.add_cleanup(self.visitor.close)
        self.scenarios: dict[str, Scenario] = {}
        self._pace: Pace | None = None
        self._limit_s, self._limit_asked = _timeout_limit(config)
        number = str(self.worker.get("workerid", "")).removeprefix("gw")
        if number.isdigit():
            spread(int(number))

    # -- rounds

    def in_rounds(self, items: Sequence[pytest.Item]) -> list[pytest.Item]:
        """``items`` with race items and race tests repeated for each round; others stay first and single."""
        mine = [i for i in items if isinstance(i, RaceItem)]
        tests = [i for i in items if _soaks(i)]
        if self.soak_s is not None and (mine or tests) and not self.config.getoption("collectonly"):
            workers = self.worker.get("workercount", 1)
            visits = len(mine) + len(tests)
            rounds = rounds_for(visits, self.race_s, self.soak_s, workers)
            left_s = self.worker.get("race_left_s", self.soak_s)
            self._pace = Pace(self.soak_s, left_s, visits * rounds / workers)
            again: list[pytest.Item] = []
            for r in range(rounds):
                again += [
                    RaceItem.make(i.parent, i.target, Share(i.share.shard, i.share.shards, r, rounds))
                    for i in mine
                ]
                again += _again(tests, Share(0, 1, r, rounds)) if r else []
            items = [*(i for i in items if not isinstance(i, RaceItem)), *again]
        for item in items:
            if isinstance(item, RaceItem):
                self._set_backstop(item)
        return list(items)

    # -- one item

    def next_s(self) -> float:
        """Seconds for the next visit."""
        return self.race_s if self._pace is None else self._pace.next()

    def run(self, item: RaceItem) -> None:
        """Run the item; RaceFailed if it is not as expected."""

        def tell(message: dict[str, Any]) -> None:
            news(item, message)

        tell({"begin": item.target.cell(self.visitor.plan.modes).to_json()})
        seconds = self.next_s()
        visit = self.visitor.visit(item.target, item.share, seconds, tell, self._limit_s)
        if visit.interrupted:
            raise KeyboardInterrupt
        if not visit.passed:
            failed = {"cell": visit.cell.to_json(), "known": visit.known, "stands": visit.stands}
            tell({"failed": failed})
            # The reporting process draws the panels: it has all that they need.
            raise RaceFailed(verdict(visit.cell))

    # -- pytest-timeout, the backstop

    def _set_backstop(self, item: RaceItem) -> None:
        """Give the item a limit of its own, later than our deadline, unless the user has set one."""
        if self._limit_asked or not self.config.pluginmanager.hasplugin("timeout"):
            return
        seconds = self.race_s if self._pace is None else 4 * self._pace.visit_s
        # A limit in the ini file is meant for tests: it never cuts a longer budget short.
        limit = max(deadline_s(item.share, seconds) + _AFTER_DEADLINE_S, self._limit_s or 0.0)
        item.add_marker(pytest.mark.timeout(limit, method="thread"))


def news(item: pytest.Item, message: dict[str, Any]) -> None:
    """Send ``message`` to the reporting process now, so that it survives this process.

    It travels as a report of the item, because pytest and xdist carry reports, and as text,
    because xdist carries only plain values.
    """
    report = pytest.TestReport(
        item.nodeid, item.location, {}, "passed", None, "race",  # type: ignore[arg-type]
        user_properties=[("race", json.dumps(message))],
    )  # fmt: skip
    item.ihook.pytest_runtest_logreport(report=report)


# -- race tests


_ROUND = pytest.StashKey[tuple[str, Share]]()
_SHOWN = pytest.StashKey[set[tuple[str, str]]]()


def _soaks(item: pytest.Item) -> bool:
    """Whether ``item`` is a race test that differs from round to round; a proof does not."""
    mode = getattr(getattr(item, "function", None), "racebench_mode", "verify")
    return isinstance(item, pytest.Function) and mode != "verify"


def _again(tests: Sequence[pytest.Item], share: Share) -> Iterator[pytest.Item]:
    """The same race tests once more, collected by pytest itself, with ids of their own."""
    stash = tests[0].config.stash if tests else pytest.Stash()
    for parent in dict.fromkeys(test.parent for test in tests):
        assert isinstance(parent, pytest.Collector)
        wanted = {test.name: test.nodeid for test in tests if test.parent is parent}
        names = [item.name for item in parent.collect()]
        stash[ROUND] = share
        try:
            # A round is a parameter with one value: there are as many items as before, in the same order.
            items = list(parent.collect())
        finally:
            del stash[ROUND]
        for name, item in zip(names, items, strict=True):
            if name in wanted and isinstance(item, pytest.Item) and item.name != name:
                item.stash[_ROUND] = wanted[name], share
                yield item


def running(item: pytest.Item) -> Running:
    """The context of a race test that runs as ``item``."""
    from . import visits

    def tell(message: dict[str, Any]) -> None:
        news(item, message)

    if item.config.getoption("race_replay"):
        from . import race_replay

        return Running(item.nodeid, tell, replayed=partial(race_replay.replay, item))
    nodeid, share = item.stash.get(_ROUND, (item.nodeid, None))
    # The first round takes the test's own time; the later rounds are shorter or longer for it.
    seconds = visits(item.config).next_s() if _soaks(item) else 0.0
    shown = item.config.stash.setdefault(_SHOWN, set())
    if share is None:
        return Running(nodeid, tell, shown=shown)
    return Running(nodeid, tell, share.seed(item.config.getoption("race_seed")), seconds, shown=shown)


def _timeout_limit(config: pytest.Config) -> tuple[float | None, bool]:
    """The user's limit for pytest-timeout in seconds, or None, and whether it was given for this run.

    It comes from the command line, the environment or the ini file.
    """
    if not config.pluginmanager.hasplugin("timeout"):
        return None, False
    for value in (config.getoption("timeout", None), os.environ.get("PYTEST_TIMEOUT")):
        if value is not None:
            return float(value) or None, True
    ini = config.getini("timeout")
    return float(ini) if ini else None, False
