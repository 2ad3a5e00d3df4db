"""The pytest plugin: options, collection, and who does the rest.

pytest loads this in every run, so it imports the rest of RaceBench only when
there is a scenario to collect (``pytest_items``) or something was told
(``pytest_merge``).  Under xdist, workers have items, and the controller merges
and minds the workers (``pytest_workers``); without it, one process is both.
"""

from __future__ import annotations

import ast
import re
import sys
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .items import Visits
    from .merging import Controller
    from .workers import Workers

RACE_S = 2.0
_VISITS = pytest.StashKey["Visits"]()
_LARGEST = 1 << 20
# A scenario says one of these at the start of a line; other files of these kinds do not.
_TOML = re.compile(r"^(schema\s*=|\[(threads|expect)\])", re.MULTILINE)
_PYTHON = (re.compile(r"^def variants\b", re.MULTILINE), re.compile(r"^(?:\w+, *)*EXPECT\b.*=", re.MULTILINE))


def _duration(text: str) -> float:
    from ..commands.arguments import duration

    return duration(text)


def _natural(text: str) -> int:
    from ..commands.arguments import natural

    return natural(text)


def _positive(text: str) -> int:
    from ..commands.arguments import positive

    return positive(text)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("racebench", "race scenarios")
    add = group.addoption
    add("--race-time", type=_duration, default=RACE_S, metavar="T", help="stress per item (default: 2s)")
    add("--race-seed", type=_natural, default=0, metavar="N", help="of noise and search (default: 0)")
    add(
        "--race-shards",
        type=_positive,
        default=1,
        metavar="N",
        help="each cell as N items, seeds of their own",
    )
    add("--race-out", metavar="DIR", help="store what is found in DIR, for racebench explain and replay")
    add("--soak", type=_duration, metavar="T", help="rounds over all items until the time is up")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "race: an item of a RaceBench scenario")
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Reporting(config), "racebench-reporting")
    config.pluginmanager.register(Forgetting(config), "racebench-forgetting")


def visits(config: pytest.Config) -> Visits:
    """What runs items, in the process that has them."""
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
    """A scenario file is collected once, as a scenario; a test file stays pytest's."""
    found = yield
    given = parent.session.isinitpath(file_path)
    modules = [c for c in found if isinstance(c, pytest.Module)]
    if (modules and not given) or not is_scenario(file_path, given):
        return found
    from .items import ScenarioFile

    others = [c for c in found if c not in modules]
    return [*others, ScenarioFile.from_parent(parent, path=file_path)]


def is_scenario(path: Path, given: bool = False) -> bool:
    """Whether ``path`` looks like a scenario file; runs nothing.  ``given``: it was named itself."""
    if path.suffix not in (".toml", ".py") or path.name.startswith(("_", ".", "test_")):
        return False
    if path.suffix == ".toml" and given:
        return True
    try:
        if path.stat().st_size > _LARGEST:
            return False
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    if path.suffix == ".toml":
        return _TOML.search(text) is not None
    return all(pattern.search(text) for pattern in _PYTHON) and _defines_scenario(text)


def _defines_scenario(text: str) -> bool:
    """Whether what looks like a scenario is no mere text; what cannot be parsed is said when it is loaded."""
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return True
    return any(isinstance(s, ast.FunctionDef) and s.name == "variants" for s in body)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """After -k and -m: what is left is repeated for as long as the soak lasts."""
    soaks_tests = config.getoption("soak") is not None and "racebench.pytest_plugin.race_test" in sys.modules
    if _VISITS in config.stash or soaks_tests:
        items[:] = visits(config).in_rounds(items)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """What a race test finds is news, as that of a scenario is."""
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


# -- what items tell


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report: Any) -> tuple[str, str, str] | None:
    """News of an item that goes on: no test of its own."""
    return ("", "", "") if report.when == "race" else None


def _far_errors() -> tuple[type[Exception], ...]:
    """What a machine gives rise to that is not there, or not as it should be."""
    execnet: Any = sys.modules.get("execnet")
    own = () if execnet is None else (execnet.HostNotFound, execnet.RemoteError)
    return (OSError, EOFError, *own)


