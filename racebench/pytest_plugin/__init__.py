"""The pytest plugin: options, collection, and hooks that hand over to the other modules.

pytest loads this in every run, so it imports the rest of RaceBench only when
there is a scenario to collect (``items``) or a message to handle (``controller``).
Under xdist the workers run the items and the controller merges; without xdist one
process does both.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
import time
import tomllib
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ..campaign.quantities import duration, natural, positive

if TYPE_CHECKING:
    from ..campaign.share import Share
    from .controller import Controller
    from .items import Visits

_VISITS = pytest.StashKey["Visits"]()
ROUND: pytest.StashKey[Share] = pytest.StashKey()
"""The round of a soak for which tests are being collected again."""
_LARGEST = 1 << 20
_OPERATIONS = ("threads", "hammer")
_LEFT_OUT = ("_", ".", "test_")
# Patterns that mark a TOML file with a syntax error as a scenario; in Python both start a line.
_TOML = (
    re.compile(r"^\s*schema\s*=\s*1\s*(#|$)", re.MULTILINE),
    re.compile(r"^\s*\[\s*(threads|hammer)\s*[].]", re.MULTILINE),
)
_PYTHON = (re.compile(r"^def variants\b", re.MULTILINE), re.compile(r"^(?:\w+, *)*EXPECT\b.*=", re.MULTILINE))


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("racebench", "race scenarios")
    add = group.addoption
    add("--race-time", type=duration, metavar="T", help="stress per item (default: 2s)")
    add("--race-seed", type=natural, default=0, metavar="N", help="of noise and search (default: 0)")
    add(
        "--race-shards",
        type=positive,
        default=1,
        metavar="N",
        help="each cell as N items with seeds of their own",
    )
    add("--race-out", metavar="DIR", help="store what is found in DIR, for racebench explain and replay")
    add("--soak", type=duration, metavar="T", help="rounds over all items until the time is up")
    add("--race-replay", metavar="FINDING", help="run the schedule of a stored finding, and nothing else")
    parser.addini("race_time", "default of --race-time", default="2s")
    parser.addini("race_out", "default of --race-out", default="")
    parser.addini("race_protocols", "the protocols whose cells are collected (default: all)", "args", [])
    parser.addini("race_paths", "files and folders of race scenarios, collected unasked", "paths", [])


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "race: an item of a RaceBench scenario")
    _take_defaults(config)
    if config.getoption("race_replay"):
        from . import race_replay

        race_replay.configure(config)
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Reporting(config), "racebench-reporting")
    config.pluginmanager.register(Forgetting(config), "racebench-forgetting")


def _take_defaults(config: pytest.Config) -> None:
    """Use the ini file for options that the command line does not give."""
    if config.getoption("race_time") is None:
        try:
            config.option.race_time = duration(config.getini("race_time"))
        except argparse.ArgumentTypeError as error:
            raise pytest.UsageError(f"race_time: {error}") from error
    config.option.race_out = config.getoption("race_out") or config.getini("race_out") or None


def visits(config: pytest.Config) -> Visits:
    """The object that runs the items of this process."""
    found = config.stash.get(_VISITS, None)
    if found is None:
        from .items import Visits

        found = config.stash[_VISITS] = Visits(config)
    return found


# -- collection


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(
    file_path: Path, parent: pytest.Collector
) -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
    """Collect a scenario file once, as a scenario; a test file stays pytest's."""
    found = yield
    modules = [c for c in found if isinstance(c, pytest.Module)]
    if modules and not parent.session.isinitpath(file_path):
        return found
    if not _is_asked_for(file_path, parent.session) or not is_scenario(file_path):
        return found
    from .items import ScenarioFile

    others = [c for c in found if c not in modules]
    return [*others, ScenarioFile.from_parent(parent, path=file_path)]


def _is_asked_for(path: Path, session: pytest.Session) -> bool:
    """Whether ``path``, or a folder that it is in, is named on the command line or in ``race_paths``."""
    if any(path.is_relative_to(place) for place in session.config.getini("race_paths")):
        return True
    return _are_named(session.config) and any(session.isinitpath(p) for p in (path, *path.parents))


