"""Lists, dicts and sets whose every use is a step, for the controlled scheduler.

``s.seen[k] += 1`` reads a field once and then the dict twice; between those two
another thread may come.  So a list, dict or set that a field has by default,
which each state has a copy of, is copied into one of these.  They are real
lists, dicts and sets, and what leaves them by copying is a plain one.  In C,
Python may look into one without asking it: then there is no step, as there is
none for what a program does outside its threads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..primitives import State
from ..trace import Op

_LIST = (
    "__len__ __getitem__ __iter__ __reversed__ __contains__ __eq__ __ne__ __lt__ __le__ __gt__ __ge__ "
    "__add__ __mul__ __rmul__ __repr__ copy count index",
    "__setitem__ __delitem__ __iadd__ __imul__ append clear extend insert pop remove reverse sort",
)
_DICT = (
    "__len__ __getitem__ __iter__ __reversed__ __contains__ __eq__ __ne__ __or__ __ror__ __repr__ "
    "copy get items keys values",
    "__setitem__ __delitem__ __ior__ clear pop popitem setdefault update",
)
_SET = (
    "__len__ __iter__ __contains__ __eq__ __ne__ __lt__ __le__ __gt__ __ge__ __and__ __or__ __sub__ __xor__ "
    "__rand__ __ror__ __rsub__ __rxor__ __repr__ copy difference intersection isdisjoint issubset "
    "issuperset symmetric_difference union",
    "__iand__ __ior__ __isub__ __ixor__ add clear difference_update discard intersection_update pop "
    "remove symmetric_difference_update update",
)

Point = Callable[[Op, Any], None]


class Containers:
    """Makes the containers of one scheduler, whose ``point`` each of their uses calls."""

    def __init__(self, point: Point) -> None:
        self._point = point
        self._classes: dict[type, type] = {}

    def fresh(self, value: Any, owner: State, read: Op, write: Op) -> Any:
        """A copy of ``value``, which is exactly a list, dict or set: the field of ``owner``."""
        cls = type(value)
        made = self._classes.get(cls)
        if made is None:
            made = self._classes[cls] = _tracked(cls, self._point)
        tracked = made(value)
        tracked._rb_owner, tracked._rb_read, tracked._rb_write = owner, read, write
        return tracked


def trackable(value: Any) -> bool:
    return type(value) in _USES


_USES: dict[type, tuple[str, str]] = {list: _LIST, dict: _DICT, set: _SET}


def _tracked(base: type, point: Point) -> type:
    reads, writes = _USES[base]
    members: dict[str, Any] = {
        "__slots__": ("_rb_owner", "_rb_read", "_rb_write"),
        "__hash__": None,
        "__reduce_ex__": lambda self, protocol: (base, (base(self),)),
    }
    for name in reads.split():
        members[name] = _use(base, name, "_rb_read", point)
    for name in writes.split():
        members[name] = _use(base, name, "_rb_write", point)
    if base is set:
        # Python names the class of a set that is not exactly one.
        members["__repr__"] = lambda self: repr(set(set.__iter__(self)))
    return type(base.__name__, (base,), members)


def _use(base: type, name: str, op: str, point: Point) -> Any:
    plain = getattr(base, name)

    def use(self: Any, *args: Any, **kwargs: Any) -> Any:
        owner = getattr(self, "_rb_owner", None)
        if owner is not None:
            point(getattr(self, op), owner)
        return plain(self, *args, **kwargs)

    use.__name__ = name
    return use
