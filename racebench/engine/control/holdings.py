"""What the shared fields of a controlled run hold: tracked, fixed, or changing unseen.

A value comes into a field by its default, in setup or from a thread.  At that moment its own
containers become tracked ones; those of setup when setup is over, because only then is it known what
still refers to them.  An object that remains and can change unseen makes two reads of the field
conflict, and the threads that read it are counted: if there are two, the result says what was not seen.
"""

from __future__ import annotations

import builtins
import threading
from collections.abc import Iterable
from functools import partial
from typing import Any

from ...primitives import Field, State
from ...trace import Kind, Op
from ...values import ATOMS, described, getter_of_all, is_bare, leaves, never_changes
from ..instrument import SLOT, VALUE, Copier, showing
from .adoption import Graph, alone
from .containers import Containers
from .contents import forget, leave, untouched
from .floor import Floor

_REMEDY = (
    "keep what is in it in fields of a State that are declared with racebench.shared, "
    "or in a list, dict, set or deque that nothing else has"
)


_EXCEPTIONS = [
    one for one in vars(builtins).values() if isinstance(one, type) and issubclass(one, BaseException)
]
"""Python's own exception classes: code does not change an exception that other code may have too."""


_STEP = """me = floor.current
    if floor.free and me is not None and get_ident() == me.ident:
        floor.free -= 1
        floor.log.append((me, {op}, self))
    else:
        point({op}, self)"""
"""What an accessor does first: ``Floor.point``, with its path for steps without a choice inlined.
Most steps of most programs take that path, and the call would be the most expensive part of them."""


_LOOSE = "if type(value) not in fixed and not all_fixed(value):"
_MEET = f"    {_LOOSE}\n        met(READ, self, value)\n    return value"
_PLAIN = (
    f"{_STEP.format(op='READ')}\n    value = self.{VALUE}\n{_MEET}",
    f"{_STEP.format(op='WRITE')}\n    {_LOOSE}\n        spare = alone(value)\n"
    "        value = brought(READ, self, value, spare)",
)
_DELAYED = (
    f"value = load(READ, self)\n{_MEET}",
    "if type(value) not in fixed: noticed(READ, value)\n    store(WRITE, self, value)",
)
"""Getter and setter of a field; READ and WRITE are its operations."""


