"""All changes for code that knows nothing of RaceBench, for the time of a run.

``Program.instrument`` names classes and modules.  Those of the standard library whose
attributes several threads use are always among them, if they are loaded.
Their attributes are atomic fields, because they rely on CPython to read and write
an attribute in one piece.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import Any

from ...errors import ProgramError, ThreadAbort, described
from ...program import Program
from . import standins
from .classes import Attributes, targeted
from .imported_locks import locks_replaced
from .names import closed

_LIBRARY = {
    "queue": ("Queue", "LifoQueue", "PriorityQueue"),
    "concurrent.futures": ("Future", "ThreadPoolExecutor"),
    "sched": ("scheduler",),
}


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


def _library() -> list[type]:
    """The classes of the standard library that are always instrumented, of loaded modules."""
    found = []
    for where, names in _LIBRARY.items():
        module = sys.modules.get(where)
        for name in names if module is not None else ():
            cls = getattr(module, name, None)
            if isinstance(cls, type) and not closed(cls):
                found.append(cls)
    return found


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
    library = [cls for cls in _library() if cls not in targets.classes]
    names = {cls: targeted(cls, only, False) for cls, only in targets.classes.items()}
    names |= {cls: targeted(cls, "", True) for cls in library}
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
