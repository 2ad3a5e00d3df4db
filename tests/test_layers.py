"""Who may import whom (the layer table), and what stands at the top level."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "racebench"

WORDS = {"errors", "primitives", "program", "trace", "findings", "values"}
WINGS = {"vgic", "engine", "detect", "report"}
JOINS = {
    *(
        "scenario",
        "scenario_toml",
        "userfile",
        "selection",
        "catalogue",
        "claims",
        "bench",
        "modes",
        "ablate",
    ),
    *("campaign", "cell", "workers", "records", "store", "results", "resume", "stop"),
    *("worker", "scaling", "as_cell"),
    *("soak", "merge", "deadline", "fuzz", "rounds", "scenario_text", "bounds", "contradictions"),
}
THIN = {
    "cli",
    "arguments",
    "reading",
    "output",
    "pytest_plugin",
    "pytest_items",
    "pytest_merge",
    "pytest_workers",
    "__main__",
}

MAY_IMPORT = {
    **{word: WORDS for word in WORDS},
    **{wing: WORDS | {wing} for wing in WINGS},
    **{join: WORDS | WINGS | JOINS | {"__init__"} for join in JOINS},
    **{thin: WORDS | WINGS | JOINS | THIN | {"__init__", "testing"} for thin in THIN},
    "testing": WORDS | {"modes", "report", "as_cell"},
    "__init__": WORDS | {"modes", "testing"},
}
STDLIB_ONLY = WORDS | {"vgic", "engine", "detect"} | JOINS


def _sources() -> Iterator[tuple[str, Path]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE).parts[0].removesuffix(".py"), path


def _imports(path: Path) -> Iterator[tuple[int, str]]:
    """Each import of ``path``: (dots, module), names of ``from . import x`` joined in."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            if node.level and node.module is None:
                yield from ((node.level, alias.name) for alias in node.names)
            else:
                yield node.level, node.module or ""
        elif isinstance(node, ast.Import):
            yield from ((0, alias.name) for alias in node.names)


def _layer(path: Path, dots: int, module: str) -> str | None:
    """The part of racebench that an import means, None if it is not ours."""
    if not dots:
        head, _, rest = module.partition(".")
        return (rest.partition(".")[0] or "__init__") if head == "racebench" else None
    base = path.relative_to(PACKAGE).parts[: -dots or None][: len(path.relative_to(PACKAGE).parts) - dots]
    first = (*base, *module.split("."))[0]
    return first if (PACKAGE / first).is_dir() or (PACKAGE / f"{first}.py").exists() else "__init__"


@pytest.mark.parametrize(("layer", "path"), list(_sources()), ids=lambda v: str(v).split("racebench/")[-1])
def test_a_part_imports_only_what_its_layer_may(layer: str, path: Path) -> None:
    assert layer in MAY_IMPORT, f"{path} is in no layer: add it to the table"
    for dots, module in _imports(path):
        target = _layer(path, dots, module)
        if target is not None:
            assert target in MAY_IMPORT[layer], f"{layer} imports {target}"
        elif module.partition(".")[0] == "rich":
            assert layer not in STDLIB_ONLY, f"{layer} imports rich"


def test_faulthandler_is_not_used() -> None:
    for _, path in _sources():
        assert "faulthandler" not in {module for _, module in _imports(path)}


def test_the_top_level_is_exact() -> None:
    root = PACKAGE.parent
    known = {"pyproject.toml", "README.md", "racebench", "scenarios", "tests", "reports"}
    made = {"build", "dist"}
    there = {p.name for p in root.iterdir() if not p.name.startswith(".")}
    assert {n for n in there - known - made if not re.fullmatch(r".*\.egg-info", n)} == set()