class Reporting:
    """The hooks of the process that reports: xdist's controller, or the only one."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.started = time.monotonic()
        self._merging: Controller | None = None
        self._workers: Workers | None = None
        if config.getoption("race_out") and not config.getoption("collectonly"):
            # Open the folder now: a run that cannot be stored is refused before it begins.
            self.merging()

    def merging(self) -> Controller:
        if self._merging is None:
            from .merging import Controller

            self._merging = Controller(self.config)
        return self._merging

    @pytest.hookimpl(wrapper=True)
    def pytest_sessionstart(self) -> Generator[None, None, None]:
        """A machine that is not there when a soak begins is the user's to mend."""
        try:
            return (yield)
        except Exception as error:
            machines = self.config.getoption("tx", None)
            if not machines or not self._asked() or not isinstance(error, _far_errors()):
                raise
            # Those that are there: execnet ends them when Python exits, which 3.12 no longer lets it do.
            manager = getattr(self.config.pluginmanager.getplugin("dsession"), "nodemanager", None)
            if manager is not None:
                manager.teardown_nodes()
            # What a far machine raised is told as a traceback, the error last.
            what = (str(error).strip() or type(error).__name__).splitlines()[-1]
            one = "one of " if len(machines) > 1 else ""
            raise pytest.UsageError(
                f"--tx: {one}{', '.join(map(str, machines))} cannot be used: {what}. "
                "See whether its ssh, python and chdir work by hand."
            ) from error

    def _asked(self) -> bool:
        """Whether this run is meant for race items."""
        return self.config.getoption("soak") is not None or bool(self.config.getoption("race_out"))

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        if _VISITS in self.config.stash and not self.config.getoption("collectonly"):
            self.merging().planned([item.nodeid for item in session.items])

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: Sequence[str]) -> None:
        if any(".toml::" in i or ".py::" in i for i in ids) and self.merging().planned(ids):
            self._mind_workers()
        if self._workers is not None:
            self._workers.ready(node)

    def _mind_workers(self) -> None:
        """From the first sign of a race item on; in other runs workers are xdist's own affair."""
        if self._workers is None:
            from .workers import Workers

            xdist = self.config.pluginmanager.getplugin("dsession")
            if Workers.can_mind(xdist):
                self._workers = Workers(xdist, self.left_s, time.monotonic)

    def left_s(self) -> float | None:
        """What is left of the soak; None if this is not one."""
        soak_s: float | None = self.config.getoption("soak")
        return None if soak_s is None else max(0.0, soak_s - (time.monotonic() - self.started))

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """A worker that replaces another has only the rest of the soak's time."""
        left_s = self.left_s()
        if left_s is not None:
            node.workerinput["race_left_s"] = left_s

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        node = getattr(report, "node", None)
        if str(report.when) == "race":
            if node is not None:
                self._mind_workers()
            for message in self.merging().heard(report):
                if self._workers is not None and "begin" in message:
                    self._workers.begun(node, report.nodeid, message.get("limit_s"))
        elif report.failed and self._merging is not None:
            self._merging.shown(report)
        if self._workers is not None and report.when == "teardown":
            self._workers.over(node)

    @pytest.hookimpl(optionalhook=True)
    def pytest_handlecrashitem(self, crashitem: str, report: pytest.TestReport) -> None:
        if self._merging is not None:
            silent = self._workers is not None and crashitem in self._workers.silent
            self._merging.crashed(crashitem, report, silent)

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if self._workers is not None:
            self._workers.stop()
        if self._merging is not None and self._merging.finish(exitstatus):
            session.exitstatus = pytest.ExitCode.INTERNAL_ERROR

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self._merging is not None:
            self._merging.summary(terminalreporter)


class Forgetting:
    """Keeps a soak's reports from piling up: pytest's terminal keeps every one to the end.

    News is of no use once it is told, and in a worker of xdist, where there is
    no terminal, no report is.
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
