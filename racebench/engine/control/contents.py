"""Reads and changes the content of a tracked container without a step."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from operator import is_
from typing import Any


def fill(tracked: Any, values: Iterable[Any]) -> None:
    """Put ``values`` (the pairs of a dict) into an empty container without a step."""
    base = type(tracked).__base__
    getattr(base, "update" if base in (dict, set) else "extend")(tracked, values)
    leave(tracked)


def leave(tracked: Any) -> None:
    """Remember the present content of ``tracked`` as what its last use left."""
    tracked._rb_left = _content(tracked)


def held_by(tracked: Any) -> Iterable[Any]:
    """Return the values in ``tracked`` (of a dict, without its keys), without a step."""
    base: Any = type(tracked).__base__
    inside: Iterable[Any] = dict.values(tracked) if base is dict else base.__iter__(tracked)
    return inside


def replace(tracked: Any, by: Callable[[Any], Any]) -> None:
    """Put ``by(one)`` in the place of each value in ``tracked``, without a step."""
    base: Any = type(tracked).__base__
    if base is set:
        for one in set.__iter__(tracked):
            by(one)
    else:
        for at in list(dict.keys(tracked)) if base is dict else range(base.__len__(tracked)):
            base.__setitem__(tracked, at, by(base.__getitem__(tracked, at)))
    leave(tracked)


def forget(tracked: Any) -> None:
    """Forget what the last use of ``tracked`` left; ``leave`` will set it anew."""
    tracked._rb_left = ()


def untouched(tracked: Any) -> bool:
    """Return whether the content is what the last use of ``tracked`` left."""
    left, now = tracked._rb_left, _content(tracked)
    return len(left) == len(now) and all(map(is_, left, now))


def _content(tracked: Any) -> list[Any]:
    base: Any = type(tracked).__base__
    if base is dict:
        return [*dict.keys(tracked), *dict.values(tracked)]
    return [*base.__iter__(tracked)]


def plain_copy(tracked: Any) -> Any:
    base: Any = type(tracked).__base__
    if base is deque:
        return deque(deque.__iter__(tracked), tracked.maxlen)
    if base is dict:
        return dict(dict.items(tracked))
    return base(base.__iter__(tracked))