def _are_named(config: pytest.Config) -> bool:
    """Whether the session's paths come from the command line, and not from pytest's defaults.

    Only the controller of xdist knows: a worker gets both kinds on its command line.
    """
    given: dict[str, Any] = getattr(config, "workerinput", {})
    return bool(given.get("race_named", config.getoption("file_or_dir")))


def is_scenario(path: Path) -> bool:
    """Whether ``path`` looks like a scenario file; runs nothing."""
    if path.suffix not in (".toml", ".py") or path.name.startswith(_LEFT_OUT):
        return False
    try:
        if path.stat().st_size > _LARGEST:
            return False
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    if path.suffix == ".toml":
        return _says_scenario(text)
    return all(pattern.search(text) for pattern in _PYTHON) and _defines_scenario(text)


def _says_scenario(text: str) -> bool:
    """Whether the TOML has our schema and threads; syntax errors are reported when it is loaded."""
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return all(pattern.search(text) for pattern in _TOML)
    schema = table.get("schema")
    return schema == 1 and type(schema) is int and any(isinstance(table.get(k), dict) for k in _OPERATIONS)


def _defines_scenario(text: str) -> bool:
    """Whether the Python defines ``variants``; syntax errors are reported when it is loaded."""
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return True
    return any(isinstance(s, ast.FunctionDef) and s.name == "variants" for s in body)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """After -k and -m: repeat the items that are left for as long as the soak lasts."""
    if config.getoption("race_replay"):
        from . import race_replay

        race_replay.select(config, items)
        return
    soaks_tests = config.getoption("soak") is not None and "racebench.pytest_plugin.race_test" in sys.modules
    if _VISITS in config.stash or soaks_tests:
        items[:] = visits(config).in_rounds(items)


@pytest.hookimpl(trylast=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """In later rounds of a soak, collect a race test again, with the round in its name."""
    share = metafunc.config.stash.get(ROUND, None)
    if share is not None and getattr(metafunc.function, "racebench_mode", "verify") != "verify":
        metafunc.fixturenames.append("race_round")
        metafunc.parametrize("race_round", [share], ids=[str(share).strip("[]")])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Let a race test report its findings as scenario items do."""
    __tracebackhide__ = True
    testing: Any = sys.modules.get("racebench.pytest_plugin.race_test")
    if testing is None:
        return (yield)
    from .items import running

    testing.running = running(item)
    try:
        return (yield)
    finally:
        testing.running = None


# -- messages of items


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report: Any) -> tuple[str, str, str] | None:
    """A message of an item that is still running is not the result of a test."""
    return ("", "", "") if report.when == "race" else None


class Reporting:
    """The hooks of the process that reports: xdist's controller, or the only one."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.started = time.monotonic()
        self._controller: Controller | None = None
        if config.getoption("race_out") and not config.getoption("collectonly"):
            # Open the folder now, so that a run that cannot be stored is refused before it begins.
            self.controller()

    def controller(self) -> Controller:
        if self._controller is None:
            from .controller import Controller

            self._controller = Controller(self.config)
            self.config.pluginmanager.register(self._controller, "racebench-controller")
        return self._controller

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        if _VISITS in self.config.stash and not self.config.getoption("collectonly"):
            self.controller().planned([item.nodeid for item in session.items])

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        if any(".toml::" in i or ".py::" in i for i in ids):
            self.controller().planned(ids)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Send a worker what it cannot know; a replacement worker gets only the rest of the soak's time."""
        node.workerinput["race_named"] = _are_named(self.config)
        soak_s: float | None = self.config.getoption("soak")
        if soak_s is not None:
            node.workerinput["race_left_s"] = max(0.0, soak_s - (time.monotonic() - self.started))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if str(report.when) == "race":
            self.controller().heard(report)


class Forgetting:
    """Keeps reports of a soak from piling up: pytest's terminal reporter keeps every report to the end.

    A message is of no use once it is handled; in a worker of xdist, which has no
    terminal, no report is.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self._worker = hasattr(config, "workerinput")

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if str(report.when) == "race" or (self._worker and _VISITS in self.config.stash):
            terminal = self.config.pluginmanager.getplugin("terminalreporter")
            for kept in getattr(terminal, "stats", {}).values():
                if kept and kept[-1] is report:
                    kept.pop()
