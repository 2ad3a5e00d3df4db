"""Find the scenarios and protocols that a command line names."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from glob import escape
from pathlib import Path
from typing import NamedTuple

from .. import vgic
from ..errors import ScenarioError, UsageError, closest, meant
from ..findings import Finding
from ..program import Program
from ..records import Cell, FindingRecord
from .scenario import SUFFIXES, Scenario, load_scenario
from .userfile import read_text, run_file

DEFAULT_TAG = "@thread"


class Choice(NamedTuple):
    """A protocol that was asked for: its public id, the spec that finds it again, its class.

    For a variant of a Python scenario, ``code`` is the variant's name.
    """

    id: str
    spec: str
    code: str | type[vgic.Protocol]


class Target(NamedTuple):
    """What a cell runs: a scenario under a protocol, or one variant of a Python scenario."""

    scenario: Scenario
    choice: Choice

    @property
    def name(self) -> tuple[str, str]:
        return self.scenario.name, self.choice.id

    def program(self) -> Program:
        return self.scenario.program(self.choice.code)

    def cell(self, modes: Collection[str]) -> Cell:
        """A cell without results; only a proof is its answer if ``modes`` include verify."""
        scenario, protocol = self.scenario, self.choice.id
        return Cell(
            *self.name,
            tuple(sorted(scenario.expected(protocol))),
            tuple(sorted(scenario.allowed(protocol))),
            settles=tuple(scenario.settles),
            hammered=scenario.mix is not None,
            # Threads that draw their operations differ from run to run, so nothing about them can be proved.
            proof="verify" in modes and scenario.mix is None,
            title=scenario.title,
            tags=tuple(scenario.tags),
            phrase=self._phrase(),
        )

    def _phrase(self) -> str:
        """The beginning of a sentence about the protocol; derived classes do not inherit it."""
        code = self.choice.code
        if isinstance(code, str):
            if self.scenario.variants:
                return ""
            code = vgic.protocol(code)
        return str(vars(code).get("PHRASE", ""))

    def record(self, finding: Finding, mode: str, threads: Iterable[str]) -> FindingRecord:
        """The stored form of ``finding``, with what a replay elsewhere needs."""
        scenario, choice = self.scenario, self.choice
        callers = scenario.callers(choice.code, finding)
        if callers:
            finding = replace(finding, evidence={**finding.evidence, "callers": callers})
        replay_args: list[str] = []
        if not scenario.text and not is_bundled(scenario.path):
            replay_args += ["--scenario", str(scenario.path)]
        if choice.spec != choice.id:
            replay_args += ["--protocol", choice.spec]
        return FindingRecord(
            finding,
            *self.name,
            tuple(threads),
            {mode: finding.count},
            stored_name(scenario.path),
            scenario.text,
            tuple(replay_args),
        )


def bundled_root() -> Path:
    """The folder of the bundled scenarios: in a checkout, or inside the wheel."""
    here = Path(__file__).resolve().parents[1]
    inside = here / "_scenarios"
    return inside if inside.is_dir() else here.parent / "scenarios"


def is_bundled(path: Path) -> bool:
    """Whether ``path`` is one of the scenarios that came with RaceBench."""
    return path.resolve().is_relative_to(bundled_root())


def stored_name(path: Path) -> str:
    """The name of the file ``path`` in a stored result, so that it means the same on another machine.

    It is relative to the folder of bundled scenarios, or to the current folder, if
    ``path`` is below one of them.
    """
    path = path.resolve()
    for folder in (bundled_root(), Path.cwd()):
        if path.is_relative_to(folder):
            return path.relative_to(folder).as_posix()
    return str(path)


def stored_file(name: str) -> Path:
    """The file that has this ``stored_name``; a bundled one comes first."""
    bundled_path = bundled_root() / name
    return bundled_path if is_bundled(bundled_path) and bundled_path.is_file() else Path(name)


def scenario_files(folder: Path, stem: str = "*") -> list[Path]:
    """Every scenario file below ``folder`` whose stem matches the pattern ``stem``, sorted."""
    return sorted(
        p for p in folder.rglob(f"{stem}.*") if p.suffix in SUFFIXES and not p.name.startswith(("_", "."))
    )


def bundled(words: Collection[str] = ()) -> list[Scenario]:
    """The bundled scenarios; with ``words`` (operations), only those whose files contain one of them.

    The tests check them, so a command need not do it again.
    """
    files = scenario_files(bundled_root())
    if words:
        word = re.compile(rf"\b(?:{'|'.join(map(re.escape, words))})\b")
        # Python scenarios have code in place of operations.
        files = [file for file in files if file.suffix == ".toml" and word.search(read_text(file))]
    return [load_scenario(path, checked=True) for path in files]


def select(names: Sequence[str]) -> list[Scenario]:
    """The scenarios that ``names`` mean, each once, in order.

    A name is a bundled scenario's, ``@tag``, a file or a folder; no name at all
    means ``@thread``.  Results are stored by name, so the second of two scenarios with
    one name gets its folder before it: ``pairs/route_vs_route``.  UsageError if a name
    means nothing, or if two files still have the same name.
    """
    chosen: dict[Path, Scenario] = {}
    for name in names or (DEFAULT_TAG,):
        for scenario in _meant(name):
            chosen.setdefault(scenario.path.resolve(), scenario)
    by_name: dict[str, Scenario] = {}
    for scenario in chosen.values():
        apart(scenario, by_name)
    return list(by_name.values())


def apart(scenario: Scenario, known: dict[str, Scenario]) -> Scenario:
    """Add ``scenario`` to those ``known`` by name; with its folder before its name if another file has that.

    UsageError if the folders have the same name too.
    """
    if known.get(scenario.name, scenario).path != scenario.path:
        scenario = scenario._replace(name=with_folder(scenario.path))
    other = known.setdefault(scenario.name, scenario)
    if other.path != scenario.path:
        what = f"{other.path} and {scenario.path} have the same name"
        raise UsageError(f"{what}. Rename one, or run them apart.")
    return scenario


def bundled_file(name: str, files: Collection[Path] | None = None) -> Path | None:
    """The bundled scenario that ``name`` means: a stem, or folder/stem; None if there is none.

    If two have the same stem, it means the one about the claims; the other is folder/stem.
    ``files`` are all bundled files, for a caller that looks up many names.
    """
    wanted = name.replace("-", "_")
    stem = wanted.rpartition("/")[2]
    if files is None:
        files = scenario_files(bundled_root(), escape(stem))
    # Resolving a path is slow, so compare the stems first.
    named = [f for f in files if f.stem == stem and wanted in (stem, with_folder(f))]
    return min(named, key=lambda f: (f.parent.name != DEFAULT_TAG[1:], f), default=None)


def name_of(path: Path, files: Collection[Path] | None = None) -> str:
    """The name of the scenario in ``path`` in results: its stem.

    If that stem means another bundled scenario, it is folder/stem.  ``files`` as for ``bundled_file``.
    """
    path = _original(path.resolve())
    taken = is_bundled(path) and bundled_file(path.stem, files) != path
    return with_folder(path) if taken else path.stem


def _original(path: Path) -> Path:
    """The bundled scenario of which ``path`` is a copy; xdist copies a folder to another machine."""
    bundled_path = bundled_root() / path.parent.name / path.name
    try:
        if bundled_path.is_file() and bundled_path.read_bytes() == path.read_bytes():
            return bundled_path
    except OSError:
        pass
    return path


def with_folder(path: Path) -> str:
    """The name of a scenario that shares its stem with another one: ``pairs/route_vs_route``."""
    return f"{path.resolve().parent.name}/{path.stem}"


def _meant(name: str) -> list[Scenario]:
    if not name:
        # As a path, "" is the current folder, and nobody has asked to run its Python files.
        raise UsageError("'' names no scenario. Give a name, @tag, file or folder, or none at all.")
    path = Path(name)
    if path.suffix in SUFFIXES:
        return [load_scenario(path)]
    if name.startswith("@"):
        return _tagged(name[1:])
    named = bundled_file(name)
    if named is not None:
        return [load_scenario(named, checked=True)]
    if path.is_dir():
        found = [load_scenario(file) for file in scenario_files(path)]
        if not found:
            raise UsageError(f"{name}: no scenario file below this folder. Name another one.")
        return found
    stems = [file.stem for file in scenario_files(bundled_root())]
    hint = meant(name.replace("-", "_"), stems, "See `racebench list scenarios`.")
    raise UsageError(f"unknown scenario {name!r}. {hint}")


def _tagged(tag: str) -> list[Scenario]:
    every = bundled()
    found = [s for s in every if tag in s.tags]
    if not found:
        tags = sorted({tag for s in every for tag in s.tags})
        raise UsageError(f"no scenario has the tag {'@' + tag!r}. Known: @{', @'.join(tags)}.")
    return found


def load_protocol(spec: str) -> Choice:
    """Load ``spec``: a bundled id, or ``path/to/file.py:Name``, whose id is ``Name``.

    The file is run.  ScenarioError or UsageError says what to mend.
    """
    file, colon, name = spec.rpartition(":")
    if not colon:
        if spec.endswith(".py"):
            raise UsageError(f"protocol {spec!r}: which class? Write {spec}:Name.")
        code = vgic.protocol(spec)
        return Choice(code.ID, code.ID, code)
    names = run_file(Path(file))
    found = names.get(name)
    if not isinstance(found, type) or not issubclass(found, vgic.Protocol):
        known = [
            n
            for n, v in names.items()
            if isinstance(v, type) and issubclass(v, vgic.Protocol) and v.__module__ == names["__name__"]
        ]
        hint = f"Protocols there: {', '.join(known)}." if known else "Derive it from racebench.vgic.Baseline."
        what = "no such name in this file" if found is None else "not a Protocol class"
        raise ScenarioError(file, name or "protocol", what, hint)
    _check_overrides(file, found)
    return Choice(name, spec, found)


def _check_overrides(file: str, code: type[vgic.Protocol]) -> None:
    """ScenarioError if a function's name is nearly one that it could override: it would never be called."""
    for cls in code.__mro__:
        if cls.__module__.startswith("racebench."):
            break
        known = {name for base in cls.__mro__[1:] for name in vars(base) if not name.startswith("__")}
        for name, value in vars(cls).items():
            if not callable(value) or name.startswith("__") or name in known:
                continue
            close = closest(name, known, 0.85)
            if close and close not in vars(cls):
                what = "overrides nothing, so it is never called"
                raise ScenarioError(file, f"{cls.__name__}.{name}", what, f"Did you mean {close}?")


def choices(scenario: Scenario) -> list[Choice]:
    """The protocols, or variants, that ``scenario`` names itself."""
    return [Choice(name, name, name) for name in scenario.protocols()]
