"""Which code and locks of a user's own protocol made no difference to a finished, clean cell.

This takes a few executions of its own, so each sentence says how many there were, and
no verdict depends on it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any

from .. import vgic
from ..engine.explain.removal import Watch, watched
from ..engine.search.glance import glance
from ..engine.search.loop import Plan
from ..findings import Alarm
from ..scenario.lineage import Lineage, lineage_of
from ..scenario.selection import Target
from ..trace import Execution, Kind
from .budget import FEW_TRIES

_TAKES = {Kind.ACQUIRE, Kind.TRY_ACQUIRE}


def unused(target: Target) -> Iterator[str]:
    """Yield sentences about the parts of a user's protocol that made no difference."""
    code = target.choice.code
    if isinstance(code, str):
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

    glance(watched(program, watch, vgic.system_states), Plan(FEW_TRIES, detect=look))
    tried = "another execution" if executions == 1 else f"another {executions} executions"
    for name in lineage.replaced:
        if name not in ran:
            yield f"{name} of {target.choice.id} was never called, in {tried}"
    for site in sorted(watch.sites):
        if site.function in own and not takers[site.lock]:
            yield f"{site.lock}, taken in {site.function}, was never wanted by two threads, in {tried}"


def _telling(code: type[vgic.Protocol], lineage: Lineage, tell: Callable[[str], None]) -> type[vgic.Protocol]:
    """A subclass of ``code`` that calls ``tell`` with the name of each overridden function that is called."""

    def telling(name: str, function: FunctionType) -> Callable[..., Any]:
        def call(*args: Any, **how: Any) -> Any:
            tell(name)
            return function(*args, **how)

        return call

    names = [name for name in lineage.replaced if isinstance(getattr(code, name), FunctionType)]
    return type(code.__name__, (code,), {name: telling(name, getattr(code, name)) for name in names})
