"""Happens-before and races where interrupts come to threads.

A processor is to its thread, and to the interrupts that come to it, what a lock
is to its holders: between INTERRUPT and RETURN the thread cannot move.  Each
step of the thread, and each coming and going of an interrupt, writes the
processor's key, so all of them are ordered.  Two things can be swapped: an
interrupt with the last step before which it could have come, and the step at
which the thread goes on with the interrupt that came before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..trace import Kind
from .events import Event, Key
from .races import History, Ready


class _Processor:
    """What came to one processor so far.

    ``open`` is the last step on it before which an interrupt could have come,
    ``came`` the last interrupt, -1 before there is one; ``masked`` says that its
    thread has interrupts off, ``busy`` that a handler runs.
    """

    __slots__ = ("busy", "came", "key", "masked", "open")

    def __init__(self, key: Key) -> None:
        self.key = key
        self.open = self.came = -1
        self.masked = self.busy = False


class InterruptedHistory(History):
    """History for a program with interrupts; ``cpus`` has the processors' keys, by thread."""

    def __init__(self, threads: int, cpus: Mapping[int, Key]) -> None:
        super().__init__(threads)
        self._by_thread = {proc: _Processor(key) for proc, key in cpus.items()}
        self._by_key = {cpu.key: cpu for cpu in self._by_thread.values()}

    def add(self, event: Event, ready: Ready, races: bool) -> list[int]:
        found = super().add(event, ready, races)
        cpu, index = self._by_thread.get(event.proc), len(self.events) - 1
        if event.kind is Kind.INTERRUPT:
            cpu = self._by_key[event.writes[0]]
            cpu.open = cpu.came = index
            cpu.busy = True
        elif event.kind is Kind.RETURN:
            self._by_key[event.writes[0]].busy = False
        elif cpu is not None:
            if not cpu.masked:
                cpu.open = index
            if event.kind is Kind.IRQS_OFF or event.kind is Kind.IRQS_ON:
                cpu.masked = event.kind is Kind.IRQS_OFF
        return found

    def races_of(self, event: Event, ready: Ready) -> Iterator[int]:
        if event.kind is Kind.INTERRUPT:
            cpu = self._by_key[event.writes[0]]
            if cpu.open >= 0:
                yield cpu.open
            return
        if event.kind is Kind.RETURN:
            return
        before = self._last[event.proc]
        goer = self._by_thread.get(event.proc)
        if goer is not None:
            if goer.came >= 0 and not before >> goer.came & 1 and self._could_go_on(event, goer.came, ready):
                yield goer.came
            if goer.busy:
                return
            before |= self._access(goer.key).before_write
        yield from self._races_after(before, event, ready)

    def _could_go_on(self, event: Event, came: int, ready: Ready) -> bool:
        """Whether ``event`` may have been possible without the interrupt at ``came``.

        It was if its thread was ready then; else if something that does not
        come after the interrupt may have made it so.
        """
        if any(task.index == event.proc for task in ready[came]):
            return True
        touched = {*event.reads, *event.writes}
        return any(
            not self.after(came, i) and touched.intersection(self.events[i].writes)
            for i in range(came + 1, len(self.events))
        )
