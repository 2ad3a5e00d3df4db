"""What a clean cell did not do: operations that never succeed, code and locks that made no difference.

What operations return is counted by all who run the cell (``Cell.vacuous``).  Here is what
takes executions of its own: a few, of a cell that is done and clean.  So a sentence about
the code of a protocol says how many they were, and no verdict hangs on it.
"""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import product
from types import FunctionType
from typing import Any

from .. import engine, vgic
from ..engine.explain.removal import Watch, watched
from ..errors import RaceBenchError
from ..findings import Alarm
from ..records import Cell, Counts
from ..scenario.lineage import Lineage, lineage_of
from ..scenario.scenario import Scenario
from ..scenario.selection import Choice, Target, bundled, name_of
from ..trace import Execution, Kind
from ..vgic.bench import CODE, HARDWARE
from ..vgic.drawing import STATES
from .budget import FEW_TRIES

_TAKES = {Kind.ACQUIRE, Kind.TRY_ACQUIRE}


def calls(scenario: Scenario) -> dict[str, str]:
    """The function of Xen that each operation of ``scenario`` calls."""
    names = {op.name for ops in scenario.threads.values() for op in ops}
    return {name: function_of(name) for name in sorted(names)}


def function_of(operation: str) -> str:
    """The function that ``operation``, by its word, calls; what hardware does calls none of Xen's."""
    if operation in HARDWARE:
        return operation
    names = CODE[operation].__code__.co_names
    return next((name for name in names if hasattr(vgic.Protocol, name)), operation)


def word_of(operation: str) -> str:
    """The word of ``toolstack: release virq=40``."""
    return operation.partition(": ")[2].partition(" ")[0]


def noted(target: Target, cell: Cell) -> Cell:
    """``cell``, which is done, with what only executions of its own can tell."""
    if cell.found or not cell.answered or target.scenario.initial is None or target.scenario.mix is not None:
        return cell
    try:
        cell = replace(cell, unused=tuple(_unused(target)))
        failing = [word_of(operation) for operation in cell.failing]
        return replace(cell, instead=instead(target.choice, failing, target.scenario))
    except RaceBenchError:
        # Not worth an error: what there is to say of the cell has been said.
        return cell


def never(returned: Counts) -> list[str]:
    """The words of operations that never succeeded."""
    words: dict[str, list[str]] = defaultdict(list)
    for operation, codes in returned.items():
        words[word_of(operation)] += codes
    return sorted(word for word, codes in words.items() if all(code[:1] == "-" for code in codes))


# -- where it would succeed


def instead(choice: Choice, failing: Sequence[str], scenario: Scenario | None = None) -> str:
    """A command that runs operations called ``failing`` where one of them succeeds; "" if none is known.

    A bundled scenario that is most like ``scenario``, or else fuzz with another state of the domain.
    """
    if not failing:
        return ""
    code = choice.code if not isinstance(choice.code, str) else vgic.protocol(choice.code)
    wanted = _words(scenario) if scenario is not None else set(failing)
    others = [s for s in bundled(failing) if s.threads and s.exists_under(code) and _words(s) & set(failing)]
    others.sort(key=lambda s: (len(_words(s) ^ wanted), s.name))
    for other in others:
        if not set(never(_tried(other, code, 1))) >= set(failing) & _words(other):
            return shlex.join(["racebench", "verify", name_of(other.path), "--protocol", choice.spec])
    if scenario is None:
        return ""
    for other, state in product((scenario, *others), STATES):
        if other.initial is not None:
            changed = other._replace(initial=other.initial._replace(state=state))
            if not set(never(_tried(changed, code, FEW_TRIES))) >= set(failing) & _words(other):
                return shlex.join(["racebench", "fuzz", choice.spec, "--state", state])
    return ""


def _words(scenario: Scenario) -> set[str]:
    return {op.name for ops in scenario.threads.values() for op in ops}


def _tried(scenario: Scenario, code: type[vgic.Protocol], executions: int) -> Counts:
    """What the operations of ``scenario`` return in its first ``executions``."""
    found = engine.verify(scenario.program(code), None, engine.Plan(executions)).stats["returned"]
    return dict(found)


# -- code and locks of a user's own


def _unused(target: Target) -> Iterator[str]:
    """What of a user's protocol made no difference, in sentences."""
    code = target.choice.code
    if ":" not in target.choice.spec or isinstance(code, str):
        return
    lineage, ran, watch = lineage_of(target.choice), set[str](), Watch()
    own = {*lineage.own, *lineage.replaced}
    program = target.scenario.program(_telling(code, lineage, ran.add))
    takers: dict[str, set[tuple[str, str]]] = defaultdict(set)
    executions = 0

    def look(execution: Execution) -> list[Alarm]:
        nonlocal executions
        executions += 1
        together: dict[str, set[str]] = defaultdict(set)
        for actor, op, lock in execution.steps:
            if op.kind in _TAKES:
                together[lock.label()].add(actor.name)
                if len(together[lock.label()]) > 1:
                    takers[lock.cls].add((lock.label(), actor.name))
        return []

    engine.glance(watched(program, watch, vgic.bench_states), engine.Plan(FEW_TRIES, detect=look))
    tried = "another execution" if executions == 1 else f"another {executions} executions"
    for name in lineage.replaced:
        if name not in ran:
            yield f"{name} of {target.choice.id} was never called, in {tried}"
    for site in sorted(watch.sites):
        if site.function in own and not takers[site.lock]:
            yield f"{site.lock}, taken in {site.function}, was never wanted by two threads, in {tried}"


def _telling(code: type[vgic.Protocol], lineage: Lineage, tell: Callable[[str], None]) -> type[vgic.Protocol]:
    """``code`` that tells when one of the functions is called that it overrides."""

    def telling(name: str, function: FunctionType) -> Callable[..., Any]:
        def call(*args: Any, **how: Any) -> Any:
            tell(name)
            return function(*args, **how)

        return call

    names = [name for name in lineage.replaced if isinstance(getattr(code, name), FunctionType)]
    return type(code.__name__, (code,), {name: telling(name, getattr(code, name)) for name in names})
