"""Shared state: the fields of the objects that threads share.

Outside a run a ``shared`` field is an ordinary attribute.  During a run the
installed runtime replaces the class of each object that is *created* then by its own,
whose fields are instrumented properties.  Hence the one rule for users: build the
state inside ``setup`` (or inside a thread), not before.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, ClassVar, Self, TypeVar, cast

from ..errors import UsageError, described
from ..values import Instrumented, kept_when_copied, leaves
from . import runtime

T = TypeVar("T")


class Field:
    """The declaration of one shared field; see ``shared``.

    Outside a run the field is a plain instance attribute.  Read from the class it
    is the default, which ``dataclasses`` needs.
    """

    __slots__ = ("atomic", "default", "delayed", "name")

    def __init__(self, default: Any, atomic: bool, delayed: bool = False) -> None:
        self.default, self.atomic, self.delayed, self.name = default, atomic, delayed, ""

    def __get__(self, obj: Any, owner: type | None = None) -> Any:
        return self.default

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name


def shared(default: T, *, atomic: bool = False, delayed: bool = False) -> T:
    """Declare an instrumented field of a State class.

    Each read and each write is one step.  ``atomic=True`` says that the code
    under test accesses it atomically: no ``data_race``, and it orders threads.

    The default is deep-copied for each instance.  Under control each use of a
    list, dict, set or deque in a field, and of those inside it (in one
    another, in tuples, in frozen dataclasses), is a step too: ``s.seen["k"] += 1``
    reads the field, reads the dict and writes it, and another thread may run in
    between.  Each ``next`` of an iteration is a step.  The same holds for containers that are
    assigned or put in later, unless something else refers to them as well: then they
    cannot be replaced by instrumented copies.  ``data_race`` looks only at the field's own
    reads and writes.

    Other objects that can change in place (an object with attributes, a bytearray, an
    iterator, a closure) change unseen.  If two threads touch a field that has such
    a value, ``explore``, ``verify`` and ``replay`` say so, and find no more than they
    see: their answer is not CLEAN but UNKNOWN.  The same holds if C code changes a list
    without calling its methods, as heapq does.  A class without attributes declares that
    by ``__slots__ = ()``; one whose objects never change is a frozen dataclass.  Two reads of
    a value that changes unseen are searched in both orders, and what happens in between
    counts as one step.  ``stress`` lets real threads use the real objects, and so misses
    nothing of this.

    ``delayed=True``: a write may become visible to other threads later than
    the writer's next steps, as on ARM.  With ``atomic`` too, it is what Linux
    and Xen write with WRITE_ONCE: no data race by itself, and it orders what its
    writer did before the store before what a reader does after it has seen the value.
    Each thread has a first-in first-out buffer for each delayed field of each
    object.  A write goes there (step STORE), and leaves it for all to see in a
    step of the buffer (WRITE), at any time.  The writer itself reads its own
    latest write.  Before a thread goes on from ``smp_wmb`` or ``smp_mb``, takes or
    releases a lock or semaphore, waits on a condition, or is interrupted, and
    before its handler returns, its buffers have run empty; the same at
    the end, before ``check``.  Loads are not delayed, nor are other fields.
    In a run the objects of a class with delayed fields are made in ``setup``.
    """
    return cast(T, Field(default, atomic, delayed))


delays_declared = False
"""Whether any class of this process has a delayed field."""


_bare = object.__new__


def _copier(cls: type, field: Field) -> Callable[[Any, Any], Any]:
    """A function that makes the value of a new object: a deep copy of the default of ``field``."""
    kept = list(kept_when_copied(field.default))

    def copied(default: Any, owner: Any) -> Any:
        try:
            return copy.deepcopy(default, {id(one): one for one in kept})
        except Exception as error:
            raise UsageError(
                f"{cls.__name__}.{field.name}: its default cannot be copied for each object: "
                f"{described(error)}. Assign it in __init__."
            ) from error

    return copied


class State(Instrumented):
    """Base of shared state.  Override ``label`` to name instances in reports."""

    _rb_fields: ClassVar[dict[str, Field]] = {}
    _rb_defaults: ClassVar[dict[str, Any]] = {}
    _rb_copied: ClassVar[tuple[tuple[str, Callable[[Any, Any], Any]], ...]] = ()
    _rb_delayed: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "_rb_variant_of" in cls.__dict__:
            return
        fields = dict(cls._rb_fields)
        fields.update({k: v for k, v in cls.__dict__.items() if isinstance(v, Field)})
        if "label" in fields:
            raise UsageError(
                f"{cls.__name__}.label: reports name the object by that. Give the field another name."
            )
        cls._rb_fields = fields
        cls._rb_defaults = {name: f.default for name, f in fields.items()}
        cls._rb_delayed = tuple(name for name, f in fields.items() if f.delayed)
        if cls._rb_delayed:
            global delays_declared
            delays_declared = True
        cls._rb_copied = tuple((name, _copier(cls, f)) for name, f in fields.items() if leaves(f.default))

    def __new__(cls, /, *args: Any, **kwargs: Any) -> Self:
        now = runtime.current
        own: Any = cls if now is None else now.types.get(cls) or now.substitute(cls)
        obj: Self = _bare(own)
        obj.__dict__.update(own._rb_defaults)
        if now is not None and now.numbers:
            now.created(obj)
        if own._rb_copied:
            for name, copied in own._rb_copied:
                obj.__dict__[name] = copied(obj.__dict__[name], obj)
        return obj

    def label(self) -> str:
        """The name of this object in schedules and reports.

        It must not change during an execution nor read a shared field.  The
        default is the class name, with ``#n`` from the second instance on.
        """
        serial = self.__dict__.get("_rb_serial", "")
        return f"{type(self).__name__}{serial}"
