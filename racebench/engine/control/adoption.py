"""Replaces a field's own containers in a value by tracked copies.

If other code refers to a container too, it would not see the copy, and the program would mean
something else.  So for each container that can be reached the references are counted: those from
within the value, and all of them (its reference count, which is exact: each reference to a container
is owned by somebody).  If the two numbers differ, something else refers to the container; then the
container stays as it is, and so does everything that can be reached through it.

Besides the containers, tuples are rebuilt, and fields of frozen dataclasses are set, so that they
refer to the copies.
"""

from __future__ import annotations

import dis
import sys
from collections.abc import Callable, Collection
from dataclasses import fields
from sys import getrefcount
from types import SimpleNamespace
from typing import Any

from ...values import adds_nothing, frozen, leaves
from ..real import classes
from .containers import Containers, trackable
from .contents import fill, held_by, replace

Make = Callable[[Any], Any]
"""Makes an empty tracked container of the same kind as its argument."""


class _Node:
    """A value whose parts are visited; ``inner`` counts the references to it from within the graph."""

    __slots__ = ("building", "inner", "lost", "made", "value")

    def __init__(self, value: Any) -> None:
        self.value, self.inner = value, 0
        self.made: Any = None
        self.lost = self.building = False


class Graph:
    """The values that can be reached from some roots; all roots are held before any is adopted."""

    def __init__(self, fixed: Collection[type]) -> None:
        self._fixed = fixed
        self._nodes: dict[int, _Node] = {}

    def hold(self, value: Any, inner: bool) -> None:
        """Add ``value`` and what it leads to; ``inner``: the reference to ``value`` itself is counted."""
        to_do = [(value, inner)]
        del value
        while to_do:
            one, counts = to_do.pop()
            node = self._nodes.get(id(one))
            if node is None:
                if type(one) in self._fixed or not _walked(one):
                    continue
                node = self._nodes[id(one)] = _Node(one)
                to_do += [(child, True) for child in _children(one)]
            node.inner += counts

    def hold_within(self, tracked: Any) -> None:
        """Add what is in a tracked container."""
        for child in held_by(tracked):
            self.hold(child, True)

    def find_shared(self, root: Any = None, spare: bool = True) -> None:
        """Find the values that something else refers to.

        The references to ``root`` were not counted: it is shared if it is not ``spare``, or if a value that
        was reached from it refers to it.
        """
        lost = []
        for node in self._nodes.values():
            if node.value is root:
                node.lost = not spare or bool(node.inner)
            else:
                node.lost = getrefcount(node.value) - _OURS != node.inner
            if node.lost:
                lost.append(node)
        for node in lost:
            for child in _children(node.value):
                below = self._nodes.get(id(child))
                if below is not None and not below.lost:
                    below.lost = True
                    lost.append(below)

    def adopted(self, value: Any, make: Make, loose: list[Any]) -> Any:
        """Return ``value`` with tracked containers in the place of its own.

        ``loose`` receives the objects in it that can change unseen.
        """
        if type(value) in self._fixed:
            return value
        node = self._nodes.get(id(value))
        if node is None or node.lost or node.building:
            loose += leaves(value, self._fixed)
            return value
        if node.made is None:
            node.building = not trackable(value)
            node.made = self._made(node, make, loose)
            node.building = False
        return node.made

    def adopt_within(self, tracked: Any, make: Make) -> None:
        """Adopt what is in ``tracked``, which keeps the objects that can change unseen."""
        within = tracked._rb_leaves
        if isinstance(tracked, dict):
            for key in dict.keys(tracked):
                within += leaves(key, self._fixed)
        replace(tracked, lambda one: self.adopted(one, make, within))

    def _made(self, node: _Node, make: Make, loose: list[Any]) -> Any:
        value = node.value
        if trackable(value):
            node.made = tracked = make(value)
            within = tracked._rb_leaves
            if type(value) is dict:
                for key in value:
                    within += leaves(key, self._fixed)
                fill(tracked, [(key, self.adopted(one, make, within)) for key, one in value.items()])
            else:
                fill(tracked, [self.adopted(one, make, within) for one in value])
            return tracked
        if isinstance(value, tuple):
            items = [self.adopted(one, make, loose) for one in value]
            same = all(one is old for one, old in zip(items, value, strict=True))
            return value if same else tuple.__new__(type(value), items)
        for field in fields(value):
            old = getattr(value, field.name, None)
            new = self.adopted(old, make, loose)
            if new is not old:
                object.__setattr__(value, field.name, new)
        return value


def _walked(value: Any) -> bool:
    cls = type(value)
    return trackable(value) or frozen(cls) or (issubclass(cls, tuple) and adds_nothing(cls, tuple))


def _children(value: Any) -> Any:
    """Return an iterable over the objects that ``value`` holds."""
    if type(value) is dict:
        return value.values()
    if trackable(value) or isinstance(value, tuple):
        return value
    return [getattr(value, field.name, None) for field in fields(value)]


_OURS = 2
"""The references to a node's value that counting itself needs: the node's, and ``getrefcount``'s argument."""


def alone(value: Any) -> bool:
    """Return whether only the call of our caller refers to ``value``.

    The number of references of such a call itself is constant for each kind of call; it was measured once,
    below.  In a Python version that counts as many for a value that something else refers to as well, the
    answer is always False.
    """
    frame = sys._getframe(2)
    if frame.f_code.co_filename == classes.__file__:
        return getrefcount(value) == _BY_CELL
    at = frame.f_code.co_code[frame.f_lasti]
    return getrefcount(value) == (_BY_SLOT if at in _STORES else _BY_CALL)


_STORES = {dis.opmap[name] for name in ("STORE_SUBSCR", "STORE_ATTR")}


def _count_in_cell() -> int:
    """Return the references to a value that is assigned to an attribute of an instrumented object.

    -1 if the number does not tell whether something else refers to the value.
    """
    counted: list[int] = []
    other: list[Any] = []

    def ask(value: Any) -> None:
        counted.append(getrefcount(value))

    class Cell:
        kept = property(None, lambda self, value: ask(value))

    cell = Cell()
    attributes: Any = SimpleNamespace(cell_of=lambda obj: cell)

    class Owner:
        kept = classes.Attribute(attributes, "kept", None)

    owner: Any = Owner()
    owner.kept = []
    owner.kept = other
    return counted[0] if counted[0] < counted[1] else -1


def _count() -> tuple[int, int]:
    """Return the references to a value put in by a call, and by an assignment; -1 if they tell nothing."""

    def counted(value: Any) -> bool:
        counting.counted = getrefcount(value)
        return False

    counting: Any = SimpleNamespace(
        alone=counted,
        used=lambda container, op: None,
        changed_unseen=lambda container: None,
        taken_in=lambda container, value, spare: value,
    )
    to: Any = Containers(counting).empty([], *[None] * 3)  # type: ignore[arg-type, unused-ignore]
    to.append([])
    by_call = counting.counted
    other: Any = []
    to.append(other)
    by_call = by_call if by_call < counting.counted else -1
    to[0] = []
    by_slot = counting.counted
    to[0] = other
    return by_call, by_slot if by_slot < counting.counted else -1


_BY_CALL, _BY_SLOT = _count()
_BY_CELL = _count_in_cell()