class Holdings:
    """The values in the fields of one scheduler's objects; the floor holder's."""

    def __init__(self, scheduler: Floor) -> None:
        self.scheduler = scheduler
        self.blind_spots = scheduler.blind_spots
        self.names: dict[str, Any] = {
            "floor": scheduler,
            "get_ident": threading.get_ident,
            "point": scheduler.point,
            "fixed": set(ATOMS),
            "all_fixed": self._all_fixed,
            "met": self._met,
            "brought": self._brought,
            "noticed": self._noticed,
            "alone": alone,
        }
        """The names that the accessors use."""
        self._fixed: set[type] = self.names["fixed"]
        self._varied: set[type] = set()
        self._containers = Containers(self)
        self._getters: dict[type, Any] = {}
        self._reads: dict[Field, Op] = {}
        self._inside: dict[Op, tuple[Op, Op]] = {}
        self._of_setup: dict[tuple[int, str], tuple[State, Op]] = {}
        self._tracked: list[Any] = []
        self._bare: list[tuple[Any, str]] = []

    def begin(self) -> None:
        """Start a new execution."""
        self.blind_spots.begin()
        self._of_setup.clear()
        self._tracked.clear()
        self._bare.clear()

    def see(self, classes: Iterable[type]) -> None:
        """Note that everything that changes in objects of ``classes`` is in their fields."""
        self._fixed.update(classes, (threading.Thread, threading.Timer), _EXCEPTIONS)

    def setup_is_over(self) -> None:
        """Take over what setup has put into fields, and into the containers that fields had by default."""
        tracked = list(self._tracked)
        if not self._of_setup and not tracked:
            return
        for one in tracked:
            forget(one)
        graph = Graph(self._fixed)
        for obj, read in self._of_setup.values():
            graph.hold(obj.__dict__[SLOT + read.field], True)
        for one in tracked:
            graph.hold_within(one)
        graph.find_shared()
        for obj, read in self._of_setup.values():
            obj.__dict__[SLOT + read.field] = self._adopted(graph, obj.__dict__[SLOT + read.field], obj, read)
        self._of_setup.clear()
        for one in tracked:
            graph.adopt_within(one, partial(self._empty, obj=one._rb_owner, read=one._rb_field))
            if one._rb_leaves:
                self._may_be_changed(one._rb_read)

    @property
    def has_containers(self) -> bool:
        """Whether a field of this execution has had a tracked container."""
        return bool(self._tracked)

    def execution_is_over(self) -> None:
        """Report changes that were made after the last step that would have shown them."""
        for one, sentence in self._bare:
            if not is_bare(one):
                self.blind_spots.say(sentence)
        for tracked in self._tracked:
            if not untouched(tracked):
                self._say_changed(tracked)

    # -- fields

    def accessor(self, declared: Field) -> tuple[str, str, dict[str, str]]:
        name, names = declared.name, self.names
        stem = f"op{len(names)}_{name}"
        own = {"READ": f"{stem}_r", "WRITE": f"{stem}_w"}
        read = self._reads[declared] = names[own["READ"]] = Op(Kind.READ, name, declared.atomic)
        if declared.delayed:
            self._noticed(read, declared.default)
        kind = Kind.STORE if declared.delayed else Kind.WRITE
        names[own["WRITE"]] = Op(kind, name, declared.atomic)
        return (*(_DELAYED if declared.delayed else _PLAIN), own)

    def copier(self, declared: Field, copy: Copier) -> Copier:
        """Return the function that makes a new object's value: the default, with tracked containers."""
        if declared.delayed:
            return copy
        read = self._reads[declared]

        def copied(default: Any, owner: State) -> Any:
            value = copy(default, owner)
            graph = Graph(self._fixed)
            graph.hold(value, False)
            graph.find_shared(value)
            return self._adopted(graph, value, owner, read)

        return copied

    def _met(self, read: Op, obj: State, value: Any) -> None:
        """Note that the field that ``read`` reads has ``value``, which may change."""
        bare: list[Any] = []
        found = self._noticed(read, value, bare)
        if found or bare:
            self._touched(obj, read.field, found + bare)

    def _all_fixed(self, value: Any) -> bool:
        """Return whether all that ``value`` refers to is of classes known to be fixed; mostly quick."""
        cls = type(value)
        try:
            inside = self._getters[cls]
        except KeyError:
            inside = self._getters[cls] = getter_of_all(cls)
        if inside is None:
            return False
        fixed = self._fixed
        for one in inside(value):
            if type(one) not in fixed and not self._is_fixed(type(one)):
                return False
        return True

    def _noticed(self, read: Op, value: Any, bare: list[Any] | None = None) -> list[Any]:
        """Return what can change unseen in ``value``, which a field has; ``bare`` as for ``leaves``."""
        if self._is_fixed(type(value)):
            return []
        found = leaves(value, self._fixed, bare)
        if found:
            self._may_be_changed(read)
        return found

    def _may_be_changed(self, read: Op) -> None:
        """Let ``read`` conflict with itself: its thread may change what it reads, up to its next step."""
        if not read.conflicts:
            self.scheduler.conflicting += 1
        read.conflicts = True

    def _is_fixed(self, cls: type) -> bool:
        if cls in self._varied:
            return False
        known = never_changes(cls)
        (self._fixed if known else self._varied).add(cls)
        return known

    def _brought(self, read: Op, obj: State, value: Any, spare: bool) -> Any:
        """Return what a field gets for ``value``, which may change; ``spare``: nothing else refers to it."""
        if self._is_fixed(type(value)):
            return value
        if self.scheduler.current is None:
            self._of_setup[id(obj), read.field] = obj, read
            return value
        loose: list[Any] = []
        value = self._taken(value, spare, obj, read, loose)
        if loose:
            self._may_be_changed(read)
        leaves(value, self._fixed, loose)
        if loose:
            self._touched(obj, read.field, loose)
        return value

    def _taken(self, value: Any, spare: bool, obj: State, read: Op, loose: list[Any]) -> Any:
        graph = Graph(self._fixed)
        graph.hold(value, False)
        graph.find_shared(value, spare)
        return graph.adopted(value, lambda like: self._empty(like, obj, read), loose)

    def _adopted(self, graph: Graph, value: Any, obj: State, read: Op) -> Any:
        loose: list[Any] = []
        value = graph.adopted(value, lambda like: self._empty(like, obj, read), loose)
        if loose:
            self._may_be_changed(read)
        return value

    def _empty(self, like: Any, obj: State, read: Op) -> Any:
        uses = self._inside.get(read)
        if uses is None:
            name, atomic = read.field, read.atomic
            uses = Op(Kind.READ, name, atomic, inside=True), Op(Kind.WRITE, name, atomic, inside=True)
            self._inside[read] = uses
        tracked = self._containers.empty(like, obj, *uses)
        tracked._rb_field = read
        self._fixed.add(type(tracked))
        self._tracked.append(tracked)
        return tracked

    # -- containers (containers.Fields)

    def used(self, container: Any, op: Op) -> None:
        if showing.now:
            return
        self.scheduler.point(op, container._rb_owner)
        found = container._rb_leaves
        if found:
            self._may_be_changed(container._rb_read)
            self._touched(container._rb_owner, op.field, found)

    def changed_unseen(self, container: Any) -> None:
        # A change by setup is part of the initial state.
        if self.scheduler.current is not None:
            self._say_changed(container)
            leave(container)

    def _say_changed(self, container: Any) -> None:
        self._may_be_changed(container._rb_read)
        self._may_be_changed(container._rb_field)
        owner, kind = container._rb_owner, type(container).__name__
        self.blind_spots.say(
            f"{type(owner).__name__}.{container._rb_read.field} holds a {kind} that is changed without "
            "its methods, as heapq does, which is not seen: change it by its methods"
        )

    def taken_in(self, container: Any, value: Any, spare: bool) -> Any:
        if type(value) in self._fixed or self.scheduler.current is None:
            return value
        found: list[Any] = []
        value = self._taken(value, spare, container._rb_owner, container._rb_field, found)
        if found:
            container._rb_leaves += found
            self._may_be_changed(container._rb_read)
            self._touched(container._rb_owner, container._rb_read.field, found)
        return value

    alone = staticmethod(alone)

    # -- which threads read it

    def _touched(self, obj: State, field: str, found: list[Any]) -> None:
        s = self.scheduler
        who = s.current if s.current is not None else s.seeing
        if who is None or not self.blind_spots.touched(who.index, obj, field, found):
            return
        for one in found:
            what = f"{type(obj).__name__}.{field} holds {described(one)}"
            sentence = f"{what}, which changes unseen: {_REMEDY}"
            if is_bare(one):
                self._bare.append((one, sentence))
            else:
                self.blind_spots.say(sentence)
