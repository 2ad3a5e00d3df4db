"""All changes for code that knows nothing of RaceBench, for the time of a run.

``Program.instrument`` names classes and modules.  Those of the standard library whose
attributes several threads use are always among them, if they are loaded.
Their attributes are atomic fields, because they rely on CPython to read and write
an attribute in one piece.
"""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import Any

from ...errors import ProgramError, ThreadAbort, described
from ...program import Program
from . import standins
from .classes import Attributes
from .imported_locks import locks_replaced
from .names import attributes, closed

_LIBRARY: dict[str, dict[str, dict[str, str]]] = {
    "queue": {"Queue": {}, "LifoQueue": {}, "PriorityQueue": {}},
    # A pool without a name takes the next number, which would be missing in the names of the user's pools.
    "concurrent.futures": {"Future": {}, "ThreadPoolExecutor": {"thread_name_prefix": "one"}},
    "sched": {"scheduler": {}},
}
"""The classes by module, with what is needed to make an object."""


class Targets:
    """The targets of ``program``: ``classes`` with the single attribute meant ("": all), and ``modules``.

    ``closed`` says why other named classes cannot be instrumented.
    """

    def __init__(self, program: Program) -> None:
        self.classes: dict[type, str] = {}
        self.modules: list[ModuleType] = []
        self.closed: dict[type, str] = {}
        for target in program.instrument:
            try:
                self._add(target)
            except (ImportError, AttributeError) as error:
                what = f"{program.name}: instrument names {target!r}, and {described(error)}"
                raise ProgramError(f"{what}. Write 'package.module:Class'.") from error

    def _add(self, target: Any) -> None:
        attribute = ""
        if isinstance(target, str):
            where, _, what = target.partition(":")
            target = importlib.import_module(where)
            for part in what.split(".") if what else ():
                if isinstance(target, type) and not isinstance(getattr(target, part, None), type):
                    attribute = part
                else:
                    target = getattr(target, part)
        if isinstance(target, ModuleType):
            self.modules.append(target)
            for cls in vars(target).values():
                # In a whole module skip classes that cannot be instrumented: they were not named themselves.
                if isinstance(cls, type) and cls.__module__ == target.__name__ and not closed(cls):
                    self.classes[cls] = ""
            return
        why = closed(target)
        if why:
            self.closed[target] = why
        elif self.classes.get(target) != "":
            self.classes[target] = attribute


def _library() -> dict[type, frozenset[str]]:
    """The classes of loaded library modules that are always instrumented, with their attributes."""
    found = {}
    for where, names in _LIBRARY.items():
        module = sys.modules.get(where)
        for name, how in names.items() if module is not None else ():
            cls = getattr(module, name, None)
            # Somebody may have put a class of their own in its place.
            if isinstance(cls, type) and f"{cls.__module__}.".startswith(f"{where}."):
                found[cls] = _attributes_of_one(cls, **how)
    return found


@functools.cache
def _attributes_of_one(cls: type, **how: str) -> frozenset[str]:
    """The attributes that an object of ``cls`` has from the beginning; these classes give it no others.

    To search the code of a module for them takes as long as to search a small program.
    """
    return frozenset(vars(cls(**how)))


def _no_abort(record: Any) -> bool:
    return not (record.exc_info and record.exc_info[0] is ThreadAbort)


@contextmanager
def installed(program: Program, say: Callable[[str], None]) -> Iterator[list[type]]:
    """Give ``program`` our ``threading``, ``queue`` and ``time`` in this block.

    Yields the classes whose attributes are all instrumented.  ``say`` is called about what cannot be.
    """
    targets = Targets(program)
    for cls, why in targets.closed.items():
        say(f"{program.name}: {cls.__module__}.{cls.__qualname__} {why}: what its objects keep is not seen")
    names = {
        cls: (frozenset([only]) if only else attributes(cls), False) for cls, only in targets.classes.items()
    }
    library = {cls: (own, True) for cls, own in _library().items() if cls not in names}
    names |= library
    modules = [*targets.modules, *(sys.modules[cls.__module__] for cls in library)]
    both: list[Any] = [*modules, *names]
    holders = {id(one): (one, one.__name__) for one in both}
    with ExitStack() as stack:
        stack.enter_context(standins.installed())
        stack.enter_context(
            Attributes(names, lambda sentence: say(f"{program.name}: {sentence}")).installed()
        )
        stack.enter_context(locks_replaced(list(holders.values())))
        if "concurrent.futures" in sys.modules:
            # A pool logs any exception that ends its threads; ours, which unwinds one, is no error.
            import logging

            pools = logging.getLogger("concurrent.futures")
            pools.addFilter(_no_abort)
            stack.callback(pools.removeFilter, _no_abort)
        yield [*library, *(cls for cls, only in targets.classes.items() if not only)]
