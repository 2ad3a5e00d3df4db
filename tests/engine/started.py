"""Random sketches in which threads start others, and the same without one of these."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from .flat import Block
from .states import Sketch

_SPOKEN = ("join", "join", "join", "tjoin", "alive", "start")
"""What is said of a child beside its start by its parent, each as often as it is here."""
_UNTIMED = {
    "timed": "lock",
    "twait": "wait",
    "etwait": "ewait",
    "btwait": "bwait",
    "tjoin": "join",
    "ptimed": "ptake",
}


def with_children(rng: random.Random, thread: Callable[[int], Block]) -> Sketch:
    """Threads that start others, at most two deep, of which other threads may speak too.

    ``thread`` draws a block of about so many statements.  A daemon makes no step that may time
    out, and starts daemons only: that it would poll for ever is no matter of the search.
    """
    n, k = rng.choice(((1, 1), (1, 2), (1, 2), (2, 1), (2, 1), (2, 2), (1, 3)))
    threads, children = [f"t{i}" for i in range(n)], [f"c{i}" for i in range(k)]
    size = {2: 6, 3: 4, 4: 3}[n + k]
    daemons = [name for name in threads + children if rng.random() < 0.15]
    blocks = {name: thread(rng.randint(1, size)) for name in threads + children}
    inner = []
    for i, child in enumerate(children):
        parents = [one for one in threads + children[:i] if one not in daemons or child in daemons]
        if not parents:
            daemons.append(child)
            parents = threads
        parent = rng.choice(parents)
        said = [rng.choice(_SPOKEN) for _ in range(rng.choice((0, 1, 1, 2)))]
        at = rng.randint(0, len(blocks[parent]))
        before, after = blocks[parent][:at], blocks[parent][at:]
        for kind in said:
            after = _with(rng, after, (kind, child))
        blocks[parent] = (*before, ("start", child), *after)
        if rng.random() < 0.4:
            inner.append(child)
            continue
        for other in [name for name in blocks if name != parent]:
            if rng.random() < 0.5:
                kinds = _SPOKEN if other not in daemons or child in daemons else _SPOKEN[:-1]
                blocks[other] = _with(rng, blocks[other], (rng.choice(kinds), child))
    blocks |= {name: _untimed(blocks[name]) for name in daemons}
    return Sketch(
        tuple((name, blocks[name]) for name in threads),
        count=rng.choice((0, 1, 1, 2)),
        children=tuple((name, blocks[name]) for name in children),
        inner=tuple(inner),
        daemons=tuple(daemons),
    )


def _with(rng: random.Random, block: Block, statement: tuple[Any, ...]) -> Block:
    """``block`` with ``statement`` somewhere in it."""
    around = [i for i, one in enumerate(block) if isinstance(one[-1], tuple)]
    if around and rng.random() < 0.5:
        i = rng.choice(around)
        *head, last = block[i]
        return (*block[:i], (*head, _with(rng, last, statement)), *block[i + 1 :])
    i = rng.randint(0, len(block))
    return (*block[:i], statement, *block[i:])


def _untimed(block: Block) -> Block:
    made: Block = ()
    for kind, *args in block:
        if args and isinstance(args[-1], tuple):
            args[-1] = _untimed(args[-1])
        made += (("bdown",), *args[-1]) if kind == "btaken" else ((_UNTIMED.get(kind, kind), *args),)
    return made


def without(sketch: Sketch, child: str) -> Sketch:
    """``sketch`` without ``child``, and all that is said of it."""

    def cut(block: Block) -> Block:
        kept = (one for one in block if child not in one[1:])
        return tuple((*one[:-1], cut(one[-1])) if isinstance(one[-1], tuple) else one for one in kept)

    return replace(
        sketch,
        threads=tuple((name, cut(block)) for name, block in sketch.threads),
        interrupts=tuple((name, thread, cut(block)) for name, thread, block in sketch.interrupts),
        children=tuple((name, cut(block)) for name, block in sketch.children if name != child),
        inner=tuple(name for name in sketch.inner if name != child),
        daemons=tuple(name for name in sketch.daemons if name != child),
    )
