"""Lists, dicts, sets and deques whose every use is a step, for the controlled scheduler.

``s.seen[k] += 1`` reads a field once and then uses the dict twice; another thread may run between
those two uses.  So a container of these classes in a field is copied into one of the classes made
here.  They are real lists, dicts, sets and deques; a copy that the program makes of one is a plain
container.

What C code asks of them comes through the methods overridden here: iteration, ``list(x)``,
``sorted``, ``json``, ``pickle``, operators from either side.  Two cases do not.  A few functions
(heapq) change a list directly in memory: each use compares the content with what the last use left,
and reports a difference.  And a set that is passed to another set (``set(x)``, ``plain |= x``) is
read directly in memory: that read belongs to the step before it, which is the read of the field
unless the program has kept the set across a step.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, ItemsView, Iterator, KeysView, ValuesView
from sys import getrefcount
from typing import Any, Protocol

from ...primitives import State
from ...trace import Op
from ...values import ATOMS
from .contents import leave, plain_copy, untouched

_OF_ONE = {"__len__", "__getitem__", "__contains__", "get"}
_VIEWS: dict[str, type] = {"keys": KeysView, "values": ValuesView, "items": ItemsView}
_COMPARED = "__eq__ __ne__ __lt__ __le__ __gt__ __ge__"
_COMBINED = "__and__ __or__ __sub__ __xor__ __rand__ __ror__ __rsub__ __rxor__"
_OF_VIEW = f"__len__ __contains__ {_COMPARED} {_COMBINED} __repr__ isdisjoint"
_OF_ROW = f"__len__ __getitem__ __contains__ {_COMPARED} __add__ __mul__ __rmul__ __repr__ copy count index"
"""The methods by which lists and deques are read."""

Use = Callable[[Any, Op], None]

_IN_A_LIST = 2
"""The references to a value that only one list has: the list's, and ``getrefcount``'s argument."""


class Fields(Protocol):
    """Is informed of each use."""

    def used(self, container: Any, op: Op) -> None:
        """Called before each use: ``op`` is the container's ``_rb_read`` or ``_rb_write``."""

    def changed_unseen(self, container: Any) -> None:
        """Called if ``container`` has been changed since its last use."""

    def taken_in(self, container: Any, value: Any, spare: bool) -> Any:
        """Return what is put into ``container`` for ``value``; ``spare``: nothing else refers to it."""

    def alone(self, value: Any) -> bool:
        """See ``adoption.alone``."""


class Containers:
    """Makes the containers of one scheduler; ``fields`` is informed of their uses."""

    def __init__(self, fields: Fields) -> None:
        self._fields = fields
        self.classes: dict[type, type] = {}

    def empty(self, like: Any, owner: State, read: Op, write: Op) -> Any:
        """Return an empty container of the class of ``like``, for a field of ``owner``."""
        cls = type(like)
        made = self.classes.get(cls)
        if made is None:
            made = self.classes[cls] = _tracked(cls, self._fields)
        tracked = made((), like.maxlen) if cls is deque else made()
        tracked._rb_owner, tracked._rb_read, tracked._rb_write = owner, read, write
        tracked._rb_leaves, tracked._rb_left = [], ()
        return tracked


def trackable(value: Any) -> bool:
    return type(value) in _METHODS


# -- the classes


def _tracked(base: type, fields: Fields) -> type:
    def reduced(self: Any, protocol: Any = 2) -> Any:
        use(self, self._rb_read)
        plain = plain_copy(self)
        return (deque, (list(plain), plain.maxlen)) if base is deque else (base, (plain,))

    def use(self: Any, op: Op) -> None:
        fields.used(self, op)
        if not untouched(self):
            fields.changed_unseen(self)

    members: dict[str, Any] = {
        "__slots__": ("_rb_field", "_rb_leaves", "_rb_left", "_rb_owner", "_rb_read", "_rb_write"),
        "__hash__": None,
        "__reduce_ex__": reduced,
        "__reduce__": reduced,
    }
    for make, names in _METHODS[base].items():
        for name in names.split():
            members[name] = method = make(base, name, use, fields)
            method.__name__ = name
    return type(base.__name__, (base,), members)


def _reading(base: type, name: str, use: Use, fields: Fields) -> Any:
    plain = getattr(base, name)

    def read(self: Any, *args: Any, **kwargs: Any) -> Any:
        args = _gathered(self, args, use, name in _OF_SETS)
        use(self, self._rb_read)
        # A copy returns plain containers where Python would make another one of our class.
        return plain(self if name in _OF_ONE else plain_copy(self), *args, **kwargs)

    return read


