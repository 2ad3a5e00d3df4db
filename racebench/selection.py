"""Which scenarios and protocols a command line means."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import vgic
from .errors import ScenarioError, UsageError
from .scenario import Scenario, load_scenario, run_file

DEFAULT_TAG = "@thread"


def bundled_root() -> Path:
    """The folder of the bundled scenarios: in a checkout, or inside the wheel."""
    here = Path(__file__).resolve().parent
    inside = here / "_scenarios"
    return inside if inside.is_dir() else here.parent / "scenarios"


def scenario_files(folder: Path) -> list[Path]:
    """Every scenario file below ``folder``, sorted."""
    return sorted(
        p for p in folder.rglob("*") if p.suffix in (".toml", ".py") and not p.name.startswith(("_", "."))
    )


def bundled() -> list[Scenario]:
    return [load_scenario(path) for path in scenario_files(bundled_root())]


def select(names: Sequence[str]) -> list[Scenario]:
    """The scenarios that ``names`` mean, each once, in order.

    A name is a bundled scenario's, ``@tag``, a file or a folder; none at all
    means ``@thread``.  UsageError if one means nothing.
    """
    chosen: dict[Path, Scenario] = {}
    for name in names or (DEFAULT_TAG,):
        for scenario in _meant(name):
            chosen.setdefault(scenario.path.resolve(), scenario)
    return list(chosen.values())


def _meant(name: str) -> list[Scenario]:
    path = Path(name)
    if path.suffix in (".toml", ".py"):
        return [load_scenario(path)]
    if name.startswith("@"):
        every = bundled()
        found = [s for s in every if name[1:] in s.tags]
        if not found:
            tags = sorted({tag for s in every for tag in s.tags})
            raise UsageError(f"no scenario has the tag {name!r}. Known: @{', @'.join(tags)}.")
        return found
    wanted = name.replace("-", "_")
    files = scenario_files(bundled_root())
    found = [load_scenario(file) for file in files if file.stem == wanted]
    if found:
        return found
    if path.is_dir():
        found = [load_scenario(file) for file in scenario_files(path)]
        if not found:
            raise UsageError(f"{name}: no scenario file below this folder. Name another one.")
        return found
    close = difflib.get_close_matches(wanted, [f.stem for f in files], 1)
    hint = f"Did you mean {close[0]}?" if close else "See `racebench list scenarios`."
    raise UsageError(f"unknown scenario {name!r}. {hint}")


def load_protocol(spec: str) -> tuple[str, Any]:
    """The id and class that ``spec`` means: a bundled id, or ``path/to/file.py:Name``.

    The file is run.  ScenarioError or UsageError says what to mend.
    """
    file, colon, name = spec.rpartition(":")
    if not colon:
        if spec.endswith(".py"):
            raise UsageError(f"protocol {spec!r}: which class? Write {spec}:Name.")
        code = vgic.protocol(spec)
        return code.ID, code
    path = Path(file)
    if not path.is_file():
        raise ScenarioError(file, "", "no such file", "Give path/to/file.py:Name.")
    names = run_file(path)
    code = names.get(name)
    if not isinstance(code, type) or not issubclass(code, vgic.Protocol):
        known = [n for n, v in names.items() if isinstance(v, type) and issubclass(v, vgic.Protocol)]
        hint = f"Protocols there: {', '.join(known)}." if known else "Derive it from racebench.vgic.Baseline."
        raise ScenarioError(file, name, "not a Protocol class in this file", hint)
    code._rb_spec = spec  # type: ignore[attr-defined]
    return name, code
