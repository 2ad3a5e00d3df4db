"""What a clean cell did not do: operations that never succeed.  (unused_code.py: unused code and locks.)

All modes count the codes that operations return (``Cell.vacuous``).  This module does what
needs a few more executions, of a cell that is done and clean.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import product

from .. import vgic
from ..engine.explain.answers import verify
from ..engine.search.loop import Plan
from ..errors import RaceBenchError
from ..records import Cell, Counts
from ..scenario.scenario import Scenario
from ..scenario.selection import Choice, Target, bundled, name_of
from ..vgic.system import CODE, HARDWARE
from .budget import FEW_TRIES


def calls(scenario: Scenario) -> dict[str, str]:
    """Map each operation of ``scenario`` to the function of Xen that it calls."""
    return {name: function_of(name) for name in sorted(scenario.words()) if scenario.mix is None}


def function_of(operation: str) -> str:
    """The Xen function that the operation of this name calls; for hardware, which calls none, the name."""
    if operation in HARDWARE:
        return operation
    names = CODE[operation].__code__.co_names
    return next((name for name in names if hasattr(vgic.Protocol, name)), operation)


def word_of(operation: str) -> str:
    """The operation's name in ``toolstack: release virq=40``: ``release``."""
    return operation.partition(": ")[2].partition(" ")[0]


def noted(target: Target, cell: Cell) -> Cell:
    """Add to ``cell``, which is done, the notes that need executions of their own."""
    if cell.found or not cell.answered or target.scenario.initial is None or target.scenario.mix is not None:
        return cell
    try:
        if ":" in target.choice.spec:
            # A user's own protocol.  Imported only here, because it loads engine/explain.
            from .unused_code import unused

            cell = replace(cell, unused=tuple(unused(target)))
        failing = [word_of(operation) for operation in cell.failing]
        return replace(cell, instead=instead(target.choice, failing, target.scenario))
    except RaceBenchError:
        # Not worth an error: the cell's result is complete without these notes.
        return cell


def never(returned: Counts) -> list[str]:
    """The names of the operations that never succeeded."""
    words: dict[str, list[str]] = defaultdict(list)
    for operation, codes in returned.items():
        words[word_of(operation)] += codes
    return sorted(word for word, codes in words.items() if all(code[:1] == "-" for code in codes))


# -- a command in which a failing operation would succeed


def instead(choice: Choice, failing: Sequence[str], scenario: Scenario | None = None) -> str:
    """A command in which one of the operations ``failing`` succeeds; "" if none is known.

    It runs the bundled scenario that is most like ``scenario``, or else fuzz with another state of
    the domain.
    """
    if not failing:
        return ""
    # Imported only here: in most cells no operation fails.
    import shlex

    from ..vgic.drawing import STATES

    code = choice.code if not isinstance(choice.code, str) else vgic.protocol(choice.code)
    wanted = scenario.words() if scenario is not None else set(failing)
    others = [s for s in bundled(failing) if s.threads and s.exists_under(code) and s.words() & set(failing)]
    others.sort(key=lambda s: (len(s.words() ^ wanted), s.name))
    for other in others:
        if not set(never(_tried(other, code, 1))) >= set(failing) & other.words():
            return shlex.join(["racebench", "verify", name_of(other.path), "--protocol", choice.spec])
    if scenario is None:
        return ""
    for other, state in product((scenario, *others), STATES):
        if other.initial is not None:
            changed = other._replace(initial=other.initial._replace(state=state))
            if not set(never(_tried(changed, code, FEW_TRIES))) >= set(failing) & other.words():
                return shlex.join(["racebench", "fuzz", choice.spec, "--state", state])
    return ""


def _tried(scenario: Scenario, code: type[vgic.Protocol], executions: int) -> Counts:
    """The counts of codes that the operations of ``scenario`` return in its first ``executions``."""
    found = verify(scenario.program(code), None, Plan(executions)).stats["returned"]
    return dict(found)
