"""``heapq`` for a program, in Python: it changes a list through the list's methods, which are steps."""

from __future__ import annotations

import heapq
from typing import Any


def heappush(heap: list[Any], item: Any) -> None:
    """Add ``item`` as the last leaf, and move it up towards the root to its place."""
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
    """Remove the least item; the last leaf moves down from the root to its place."""
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
    """Sort the list: a sorted list is a heap."""
    heap.sort()


PAIRS = [(heapq.heappush, heappush), (heapq.heappop, heappop), (heapq.heapify, heapify)]
