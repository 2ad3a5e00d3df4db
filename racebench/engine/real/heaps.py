"""``heapq`` for a program, in Python: it changes a list through the list's methods, which are steps."""

from __future__ import annotations

import heapq
from typing import Any


def heappush(heap: list[Any], item: Any) -> None:
    """Put ``item`` where it belongs on its way from the last leaf to the root."""
    heap.append(item)
    at = len(heap) - 1
    while at:
        parent = (at - 1) // 2
        above = heap[parent]
        if not item < above:
            break
        heap[at], at = above, parent
    heap[at] = item


def heappop(heap: list[Any]) -> Any:
    """Take the least item; the last one finds its place from the root."""
    last = heap.pop()
    size = len(heap)
    if not size:
        return last
    least, at = heap[0], 0
    while 2 * at + 1 < size:
        child = 2 * at + 1
        if child + 1 < size and heap[child + 1] < heap[child]:
            child += 1
        below = heap[child]
        if not below < last:
            break
        heap[at], at = below, child
    heap[at] = last
    return least


def heapify(heap: list[Any]) -> None:
    """Sorted it is a heap too."""
    heap.sort()


PAIRS = [(heapq.heappush, heappush), (heapq.heappop, heappop), (heapq.heapify, heapify)]
