"""The parent of a protocol, and which functions the protocol adds or replaces."""

from __future__ import annotations

from collections.abc import Sequence
from types import FunctionType
from typing import Any, NamedTuple

from .. import vgic
from ..errors import UsageError
from .selection import Choice, load_protocol

PARENT = "parent"


class Lineage(NamedTuple):
    """``choice``, compared with ``parent``.

    ``own`` are the names of functions that the parent does not have.  ``replaced`` are the
    parent's functions that the protocol overrides.  A signature may name one of ``own`` where
    the parent's signature names one of ``replaced``.
    """

    choice: Choice
    parent: Choice
    own: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()

    def stored(self) -> dict[str, Any]:
        """Return the form in which a run's options store it."""
        names = {"own": list(self.own), "replaced": list(self.replaced)}
        return {"protocol": self.choice.id, "parent": self.parent.id, **names}


def lineages(specs: Sequence[str] | None, against: str, variants: Sequence[str] = ()) -> list[Lineage]:
    """Compare each of ``specs`` with the protocol ``against``; ``parent`` means its own parent.

    ``variants`` are ids that are no class.  UsageError if nothing is left to compare.
    """
    if not specs:
        raise UsageError(f"--against {against}: which protocol? Add --protocol P.")
    made = []
    for spec in dict.fromkeys(specs):
        choice = _choice(spec, variants)
        parent = None if against == PARENT else _choice(against, variants)
        if parent is None or parent.spec != choice.spec:
            made.append(lineage_of(choice, parent))
    if not made:
        raise UsageError(f"--against {against}: that is the protocol itself. Name another --protocol.")
    return made


def _choice(spec: str, variants: Sequence[str]) -> Choice:
    return Choice(spec, spec, spec) if spec in variants else load_protocol(spec)


def _parent(choice: Choice) -> Choice:
    """The protocol from which ``choice`` is derived: a bundled one, or another class of its file."""
    if isinstance(choice.code, str):
        raise UsageError(f"{choice.id} is a variant, derived from none. Write --against VARIANT.")
    for cls in choice.code.__mro__[1:]:
        if not issubclass(cls, vgic.Protocol):
            continue
        if cls.ID in vgic.protocol_ids() and vgic.protocol(cls.ID) is cls:
            return Choice(cls.ID, cls.ID, cls)
        if cls is not vgic.Protocol:
            return _named(choice, cls)
    # A class derived from vgic.Protocol itself changes the baseline.
    return load_protocol(vgic.Baseline.ID)


def _named(choice: Choice, cls: type[vgic.Protocol]) -> Choice:
    """Load ``cls`` again by its name in the file of ``choice``; UsageError if that is another class."""
    file = choice.spec.rpartition(":")[0]
    base = load_protocol(f"{file}:{cls.__name__}")
    # The file was run again, so the class is another object: compare where its functions are defined.
    if isinstance(base.code, str) or _places(base.code) != _places(cls) or base.spec == choice.spec:
        raise UsageError(
            f"{choice.spec}: its parent {cls.__name__} is not what {file} calls so in the end. "
            "Give each class a name of its own."
        )
    return base


def _places(cls: type) -> list[tuple[str, dict[str, tuple[str, int]]]]:
    """File and line of the functions of ``cls`` and of its base classes."""
    return [
        (
            base.__qualname__,
            {
                name: (value.__code__.co_filename, value.__code__.co_firstlineno)
                for name, value in vars(base).items()
                if isinstance(value, FunctionType)
            },
        )
        for base in cls.__mro__
    ]


def lineage_of(choice: Choice, parent: Choice | None = None) -> Lineage:
    """Compare ``choice`` with ``parent``, or with the protocol from which it is derived."""
    parent = _parent(choice) if parent is None else parent
    if isinstance(choice.code, str) or isinstance(parent.code, str):
        return Lineage(choice, parent)
    # Compare names, because a file that is run twice makes two class objects.
    inherited = {(cls.__module__, cls.__qualname__) for cls in parent.code.__mro__}
    mine = [cls for cls in choice.code.__mro__ if (cls.__module__, cls.__qualname__) not in inherited]
    modules = {module for module, _ in inherited}
    functions = [f for cls in mine for f in vars(cls).values() if isinstance(f, FunctionType)]
    names = {f.__name__ for f in functions}
    beside = {
        name
        for f in functions
        if f.__module__ not in modules
        for name, value in f.__globals__.items()
        # Leave out what the file has imported.
        if isinstance(value, FunctionType) and value.__module__ == f.__module__
    }
    replaced = {name for name in names if hasattr(parent.code, name)}
    return Lineage(choice, parent, tuple(sorted((names | beside) - replaced)), tuple(sorted(replaced)))
