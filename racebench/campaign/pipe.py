"""Whole messages between this process and one that it has forked.

They are pickled, after a mark and their length.  Loading the ``multiprocessing`` module for
this would take a tenth of a short command's time; it is needed only where there is no fork.
"""

from __future__ import annotations

import os
import pickle
import select
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Union

if TYPE_CHECKING:
    from multiprocessing.connection import Connection as Theirs

_MARK, _LENGTH = b"race", 8


class End:
    """One end of a pipe for messages: a descriptor to read from and one to write to."""

    def __init__(self, reads: int, writes: int) -> None:
        self._reads, self._writes = reads, writes

    def send(self, obj: Any, /) -> None:
        """Send one message; it is pickled before its first byte is sent."""
        data = pickle.dumps(obj)
        left = memoryview(b"".join((_MARK, len(data).to_bytes(_LENGTH, "big"), data)))
        while left:
            left = left[os.write(self._writes, left) :]

    def recv(self) -> Any:
        """The next message; EOFError if the other end is gone, ValueError for bytes that are no message."""
        if self._read(len(_MARK)) != _MARK:
            raise ValueError("no message")
        length = int.from_bytes(self._read(_LENGTH), "big")
        return pickle.loads(self._read(length))

    def _read(self, count: int) -> bytes:
        pieces = []
        while count:
            piece = os.read(self._reads, min(count, 1 << 20))
            if not piece:
                raise EOFError
            pieces.append(piece)
            count -= len(piece)
        return b"".join(pieces)

    def poll(self) -> bool:
        """Whether there is something to read; the end of the pipe counts too."""
        return self in readable([self], 0)

    def fileno(self) -> int:
        return self._reads

    def close(self) -> None:
        for descriptor in {self._reads, self._writes} - {-1}:
            os.close(descriptor)
        self._reads = self._writes = -1


Connection = Union[End, "Theirs[Any, Any]"]
"""One end of a pipe: ours, or one of ``multiprocessing``."""


def pair() -> tuple[End, End]:
    """Two ends; each reads what the other sends."""
    there, back = os.pipe(), os.pipe()
    return End(back[0], there[1]), End(there[0], back[1])


def leash() -> tuple[End, End]:
    """An end that only reads, and an end that only sends."""
    reads, writes = os.pipe()
    return End(reads, -1), End(-1, writes)


def readable(ends: Collection[Connection], timeout_s: float) -> list[Any]:
    """Wait until one of ``ends`` has data or is closed, or the time is up; return all such ends."""
    if not hasattr(select, "poll"):
        from multiprocessing.connection import wait

        return wait(ends, timeout_s)  # type: ignore[arg-type]
    poll = select.poll()
    for end in ends:
        poll.register(end.fileno(), select.POLLIN)
    ready = {descriptor for descriptor, _ in poll.poll(timeout_s * 1000)}
    return [end for end in ends if end.fileno() in ready]
