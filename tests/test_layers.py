"""Who may import whom (the layer table), and what stands at the top level."""

from __future__ import annotations

import ast
import graphlib
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "racebench"

WORDS = {"errors", "trace", "findings", "program", "primitives", "records", "values", "bounds"}
ENGINE = {
    "engine",
    "engine.real",
    "engine.control",
    "engine.free",
    "engine.search",
    "engine.explain",
    "engine.strategies",
}

# One row a layer: what it may import besides itself.  Imports inside functions
# and for type checking count as any other.
MAY_IMPORT = {
    "words": set(),
    "vgic": {"words"},
    "detect": {"words"},
    "report": {"words"},
    "engine": {"words", *ENGINE},
    "scenario": {"words", "vgic", "detect", "report", "engine"},
    "campaign": {"words", "vgic", "detect", "report", "engine", "scenario"},
    "commands": {"words", "vgic", "detect", "report", "engine", "scenario", "campaign"},
    "pytest_plugin": {"words", "vgic", "detect", "report", "engine", "scenario", "campaign"},
    "front": {"words", "campaign", "commands", "pytest_plugin"},
}
WITHIN_ENGINE = {
    "engine.strategies": {"engine"},
    "engine": set(),
    "engine.real": {"engine"},
    "engine.control": {"engine", "engine.real"},
    "engine.free": {"engine", "engine.real"},
    "engine.search": {"engine", "engine.control", "engine.free", "engine.strategies"},
    "engine.explain": {"engine", "engine.control", "engine.free", "engine.search", "engine.strategies"},
}
FRONT = {"__init__", "__main__", "cli"}
MAY_USE_RICH = {"report", "commands"}


def _module(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {_module(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def _layer(module: str) -> str:
    first = (module.split(".") + ["__init__"])[1]
    return "words" if first in WORDS else "front" if first in FRONT else first


def _room(module: str) -> str:
    """Which part of the engine a module stands in."""
    parts = module.split(".")[1:]
    return ".".join(parts[:2]) if ".".join(parts[:2]) in ENGINE else parts[0]


@cache
def _imports(module: str) -> list[str]:
    """The dotted name of each thing that ``module`` imports, wherever in the file."""
    path = SOURCES[module]
    here = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else []
            full = ".".join([*base, *(node.module.split(".") if node.module else [])])
            found += [f"{full}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
    return found


def _ours(module: str) -> Iterator[str]:
    for name in _imports(module):
        while name and name not in SOURCES:
            name = name.rpartition(".")[0]
        if name:
            yield name


def _wrong(module: str) -> Iterator[str]:
    """What ``module`` imports that it must not."""
    layer = _layer(module)
    if layer not in MAY_IMPORT:
        yield f"{module} is in no layer"
        return
    for target in _ours(module):
        inside = layer == "engine" == _layer(target)
        rooms = {_room(module), *WITHIN_ENGINE[_room(module)]} if inside else set()
        if _layer(target) not in {layer, *MAY_IMPORT[layer]} or (inside and _room(target) not in rooms):
            yield f"{module} imports {target}"
    barred = {"faulthandler"} if layer in MAY_USE_RICH else {"faulthandler", "rich"}
    yield from (f"{module} uses {name}" for name in barred & {n.partition(".")[0] for n in _imports(module)})


def test_a_module_imports_only_what_its_layer_may() -> None:
    wrong = [fault for module in SOURCES for fault in _wrong(module)]
    assert not wrong, "\n".join(wrong)


def test_no_module_imports_itself_through_others() -> None:
    """A package's own modules may import its face: the face is not counted for them."""
    graph = {m: {t for t in _ours(m) if not f"{m}.".startswith(f"{t}.")} for m in SOURCES}
    tuple(graphlib.TopologicalSorter(graph).static_order())


def test_the_words_are_few() -> None:
    assert len(WORDS) <= 8


def test_the_wheel_has_every_package() -> None:
    with (PACKAGE.parent / "pyproject.toml").open("rb") as file:
        listed = tomllib.load(file)["tool"]["setuptools"]["packages"]
    packages = {".".join(path.parent.relative_to(PACKAGE.parent).parts) for path in PACKAGE.rglob("*.py")}
    assert {*listed} == packages | {"racebench._scenarios"}


def test_the_top_level_is_exact() -> None:
    root = PACKAGE.parent
    known = {"pyproject.toml", "README.md", "racebench", "scenarios", "tests", "reports"}
    made = {"build", "dist"}
    there = {p.name for p in root.iterdir() if not p.name.startswith(".")}
    assert {n for n in there - known - made if not re.fullmatch(r".*\.egg-info", n)} == set()
