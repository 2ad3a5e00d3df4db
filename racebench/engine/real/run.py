"""All that code which knows nothing of RaceBench finds changed while a run lasts.

``Program.instrument`` names classes and modules; those of the standard library whose
attributes are used by several threads are always among them, as far as they are loaded.
Their attributes are atomic fields: that CPython reads and writes an attribute whole is
what they rely on.
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
    """What ``program`` has instrumented: ``classes`` with the one attribute meant, and ``modules``.

    ``closed`` says of other classes why they cannot be.
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
                # Of a whole module only those that can be: the others were not asked for by name.
                if isinstance(cls, type) and cls.__module__ == target.__name__ and not closed(cls):
                    self.classes[cls] = ""
            return
        why = closed(target)
        if why:
            self.closed[target] = why
        elif self.classes.get(target) != "":
            self.classes[target] = attribute


def _library() -> list[type]:
    """Those classes of the standard library that are always seen, of modules that are loaded."""
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
    """Have ``program`` run with ``threading``, ``queue`` and ``time`` of ours; all is undone afterwards.

    Gives the classes all of whose attributes are seen.  ``say`` is told what cannot be.
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
            # A pool tells of whatever ends its threads; that we end one is nobody's fault.
            import logging

            pools = logging.getLogger("concurrent.futures")
            pools.addFilter(_no_abort)
            stack.callback(pools.removeFilter, _no_abort)
        yield [*library, *(cls for cls, only in targets.classes.items() if not only)]
