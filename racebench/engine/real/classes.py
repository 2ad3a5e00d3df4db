"""Turn attributes of ordinary classes into shared fields for the time of a run.

For each object of such a class that a program makes there is a State, its *cell*, and
the object's attributes are fields of the cell: so each engine treats them like any
field, lists and dicts in them included.  For that the class gets a descriptor for each
name that its objects may have (``names``).  A name that is not found this way stays a plain
attribute; a change of it is reported as unseen.

The cell is kept in the object itself, in its dict or in its first slot.  An object that was
made before the run has no cell, and keeps its plain attributes.  An object that outlives an
execution is reported, because its values are not restored.  A read of a missing attribute
is a read of the field.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from ...primitives import State, runtime, shared
from ..blind_spots import outlives

_CELL, _ERA = "_rb_cell", "_rb_era"
_COPIED_BY = ("__getstate__", "__setstate__", "__reduce__", "__reduce_ex__", "__copy__", "__deepcopy__")


class _Missing:
    __slots__ = ()

    def __repr__(self) -> str:
        return "<missing>"


_MISSING: Any = _Missing()


@functools.lru_cache(maxsize=512)
def _cell_class(cls: type, names: frozenset[str], atomic: bool) -> type:
    fields: dict[str, Any] = {name: shared(_MISSING, atomic=atomic) for name in sorted(names)}
    return type(cls.__name__, (State,), {"__module__": cls.__module__, **fields})


class Attributes:
    """The instrumented classes of one run: which attributes of each, and whether they are atomic.

    ``say`` is called about objects that outlive an execution.
    """

    def __init__(self, names: Mapping[type, tuple[frozenset[str], bool]], say: Callable[[str], None]) -> None:
        self._names, self._say = names, say
        self._cells: dict[type, tuple[type, types.MemberDescriptorType | None]] = {}
        self._slots = {
            cls: {n: one for n, one in vars(cls).items() if isinstance(one, types.MemberDescriptorType)}
            for cls in names
        }

    def _kind(self, cls: type) -> tuple[type, types.MemberDescriptorType | None]:
        """The cell class for objects of ``cls``, and the slot that keeps a cell (None: the dict)."""
        kind = self._cells.get(cls)
        if kind is None:
            bases = [base for base in cls.__mro__ if base in self._names]
            all_names = frozenset[str]().union(*(self._names[base][0] for base in bases))
            slot = None
            if not cls.__dictoffset__:
                slot = next(one for base in bases for one in self._slots[base].values())
            cell = _cell_class(cls, all_names, self._names[bases[0]][1])
            kind = self._cells[cls] = cell, slot
        return kind

    def cell_of(self, obj: Any) -> Any:
        """The cell of ``obj``, made now if the program is making the object; None if that is older."""
        make, slot = self._kind(type(obj))
        if slot is None:
            cell = obj.__dict__.get(_CELL)
        else:
            cell = _in_slot(slot, obj)
            if cell is not None and not isinstance(cell, State):
                return None
        now: Any = runtime.current
        if cell is not None:
            if now is not None and cell.__dict__[_ERA] != now.era:
                self._outlives(obj, cell, now.era)
            return cell
        if not runtime.inside() or (slot is None and not self._is_new(obj)):
            return None
        cell = make()
        cell.__dict__[_ERA] = now.era
        if slot is None:
            # Not by ``setattr``, which a program's class may override.
            return obj.__dict__.setdefault(_CELL, cell)
        slot.__set__(obj, cell)
        return cell

    def _is_new(self, obj: Any) -> bool:
        own = obj.__dict__
        return all(name not in own for base in type(obj).__mro__ for name in self._names.get(base, _NONE)[0])

    def _outlives(self, obj: Any, cell: Any, era: int) -> None:
        cell.__dict__[_ERA] = era
        self._say(outlives(f"an object of {type(obj).__name__}"))

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Make the classes' attributes fields in this block."""
        with ExitStack() as undo:
            for cls, (names, _) in self._names.items():
                changed: dict[str, Any] = {
                    name: Attribute(self, name, vars(cls).get(name, _MISSING)) for name in names
                }
                changed["__init__"] = _init(self, cls)
                if not any(hook in vars(base) for base in cls.__mro__[:-1] for hook in _COPIED_BY):
                    changed["__getstate__"], changed["__setstate__"] = _copying(self, cls)
                for name, value in changed.items():
                    undo.callback(_put_back, cls, name, vars(cls).get(name, _MISSING))
                    setattr(cls, name, value)
            yield


