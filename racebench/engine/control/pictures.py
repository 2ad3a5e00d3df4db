"""Pictures of what the threads of a program can reach and no step announces.

A walk from the state and from the threads' functions visits every object that they can reach: by
attributes, items, variables around a function, its defaults, the globals that its code names, the dicts
of classes and modules, properties, bound methods, weak references.  What a field holds is left out,
since the field's steps announce it, and so is what RaceBench keeps in a lock.  After the execution each
place is looked at again.

An object may be reached in several ways, and code may use any of them: a place has all the names that
lead to it.  An object that only one thread's function leads to, by a variable around it or a default,
is that thread's own.  No user code runs here.
"""

from __future__ import annotations

import functools
import sys
import types
from collections import deque
from collections.abc import Callable, Iterator
from operator import is_
from typing import Any, NamedTuple

from ...primitives import Field
from ...program import Program
from ..instrument import SLOT
from . import objects
from .objects import NOTHING, Spot

_MOST = 50_000
_COMMON = -1
"""The owner of what the state, a global, a class or a module leads to; other owners are thread numbers."""


class Place(NamedTuple):
    """A changed place: its description, and the names that code may have used for it."""

    what: str
    names: frozenset[str]
    loose: bool
    certain: bool
    """Whether it was changed for sure; False if it only cannot be compared."""

    @classmethod
    def of(cls, spots: set[Spot], certain: bool) -> Place | None:
        """Return the place; None if each way to it is a step."""
        plain = min((spot for spot in spots if spot.what), default=None)
        names = frozenset(spot.name for spot in spots if spot.name)
        loose = any(spot.inside for spot in spots)
        return None if plain is None else cls(plain.what, names, loose, certain)


class _Space(NamedTuple):
    """A dict of globals, or a class: ``whole``, or only the members that some code names."""

    holder: Any
    called: str
    whole: bool


_NOWHERE = Spot("", "")
_Part = Callable[[Any, str], Any]
_At = tuple[int, _Part, str]


