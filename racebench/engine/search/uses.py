"""What a partial order keeps of each key, and of each processor to which interrupts come."""

from __future__ import annotations

from .event import Key


class Uses:
    """The steps on one key so far: indices into the execution, and the steps that happened before them.

    ``writes`` has every write; ``reads`` the reads since the last one; ``all`` every step, for a read-write
    lock only.  ``before_write`` and ``before_reads`` have as bits all steps up to the last write and up to
    the reads since.
    """

    __slots__ = ("all", "before_reads", "before_write", "reads", "writes")

    def __init__(self) -> None:
        self.before_write = self.before_reads = 0
        self.writes: list[int] = []
        self.reads: list[int] = []
        self.all: list[int] = []


class Processor:
    """The interrupts and returns on one processor, in order, and where an interrupt could have come.

    ``open`` is the last step on it before which an interrupt could have come, -1 if there is none yet;
    ``masked``: its thread has interrupts off.
    """

    __slots__ = ("came", "key", "masked", "open")

    def __init__(self, key: Key) -> None:
        self.key = key
        self.open = -1
        self.masked = False
        self.came: list[int] = []
