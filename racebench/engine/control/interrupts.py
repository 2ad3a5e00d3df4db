"""Interrupts under control: a handler runs in the place of the thread that it interrupts.

A handler has a worker of its own, but the program sees one processor: from the step INTERRUPT to the
step RETURN the interrupted thread cannot move.  That thread keeps the locks that it holds, so a handler
that wants one of them waits for a thread that waits for the handler.

For a search an interrupt is a thread like any other; its first step does not commute with the
interrupted thread's steps, and cannot be made while that thread has interrupts off or another handler
runs there.
"""

from __future__ import annotations

from ...errors import ThreadAbort
from ...primitives import ops
from ...program import Program
from ...trace import Kind
from ..stuck import error_fault
from .floor import Floor
from .task import Cpu, Task


def tasks_of(program: Program, tasks: list[Task]) -> list[Task]:
    """Return a task for each interrupt of ``program``; ``tasks`` are its threads."""
    by_name = {task.name: task for task in tasks}
    made: list[Task] = []
    for name, (thread, handler) in program.interrupts.items():
        victim = by_name[thread]
        if victim.cpu is None:
            victim.cpu = Cpu(victim)
        task = Task(len(tasks) + len(made), name, handler)
        task.onto = victim.cpu
        made.append(task)
    return made


def offer(task: Task) -> None:
    """Prepare ``task`` before an execution: the interrupt may come from the first step on."""
    assert task.onto is not None
    task.onto.reset()
    task.op, task.obj, task.ready = ops.INTERRUPT, task.onto, True
    task.alive = task.irqs = False


def switch(s: Floor, on: bool | None) -> bool:
    """Switch the running thread's interrupts on or off; return whether they were on."""
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
        s.object_changed(me.cpu, me)
    return were


def handle(s: Floor, task: Task) -> None:
    """Run the handler of ``task`` in place of the thread that it interrupts; its step has been chosen."""
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
        s.say(error_fault(task.name, error, len(s.log)), task)
    if task.aborted:
        raise ThreadAbort
    s.fence()
    s.point(ops.RETURN, cpu)
    _resume(s, cpu, task)


def _suspend(s: Floor, cpu: Cpu, task: Task) -> None:
    cpu.handler = task
    victim = cpu.task
    if victim.alive:
        cpu.saved = victim.op, victim.obj
        cpu.watched = victim in s.watchers
        if cpu.watched:
            s.watchers.remove(victim)
        victim.op, victim.obj = ops.SUSPENDED, cpu
    s.object_changed(cpu, task)


def _resume(s: Floor, cpu: Cpu, task: Task) -> None:
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
    s.object_changed(cpu, task)
    s.refresh()