def _writing(base: type, name: str, use: Use, fields: Fields) -> Any:
    plain = getattr(base, name)

    def write(self: Any, *args: Any, **kwargs: Any) -> Any:
        one_by_one = _BY_ONE.get(name)
        if one_by_one is not None and any(_makes_steps(arg) for arg in args):
            for arg in args:
                for value in arg:
                    getattr(self, one_by_one)(value)
            return None
        args = _gathered(self, args, use, name in _OF_SETS)
        use(self, self._rb_write)
        try:
            return plain(self, *args, **kwargs)
        finally:
            if base is set:
                for one in set.__iter__(self):
                    fields.taken_in(self, one, False)
            leave(self)

    return write


def _putting(base: type, name: str, use: Use, fields: Fields) -> Any:
    plain = getattr(base, name)

    def put(self: Any, *args: Any) -> Any:
        if len(args) == 2 and isinstance(args[0], slice):
            args = args[0], list(args[1])
        use(self, self._rb_write)
        if not args:
            return plain(self)
        *before, value = args
        del args
        spare = fields.alone(value)
        if before and isinstance(before[0], slice):
            value = [fields.taken_in(self, one, False) for one in value]
        elif before or name.startswith("append"):
            value = fields.taken_in(self, value, spare)
        try:
            return plain(self, *before, value)
        finally:
            leave(self)

    return put


def _putting_all(base: type, name: str, use: Use, fields: Fields) -> Any:
    plain = getattr(base, name)

    def put(self: Any, *args: Any, **kwargs: Any) -> Any:
        if len(args) == 1 and _makes_steps(args[0]):
            _put_one_by_one(self, name, args[0])
            if not kwargs:
                return self if name.startswith("__") else None
            args = ()
        if base is dict:
            pairs = dict(*args, **kwargs)
            keys, values = list(pairs), list(pairs.values())
            del pairs
        elif len(args) != 1:
            use(self, self._rb_write)
            return plain(self, *args)
        else:
            values = list(args[0])
        del args, kwargs
        # The new values were gathered before, with steps of their own: this step is the change itself.
        use(self, self._rb_write)
        for i in range(len(values)):
            # A value that came in a temporary list is now only in ours.
            spare = getrefcount(values[i]) == _IN_A_LIST
            values[i] = fields.taken_in(self, values[i], spare)
        try:
            return plain(self, dict(zip(keys, values, strict=True)) if base is dict else values)
        finally:
            leave(self)

    return put


_WHOLE = {list, tuple, dict, set, frozenset, deque, str, bytes, bytearray, range}
_BY_ONE = {"update": "add", "difference_update": "discard"}
"""The methods of sets that change the set with each value of their argument."""
_OF_SETS = {
    *("difference", "intersection", "isdisjoint", "issubset", "issuperset", "symmetric_difference", "union"),
    *("intersection_update", "symmetric_difference_update"),
}
"""The methods of sets that take any iterables."""


def _makes_steps(arg: Any) -> bool:
    """Return whether iterating ``arg`` may run the program's code, so that other threads may run too."""
    return type(arg) not in _WHOLE and not hasattr(arg, "_rb_owner")


def _put_one_by_one(self: Any, name: str, arg: Any) -> None:
    """Put the values in as C code does: each is put in before the next one is fetched."""
    if isinstance(self, dict):
        if hasattr(arg, "keys"):
            for key in arg.keys():
                self[key] = arg[key]
        else:
            for key, value in arg:
                self[key] = value
        return
    for value in arg:
        self.appendleft(value) if name == "extendleft" else self.append(value)


def _gathered(self: Any, args: tuple[Any, ...], use: Use, iterables: bool) -> tuple[Any, ...]:
    """Return ``args`` ready for C code: copies of tracked containers, lists of what iterators give.

    Each copy is a step.  All is done before the step of ``self``, to which the method's effect belongs.
    """
    made = []
    for arg in args:
        if arg is not self and type(arg).__base__ in _METHODS and hasattr(arg, "_rb_owner"):
            use(arg, arg._rb_read)
            arg = plain_copy(arg)
        elif iterables and _makes_steps(arg):
            arg = list(arg)
        made.append(arg)
    return tuple(made)


def _added_to(base: type, name: str, use: Use, fields: Fields) -> Any:
    def __radd__(self: Any, other: Any) -> Any:
        use(self, self._rb_read)
        return other + plain_copy(self) if isinstance(other, list) else NotImplemented

    return __radd__


