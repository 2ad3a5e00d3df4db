"""Interrupts under control: a handler that takes the place of the thread it interrupts.

A handler has a worker of its own, but what the program sees is one processor:
from the step INTERRUPT to the step RETURN the interrupted thread cannot move.
What that thread holds stays its own, so a handler that wants one of its locks
waits for a thread that waits for the handler.

For a search an interrupt is a thread like any other, whose first step does not
commute with the interrupted thread's steps and cannot be made while that has
interrupts off or another handler runs there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ...errors import ThreadAbort
from ...trace import Kind, Op
from ..stuck import CPU, error_event
from . import ops

if TYPE_CHECKING:
    from .scheduler import Scheduler, Task


class Cpu:
    """The processor under a thread that an interrupt can come to.

    ``handler`` is the interrupt that runs on it, ``saved`` the offer of the
    thread that is suspended meanwhile, ``watched`` whether it was a predicate's.
    """

    __slots__ = ("_rb_id", "handler", "saved", "task", "watched")

    cls = CPU

    def __init__(self, task: Task) -> None:
        self.task = task
        self._rb_id = ("cpu", task.index)
        self.reset()

    def reset(self) -> None:
        self.handler: Task | None = None
        self.saved: tuple[Op, Any] | None = None
        self.watched = False

    def label(self) -> str:
        return self.task.name

    name = property(label)

    def ready_for(self, task: Task) -> bool:
        if task.op is ops.INTERRUPT:
            victim = self.task
            if victim.buffer is not None and victim.buffer.pending:
                return False
            # A thread that crashed has taken its processor with it.
            return victim.irqs and self.handler is None and not victim.aborted
        return task.op is not ops.SUSPENDED

    def owners_for(self, task: Task) -> Iterable[Task]:
        return (self.handler,) if task.op is ops.SUSPENDED and self.handler is not None else ()


def tasks_of(program: Any, tasks: list[Task], make: Any) -> list[Task]:
    """A task for each interrupt of ``program``; ``tasks`` are its threads."""
    by_name = {task.name: task for task in tasks}
    made: list[Task] = []
    for name, (thread, handler) in program.interrupts.items():
        victim = by_name[thread]
        if victim.cpu is None:
            victim.cpu = Cpu(victim)
        task = make(len(tasks) + len(made), name, handler)
        task.onto = victim.cpu
        made.append(task)
    return made


def offer(task: Task) -> None:
    """Before an execution: the interrupt may come from the first step on."""
    assert task.onto is not None
    task.onto.reset()
    task.op, task.obj, task.ready = ops.INTERRUPT, task.onto, True
    task.alive = task.irqs = False


def switch(s: Scheduler, on: bool | None) -> bool:
    """Switch the running thread's interrupts; whether they were on."""
    me = s.caller()
    if me is None:
        return True
    were = me.irqs
    if on is None or on is were or me.aborted:
        return were
    if me.cpu is not None:
        s.point(ops.IRQS_ON if on else ops.IRQS_OFF, me.cpu)
    me.irqs = on
    if me.cpu is not None:
        s.settle(me.cpu, me)
    return were


def handle(s: Scheduler, task: Task) -> None:
    """Run ``task``'s handler in place of the thread that it interrupts; the step is chosen."""
    cpu = task.onto
    assert cpu is not None
    if s.recorder is not None:
        s.recorder.step(task, ops.INTERRUPT, cpu)
    s.log.append((task, ops.INTERRUPT, cpu))
    task.alive = True
    _suspend(s, cpu, task)
    try:
        task.function(s.outcome.state)
    except ThreadAbort:
        raise
    except BaseException as error:
        if task.aborted:
            raise ThreadAbort from None
        s.say(error_event(task.name, error, len(s.log)), task)
    if task.aborted:
        raise ThreadAbort
    s.fence()
    s.point(ops.RETURN, cpu)
    _resume(s, cpu, task)


def _suspend(s: Scheduler, cpu: Cpu, task: Task) -> None:
    cpu.handler = task
    victim = cpu.task
    if victim.alive:
        cpu.saved = victim.op, victim.obj
        cpu.watched = victim in s.watchers
        if cpu.watched:
            s.watchers.remove(victim)
        victim.op, victim.obj = ops.SUSPENDED, cpu
    s.settle(cpu, task)


def _resume(s: Scheduler, cpu: Cpu, task: Task) -> None:
    victim, saved = cpu.task, cpu.saved
    cpu.handler = cpu.saved = None
    if saved is not None:
        op, obj = victim.op, victim.obj = saved
        if op.is_field:
            victim.ready = True
        elif op.kind is Kind.WAIT_UNTIL:
            victim.ready = obj.holds(s)
        else:
            victim.ready = obj.ready_for(victim)
        if cpu.watched:
            s.watchers.append(victim)
    s.settle(cpu, task)
    s.refresh()