_NONE: tuple[frozenset[str], bool] = frozenset(), False


class Attribute:
    """The descriptor of one attribute; ``before`` is the class's own value under that name."""

    def __init__(self, all_of_them: Attributes, name: str, before: Any) -> None:
        self._cell_of, self.name, self.before = all_of_them.cell_of, name, before
        self._slot = before if isinstance(before, types.MemberDescriptorType) else None

    def __get__(self, obj: Any, cls: type) -> Any:
        if obj is None:
            if self.before is _MISSING:
                raise AttributeError(f"type object {cls.__name__!r} has no attribute {self.name!r}")
            return self.before
        cell = self._cell_of(obj)
        if cell is not None:
            value = getattr(cell, self.name)
        elif self._slot is not None:
            value = self._slot.__get__(obj)
        else:
            value = obj.__dict__.get(self.name, _MISSING)
        if value is not _MISSING:
            return value
        if self.before is not _MISSING and self._slot is None:
            return self.before
        raise AttributeError(
            f"{type(obj).__name__!r} object has no attribute {self.name!r}", name=self.name, obj=obj
        )

    def __set__(self, obj: Any, value: Any) -> None:
        cell = self._cell_of(obj)
        if cell is not None:
            setattr(cell, self.name, value)
        elif self._slot is not None:
            self._slot.__set__(obj, value)
        else:
            obj.__dict__[self.name] = value

    def __delete__(self, obj: Any) -> None:
        self.__get__(obj, type(obj))
        if self._cell_of(obj) is not None:
            self.__set__(obj, _MISSING)
        elif self._slot is not None:
            self._slot.__delete__(obj)
        else:
            del obj.__dict__[self.name]


def _in_slot(slot: types.MemberDescriptorType, obj: Any) -> Any:
    try:
        return slot.__get__(obj)
    except AttributeError:
        return None


def _init(all_of_them: Attributes, cls: Any) -> Any:
    """An ``__init__`` that gives a new object its cell: the thread that makes it determines its name."""
    own = vars(cls).get("__init__")

    @functools.wraps(cls.__init__)
    def init(obj: Any, *args: Any, **how: Any) -> None:
        all_of_them.cell_of(obj)
        if own is not None:
            own(obj, *args, **how)
        elif hasattr(super(cls, obj).__init__, "__func__"):
            super(cls, obj).__init__(*args, **how)

    return init


def _copying(all_of_them: Attributes, cls: Any) -> tuple[Any, Any]:
    """``__getstate__`` and ``__setstate__``: a copy gets the attributes, and a cell of its own."""

    def getstate(obj: Any) -> Any:
        cell = all_of_them.cell_of(obj)
        if cell is None:
            return super(cls, obj).__getstate__()
        state = {name: value for name, value in getattr(obj, "__dict__", {}).items() if name != _CELL}
        fields = {name: getattr(cell, name) for name in cell._rb_fields}
        return state | {name: value for name, value in fields.items() if value is not _MISSING}

    def setstate(obj: Any, state: Any) -> None:
        for part in state if isinstance(state, tuple) else (state,):
            for name, value in (part or {}).items():
                setattr(obj, name, value)

    return getstate, setstate


def _put_back(cls: type, name: str, before: Any) -> None:
    if before is not _MISSING:
        setattr(cls, name, before)
    elif name in vars(cls):
        delattr(cls, name)
