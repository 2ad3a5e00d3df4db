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

from ...errors import ProgramError, ThreadAbort, told
from ...program import Program
from . import standins
from .classes import is_open, shared_attributes
from .imported import locks_replaced

_LIBRARY = ("queue", "concurrent.futures._base", "concurrent.futures.thread", "sched")


class Targets:
    """What ``program`` has instrumented: ``classes`` with the one attribute meant, and ``modules``."""

    def __init__(self, program: Program) -> None:
        self.classes: dict[type, str] = {}
        self.modules: list[ModuleType] = []
        self.closed: list[type] = []
        for target in program.instrument:
            try:
                self._add(target)
            except (ImportError, AttributeError) as error:
                what = f"{program.name}: instrument names {target!r}, and {told(error)}"
                raise ProgramError(f"{what}. Write 'package.module:Class'.") from error

    def _add(self, target: Any) -> None:
        if isinstance(target, str):
            where, _, what = target.partition(":")
            found: Any = importlib.import_module(where)
            attribute = ""
            for part in what.split(".") if what else ():
                if isinstance(found, type) and not isinstance(getattr(found, part, None), type):
                    attribute = part
                else:
                    found = getattr(found, part)
            if isinstance(found, type):
                self._class(found, attribute)
                return
            target = found
        if isinstance(target, ModuleType):
            self.modules.append(target)
            for cls in _classes(target):
                self._class(cls, "")
        else:
            self._class(target, "")

    def _class(self, cls: type, attribute: str) -> None:
        if not is_open(cls):
            self.closed.append(cls)
        elif self.classes.get(cls) != "":
            self.classes[cls] = attribute


def _classes(module: ModuleType) -> list[type]:
    """The classes that ``module`` itself defines, those with attributes to be seen."""
    return [
        value
        for value in vars(module).values()
        if isinstance(value, type) and value.__module__ == module.__name__ and is_open(value)
    ]


def _no_abort(record: Any) -> bool:
    return not (record.exc_info and record.exc_info[0] is ThreadAbort)


@contextmanager
def installed(program: Program, say: Callable[[str], None]) -> Iterator[list[type]]:
    """Have ``program`` run with ``threading``, ``queue`` and ``time`` of ours; all is undone afterwards.

    Gives the classes all of whose attributes are seen.  ``say`` is told what cannot be.
    """
    targets = Targets(program)
    for cls in targets.closed:
        say(
            f"{program.name}: {cls.__module__}.{cls.__qualname__} is written in C or not a class with "
            "attributes: what it keeps is not seen"
        )
    modules = [sys.modules[name] for name in _LIBRARY if name in sys.modules]
    public = [cls for module in modules for cls in _classes(module) if not cls.__name__.startswith("_")]
    library = [cls for cls in public if cls not in targets.classes]
    with ExitStack() as stack:
        stack.enter_context(standins.installed())
        for cls, only in targets.classes.items():
            stack.enter_context(shared_attributes(cls, only))
        for cls in library:
            stack.enter_context(shared_attributes(cls, atomic=True))
        holders: list[tuple[Any, str]] = [
            (module, module.__name__) for module in (*modules, *targets.modules)
        ]
        holders += [(cls, cls.__name__) for cls in (*targets.classes, *library)]
        stack.enter_context(locks_replaced(holders))
        if modules:
            # A pool tells of whatever ends its threads; that we end one is nobody's fault.
            import logging

            pools = logging.getLogger("concurrent.futures")
            pools.addFilter(_no_abort)
            stack.callback(pools.removeFilter, _no_abort)
        yield [*library, *(cls for cls, only in targets.classes.items() if not only)]
