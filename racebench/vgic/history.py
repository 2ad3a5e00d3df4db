"""Return codes: some serial order of the operations has to explain them all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from errno import errorcode
from typing import Any

from ..findings import Broken, broken
from .language import Operation
from .serial import Serial
from .system import System, alone, explained


class History:
    """Checks the rule ``history.not_serializable`` for a program whose threads' operations are known."""

    def __init__(self, build: Callable[[], System], threads: Mapping[str, tuple[Operation, ...]]) -> None:
        self._threads = threads
        self._operations = sorted({op for ops in threads.values() for op in ops}, key=str)
        self._build = build
        self._serial: Serial | None = None

    def audit(self, results: Mapping[str, list[Any] | None]) -> Iterator[Broken]:
        """``results`` has each thread's return codes; if any are missing, nothing is checked."""
        if self._serial is None:
            self._serial = Serial(self._build, [alone(op) for op in self._operations])
        logs, words = [], {}
        for name, operations in self._threads.items():
            codes = results.get(name)
            if codes is None:
                return
            done = [(op, explained(op, code)) for op, code in zip(operations, codes, strict=True)]
            logs.append([(self._operations.index(op), code) for op, code in done])
            words[name] = [said(op, code) for op, code in done]
        ends = self._serial.ends({0}, logs)
        if ends is not None and not ends:
            yield unexplained(words)


def unexplained(threads: Mapping[str, list[str]]) -> Broken:
    """The finding; ``threads`` has each thread's operations and their results, in words."""
    returned = "; ".join(f"{name}: {', '.join(words)}" for name, words in threads.items())
    message = f"no serial order explains what these returned: {returned}"
    return broken("history.not_serializable", message, ("return codes",))


def said(operation: Operation, result: Any) -> str:
    """``route virq=40 pirq=64 -> -EBUSY``."""
    if result is None:
        return str(operation)
    if isinstance(result, int) and result < 0:
        result = f"-{errorcode.get(-result, -result)}"
    return f"{operation} -> {result}"