class Picture:
    """The visited objects, and for each place (an object's id and part) its value and the ways to it.

    All visited objects are kept alive, so that no other object gets the same id.
    """

    def __init__(self, program: Program, state: Any, known: objects.Known) -> None:
        self.truncated = False
        self._known = known
        self._met: dict[int, Any] = {}
        self._owners: dict[int, set[int]] = {}
        self._values: dict[_At, Any] = {}
        self._spots: dict[_At, set[Spot]] = {}
        self._done: set[tuple[int, Spot, int]] = set()
        self._left: deque[tuple[Spot, Any, int]] = deque([(_NOWHERE, state, _COMMON)])
        self._names: set[str] = set()
        self._spaces: dict[int, _Space] = {}
        self._looked: dict[int, tuple[bool, int]] = {}
        self._objects: dict[int, tuple[Any, set[Spot]]] = {}
        self._inside_of: dict[int, list[tuple[Spot, Any]]] = {}
        """By an object's id: what its attributes lead to, if their ways are the same whatever led to it."""
        self._dicts: set[int] = set()
        self._bare: list[types.FunctionType] = []
        self._given: dict[type, dict[str, Any]] = {}
        self._plain: list[tuple[dict[str, Any], str, Any]] = []
        self._rest: list[tuple[Callable[[Any, Any], Any], Any, Any, Any]] = []
        functions = [*program.threads.values(), *(handler for _, handler in program.interrupts.values())]
        self._left.extend((_NOWHERE, function, n) for n, function in enumerate(functions))
        self._prepared = False
        self._walk()

    def add(self, what: str, value: Any) -> None:
        """Add what ``value``, which a thread was given, leads to now: another thread may have it too."""
        # A visited object may lead to others by now.
        self._inside_of.clear()
        self._go(Spot(what, ""), value, _COMMON)
        self._prepared = False
        self._walk()

    @property
    def size(self) -> int:
        """The number of places."""
        return len(self._values)

    def used_by(self, value: Any) -> frozenset[str]:
        """Return the names of the shared objects that code which has ``value`` may use without naming them.

        A value that the walk has visited is used by the names of its attributes, unless it is such an object.
        """
        names: set[str] = set()
        left, seen = [value], {id(value)}
        while left and len(seen) < _MOST:
            one = left.pop()
            if id(one) in self._met and not isinstance(one, (tuple, frozenset, *objects.REFERS)):
                if self._is_open(id(one)):
                    names |= self._inside.get(id(one), frozenset())
                continue
            fresh = [one for one in objects.led_to(one) if id(one) not in seen]
            seen.update(map(id, fresh))
            left += fresh
        return frozenset(names)

    @functools.cached_property
    def _inside(self) -> dict[int, frozenset[str]]:
        """By the id of an object, the names that stand for something it is in."""
        inside: dict[int, frozenset[str]] = {}
        for (holder, _, _), spots in self._spots.items():
            names = frozenset(spot.name for spot in spots if spot.inside and spot.name)
            inside[holder] = inside.get(holder, frozenset()) | names
        return inside

    def _prepare(self) -> None:
        """Sort the places that ``has_changed`` looks at by how they are read."""
        self._plain, self._rest, self._prepared = [], [], True
        for at, before in self._values.items():
            value, part, name = self._met[at[0]], at[1], at[2]
            unannounced = part is not objects.hidden and any(spot.what for spot in self._spots[at])
            if not unannounced or not self._is_open(at[0]) or isinstance(value, (tuple, frozenset)):
                continue
            slot = self._known.shape(type(value)).slots.get(name) if part is objects.attribute else None
            held = objects.dict_of(value) if part is objects.attribute else value
            if slot is not None:
                self._rest.append((objects.slot_of, value, slot, before))
            elif part in (objects.attribute, objects.member) and type(held) is dict and name in held:
                self._plain.append((held, name, before))
            else:
                self._rest.append((part, value, name, before))

    def has_changed(self) -> bool:
        """Return whether a place has changed; each change counts once.  Called at steps, so it is quick."""
        if not self._prepared:
            self._prepare()
        plain = [one for one in self._plain if one[0].get(one[1], NOTHING) is one[2]]
        rest = [one for one in self._rest if objects.same(one[3], one[0](one[1], one[2]))]
        changed = (len(plain), len(rest)) != (len(self._plain), len(self._rest))
        self._plain, self._rest = plain, rest
        return changed

    def changed(self) -> set[Place]:
        """Return the places that have changed, except those that only one thread can reach.

        An object that a thread has made and filled is new, not changed.
        """
        ways = [
            (self._spots[at], at[1] is not objects.hidden)
            for at, before in self._values.items()
            if self._is_open(at[0]) and not objects.same(before, self._now(at))
        ]
        for value, spots in self._objects.values():
            if self._is_open(id(value)):
                for name, _ in self._own(value):
                    if (id(value), objects.attribute, name) not in self._values:
                        ways.append(({self._way(value, name, spot) for spot in spots}, True))
        for function in self._bare:
            if vars(function):
                self._enter(vars(function), f"{function.__qualname__}.", function.__module__ or "")
        for space in self._spaces.values():
            for name, _, spot in self._members(space):
                if (id(space.holder), objects.member, name) not in self._values:
                    ways.append(({spot}, True))
        for cls, had in self._given.items():
            has = vars(cls)
            if had.keys() == has.keys() and all(map(is_, had.values(), has.values())):
                continue
            for name in had.keys() | has.keys():
                if had.get(name, NOTHING) is not has.get(name, NOTHING):
                    ways.append(({Spot(f"{cls.__name__}.{name}, a class attribute", name)}, True))
        return {place for spots, certain in ways if (place := Place.of(spots, certain)) is not None}

    def _is_open(self, holder: int) -> bool:
        """Return whether several threads can reach it, and it is not the dict of a visited object."""
        owners = self._owners[holder]
        return (_COMMON in owners or len(owners) > 1) and holder not in self._dicts

    def _now(self, at: _At) -> Any:
        value, part, name = self._met[at[0]], at[1], at[2]
        slot = self._known.shape(type(value)).slots.get(name) if part is objects.attribute else None
        return part(value, name) if slot is None else objects.slot_of(value, slot)

    # -- the walk

    def _walk(self) -> None:
        while self._left or self._more_names():
            spot, value, owner = self._left.popleft()
            if (id(value), spot, owner) in self._done:
                continue
            if len(self._done) >= _MOST:
                self.truncated = True
                return
            self._done.add((id(value), spot, owner))
            self._meet(value, owner)
            self._look(spot, value, owner)

    def _more_names(self) -> bool:
        """Return whether code that was visited since names more members of a module or class."""
        for space in list(self._spaces.values()):
            at = id(space.holder)
            # Of a class all members are known at first; of the others more may be named by now.
            known = space.whole, 0 if space.whole and isinstance(space.holder, type) else len(self._names)
            if self._looked.get(at) == known:
                continue
            self._looked[at] = known
            for name, one, spot in self._members(space):
                if (at, objects.member, name) not in self._values:
                    self._note(space.holder, objects.member, name, spot, one)
                    self._go(spot, one, _COMMON)
        return bool(self._left)

    def _meet(self, value: Any, owner: int) -> None:
        self._met[id(value)] = value
        self._owners.setdefault(id(value), set()).add(owner)

    def _note(self, holder: Any, part: _Part, name: str, spot: Spot, value: Any) -> None:
        at = id(holder), part, name
        # The first value is kept: when the object is visited again, it may have changed.
        self._values.setdefault(at, value)
        self._spots.setdefault(at, set()).add(spot)

    def _go(self, spot: Spot, value: Any, owner: int) -> None:
        if type(value) not in objects.VALUES:
            self._left.append((spot, value, owner))

    def _look(self, spot: Spot, value: Any, owner: int) -> None:
        cls = type(value)
        if cls is types.FunctionType:
            self._function(spot, value, owner)
        elif issubclass(cls, type):
            for base in value.__mro__:
                if not objects.is_our_module(base.__module__):
                    self._enter(base, f"{base.__name__}.", base.__module__)
                elif base not in self._given:
                    self._given[base] = dict(vars(base))
        elif issubclass(cls, types.ModuleType):
            self._enter(vars(value), f"{value.__name__}.", value.__name__)
        elif issubclass(cls, objects.REFERS):
            for one in objects.referred(value):
                self._go(spot.within(), one, owner)
        elif value is sys.modules:
            self._enter(value, "the module ", None)
        elif issubclass(cls, (dict, *objects.ITEMS)):
            # Each use of a tracked container is a step, but what it holds may have parts without steps.
            spot = _NOWHERE if hasattr(cls, "_rb_owner") else spot.within()
            items = objects.items_of(value)
            self._note(value, objects.items_of, "", spot, items)
            for one in items:
                self._go(spot, one, owner)
            self._attributes(spot, value, owner)
        elif value is not sys.stdout and value is not sys.stderr:
            self._instance(spot, value, owner)

    def _instance(self, spot: Spot, value: Any, owner: int) -> None:
        shape = self._known.shape(type(value))
        if shape.is_silent:
            return
        if shape.is_hidden:
            self._note(value, objects.hidden, "", spot.within(), NOTHING)
        self._attributes(spot, value, owner)
        self._go(_NOWHERE, type(value), _COMMON)

    def _attributes(self, spot: Spot, value: Any, owner: int) -> None:
        self._objects.setdefault(id(value), (value, set()))[1].add(spot)
        inside = self._inside_of.get(id(value))
        if inside is None:
            inside = []
            for name, one in self._own(value):
                way = self._way(value, name, spot)
                self._note(value, objects.attribute, name, way, one)
                inside.append((way, one))
            if not self._known.shape(type(value)).is_library:
                self._inside_of[id(value)] = inside
        for way, one in inside:
            self._go(way, one, owner)

    def _own(self, value: Any) -> list[tuple[str, Any]]:
        """Return the attributes in the slots and the dict of ``value`` itself, except RaceBench's own."""
        shape = self._known.shape(type(value))
        found = []
        for name, slot in shape.slots.items():
            one = objects.slot_of(value, slot)
            if one is not NOTHING:
                found.append((name, one))
        if shape.has_dict:
            own = objects.dict_of(value)
            self._dicts.add(id(own))
            found += own.items()
        ours, fields = shape.ours, shape.fields
        return [
            (name, one)
            for name, one in found
            if type(name) is str
            and name not in ours
            and (name in fields or not name.startswith("_rb_") or not objects.is_bookkeeping(value, name))
        ]

    def _way(self, value: Any, name: str, spot: Spot) -> Spot:
        """Return the way to the attribute ``name`` of ``value``; ``spot`` is the way to ``value``."""
        shape = self._known.shape(type(value))
        if shape.is_library and not name.startswith(SLOT):
            # Python's own code is not followed: its object is used by the name that led to it.
            return spot.within()
        way = shape.ways.get(name)
        if way is None:
            field = name.startswith(SLOT)
            what = "" if field else f"{type(value).__name__}.{name}, a plain attribute"
            way = shape.ways[name] = Spot(what, name.removeprefix(SLOT))
        return way

    def _function(self, spot: Spot, function: types.FunctionType, owner: int) -> None:
        code, called = function.__code__, function.__qualname__
        known = self._known.code(code)
        if not known.is_seen:
            return
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=False):
            way = Spot(f"{name}, a variable around {called}", name)
            self._meet(cell, owner)
            self._note(cell, objects.content_of, "", way, objects.content_of(cell))
            self._go(way, objects.content_of(cell), owner)
        way = Spot(f"a default argument of {called}", spot.name, True)
        defaults = objects.defaults_of(function)
        self._note(function, objects.defaults_of, "", way, defaults)
        for one in defaults:
            self._go(way, one, owner)
        self._names |= known.names
        if vars(function):
            self._enter(vars(function), f"{called}.", function.__module__ or "")
        else:
            self._bare.append(function)
        if known.names:
            self._enter(function.__globals__, "the global ", "" if "globals" in known.names else None)

    # -- namespaces

    def _enter(self, holder: Any, called: str, module: str | None) -> None:
        """Look at the members of ``holder``, of ``module``.

        If the module is Python's own, installed, or None, only the members that some code names count.
        """
        if module == "builtins" or (module is not None and objects.is_our_module(module)):
            return
        self._meet(holder, _COMMON)
        whole = module is not None and objects.is_of_the_program(module)
        known = self._spaces.get(id(holder))
        if known is None or (whole and not known.whole):
            self._spaces[id(holder)] = _Space(holder, called, whole)

    def _members(self, space: _Space) -> Iterator[tuple[str, Any, Spot]]:
        is_class = isinstance(space.holder, type)
        known = vars(space.holder) if is_class else space.holder
        suffix = ", a class attribute" if is_class else ""
        for name in list(known) if space.whole else self._names & known.keys():
            one = known[name]
            if type(name) is not str or isinstance(one, (Field, types.MemberDescriptorType)):
                continue
            special = name[:2] == name[-2:] == "__" and not isinstance(one, types.ModuleType)
            if special or name in objects.BOOKKEEPING or name.startswith("_abc_"):
                continue
            # A function that no code names is not called; an operator may use a method of a class unnamed.
            if is_class or name in self._names or not isinstance(one, objects.CODE):
                yield name, one, Spot(f"{space.called}{name}{suffix}", name)
