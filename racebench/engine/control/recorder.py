"""The detailed record of one controlled execution."""

from __future__ import annotations

from collections import deque
from typing import Any

from ...primitives import Primitive
from ...trace import Op, Site, Step, object_name
from ..citations import Citations
from ..instrument import SLOT, show, site_of
from ..osthreads import caller_frame, frame_of, innermost
from ..stuck import UNKNOWN_SITE, wanted_site
from .task import Task


def _site_of_function(function: Any) -> Site:
    code = getattr(function, "__code__", None)
    return UNKNOWN_SITE if code is None else site_of(code, -1)


class StepRecorder:
    """Keeps every step with its place, its locks and the field's value around it.

    A value is read directly from the object, without a step.  The value that a write left is read when the
    next step begins: no other thread runs in between.
    """

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.wanted: dict[str, Site] = {}
        self.citations = Citations()
        self._last: tuple[Step, Any, str] | None = None

    def step(self, task: Task, op: Op, obj: Any) -> None:
        self.end()
        if task.fifo is not None:
            # A buffer has no function either: its step is shown at the place of the store.
            site, file = task.fifo.places.popleft()
        else:
            frame = caller_frame(2)
            self.citations.cite(frame)
            theirs = innermost(frame)
            if theirs is None:
                # An interrupt comes and returns in no function: the step is shown at its handler.
                site, file = _site_of_function(task.function), ""
            else:
                site, file = site_of(theirs.f_code, theirs.f_lasti), theirs.f_code.co_filename
        lock_class = obj.cls if isinstance(obj, Primitive) else ""
        held = tuple(lock.name for lock, _, _ in task.held)
        step = Step(task.name, op.kind, object_name(op, obj), lock_class, site)
        step.held, step.atomic, step.file = held, op.atomic, file
        if op.is_field:
            slot = SLOT + op.field
            step.old = show(obj.__dict__.get(slot))
            self._last = (step, obj, slot)
        self.steps.append(step)

    def stored(self, places: deque[tuple[Site, str]], value: Any) -> None:
        """Note that the last step was a store: the value that went into the buffer, and its place."""
        step = self.steps[-1]
        step.new = show(value)
        places.append((step.site, step.file))
        self._last = None

    def blocked(self, task: Task) -> None:
        """Note that ``task`` still waits when the execution ends; its stack shows where it waits."""
        self.wanted[task.name] = wanted_site(task)
        self.citations.cite(frame_of(task.thread))

    def end(self) -> None:
        if self._last is not None:
            step, obj, slot = self._last
            step.new = show(obj.__dict__.get(slot))
            self._last = None