def _sorting(base: type, name: str, use: Use, fields: Fields) -> Any:
    def sort(self: Any, **how: Any) -> None:
        """Sort as ``list.sort``, during which the list is empty.

        A comparison may make steps, so the end of the sort is a step too.
        """
        use(self, self._rb_write)
        items = plain_copy(self)
        steps = how.get("key") is not None or not all(type(one) in ATOMS for one in items)
        list.clear(self)
        leave(self)
        try:
            items.sort(**how)
        finally:
            if steps:
                use(self, self._rb_write)
            spoilt = list.__len__(self)
            list.__setitem__(self, slice(None), items)
            leave(self)
        if spoilt:
            raise ValueError("list modified during sort")

    return sort


# -- iterators and views


class _View:
    """A live view of a dict's keys, values or items; ``_plain`` is Python's own view."""

    _over: Any
    _plain: Any


class _Steps(Iterator[Any]):
    """An iterator each ``next`` of which is a step on the container that it iterates."""

    __slots__ = ("_over", "_plain", "_use")

    def __init__(self, over: Any, plain: Iterator[Any], use: Use) -> None:
        self._over, self._plain, self._use = over, plain, use

    def __next__(self) -> Any:
        self._use(self._over, self._over._rb_read)
        return next(self._plain)


def _iterating(base: type, name: str, use: Use, fields: Fields) -> Any:
    plain = getattr(base, name)

    def begin(self: Any) -> Iterator[Any]:
        # Beginning an iteration reads the container: a dict or set then fixes its size.
        use(self, self._rb_read)
        return _Steps(self, plain(self), use)

    return begin


def _viewing(base: type, name: str, use: Use, fields: Fields) -> Any:
    plain = getattr(base, name)

    def __init__(self: Any, over: Any) -> None:
        self._over, self._plain = over, plain(over)

    def looked_at(of: str) -> Any:
        def look(self: Any, *args: Any) -> Any:
            for one in (self, *args):
                if isinstance(one, _View):
                    use(one._over, one._over._rb_read)
            return getattr(self._plain, of)(*(a._plain if isinstance(a, _View) else a for a in args))

        return look

    def going(of: str) -> Any:
        def begin(self: Any) -> Iterator[Any]:
            use(self._over, self._over._rb_read)
            return _Steps(self._over, getattr(self._plain, of)(), use)

        return begin

    members: dict[str, Any] = {"__init__": __init__}
    members.update({of: looked_at(of) for of in _OF_VIEW.split() if hasattr(type(plain({})), of)})
    members.update({of: going(of) for of in ("__iter__", "__reversed__")})
    if name == "values":
        members["__contains__"] = lambda self, value: any(one is value or one == value for one in self)
    members["mapping"] = property(lambda self: self._plain.mapping)
    view = type(f"dict_{name}", (_View, _VIEWS[name]), members)
    return lambda self: view(self)


# -- which method is which

_METHODS: dict[type, dict[Callable[[type, str, Use, Fields], Any], str]] = {
    list: {
        _reading: _OF_ROW,
        _writing: "__delitem__ __imul__ clear pop remove reverse",
        _putting: "append insert __setitem__",
        _putting_all: "extend __iadd__",
        _iterating: "__iter__ __reversed__",
        _sorting: "sort",
        _added_to: "__radd__",
    },
    dict: {
        _reading: "__len__ __getitem__ __contains__ __eq__ __ne__ __or__ __ror__ __repr__ copy get",
        _writing: "__delitem__ clear pop popitem",
        _putting: "setdefault __setitem__",
        _putting_all: "update __ior__",
        _iterating: "__iter__ __reversed__",
        _viewing: "keys values items",
    },
    set: {
        _reading: f"__len__ __contains__ {_COMPARED} {_COMBINED} __repr__ copy difference intersection "
        "isdisjoint issubset issuperset symmetric_difference union",
        _writing: "__iand__ __ior__ __isub__ __ixor__ add clear difference_update discard "
        "intersection_update pop remove symmetric_difference_update update",
        _iterating: "__iter__",
    },
    deque: {
        _reading: f"{_OF_ROW} __copy__",
        _writing: "__delitem__ __imul__ clear pop popleft remove reverse rotate",
        _putting: "append appendleft insert __setitem__",
        _putting_all: "extend extendleft __iadd__",
        _iterating: "__iter__ __reversed__",
    },
}
