"""What is in a tracked container, looked at and put in without a step."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from operator import is_
from typing import Any


def fill(tracked: Any, values: Iterable[Any]) -> None:
    """Put ``values``, of a dict its pairs, into an empty container without a step."""
    base = type(tracked).__base__
    getattr(base, "update" if base in (dict, set) else "extend")(tracked, values)
    leave(tracked)


def leave(tracked: Any) -> None:
    """What is in ``tracked`` now is what its last use has left."""
    tracked._rb_left = _content(tracked)


def held_by(tracked: Any) -> Iterable[Any]:
    """What is in ``tracked``, of a dict its values, without a step."""
    base: Any = type(tracked).__base__
    inside: Iterable[Any] = dict.values(tracked) if base is dict else base.__iter__(tracked)
    return inside


def replace(tracked: Any, by: Callable[[Any], Any]) -> None:
    """Put ``by(one)`` in the place of each one that is in ``tracked``, without a step."""
    base: Any = type(tracked).__base__
    if base is set:
        for one in set.__iter__(tracked):
            by(one)
    else:
        for at in list(dict.keys(tracked)) if base is dict else range(base.__len__(tracked)):
            base.__setitem__(tracked, at, by(base.__getitem__(tracked, at)))
    leave(tracked)


def forget(tracked: Any) -> None:
    """What its last use has left: to be told anew."""
    tracked._rb_left = ()


def untouched(tracked: Any) -> bool:
    """Whether it is as its last use has left it."""
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
