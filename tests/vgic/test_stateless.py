"""The machine under test keeps all that changes in its states: what else it has is not looked at in a run."""

from __future__ import annotations

import importlib
import pkgutil
import types
from collections.abc import Iterator
from typing import Any

import pytest

import racebench as rb
import racebench.vgic
from racebench.scenario.selection import select


def everything() -> Iterator[tuple[str, Any]]:
    """What each module and class of the package has, and for a container what it holds."""
    for info in pkgutil.walk_packages(racebench.vgic.__path__, "racebench.vgic."):
        module = importlib.import_module(info.name)
        for name, value in vars(module).items():
            if not name.startswith("__"):
                yield from _of(f"{info.name}.{name}", value)
                if isinstance(value, type) and value.__module__ == info.name:
                    for attribute, one in vars(value).items():
                        if not attribute.startswith(("__", "_abc_")):
                            yield from _of(f"{value.__qualname__}.{attribute}", one)


def _of(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    yield name, value
    if isinstance(value, types.FunctionType):
        yield f"{name}'s attributes", dict(vars(value))
        yield f"{name}'s defaults", (value.__defaults__, value.__kwdefaults__)
    elif isinstance(value, (list, dict, set)):
        yield f"{name}'s items", type(value)(value)


@pytest.mark.usefixtures("as_found")
def test_a_run_changes_nothing_outside_the_states() -> None:
    programs = [
        scenario.program(name) for scenario in select(["@pairs"])[:6] for name in scenario.protocols()
    ]
    for program in programs:
        rb.verify(program, max_executions=1)
    before = dict(everything())
    for program in programs:
        rb.verify(program, max_executions=20)
    after = dict(everything())
    assert before.keys() == after.keys()
    assert [name for name in before if before[name] != after[name]] == []
    assert len(before) > 500
