"""Hostile values: what a file or a command line may hold that nobody meant to write."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

NAMES = (
    "", " ", ".", "..", "../outside/new", "/proc/none/passwd", "-", "--", "--help", "@", "@@", "*", "con",
    "a\nb", "a\r\nb", "\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\x00", "a\x00b", "\x7f\x85\x9b", "\ufeff",
    "\u202egnp.", "\u2028", "\ud800", "caf\u00e9", "\U0001f4a9", "<script>alert(1)</script>",
    "]]>&#0;<!--", "[bold]x[/bold]", "[link=file:///]x[/link]", "%s%n{0}${x}`id`;$(id)", "\\", "'\"",
    "baseline", "route_vs_route", "x" * 300, "n" * 5000,
)  # fmt: skip
"""Texts in the place of names, titles, rules, threads, paths."""

LONG = ("y" * 1_000_000, "a b " * 250_000, "\x1b[0m" * 50_000)

DURATIONS = (
    "", "0", "0s", "-5s", "1e400s", "nans", "infs", "5", "s", "999999999h", "1_0s", " 5s", "5 s", "5s\n",
    "\u0665s", "1e3s", "0x5s", "50ms", "." * 50, "9" * 5000 + "s",
)  # fmt: skip
NUMBERS = (
    "", "0", "-1", "1", "999999", "1e5", "nan", "inf", "1.5", "0x10", "\u0661", " 1", "1 ", "+1", "--1",
    "9" * 12, "9" * 13, "9" * 5000, "None", "true",
)  # fmt: skip

_SCALARS: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2, 10**9, 2**31, 2**63, -(2**64), 10**400, 0.0, -0.5, 1e308, 5e-324,
    float("nan"), float("inf"), float("-inf"),
)  # fmt: skip


def nested(depth: int) -> Any:
    """A list in a list in a list, ``depth`` deep."""
    made: Any = []
    for _ in range(depth):
        made = [made]
    return made


def value(rng: random.Random) -> Any:
    """Anything that JSON can hold, and NaN."""
    made: tuple[Callable[[], Any], ...] = (
        lambda: rng.choice(_SCALARS),
        lambda: rng.choice(NAMES),
        lambda: rng.choice([[], {}, [None], {"a": None}, [[]], [{}], {"": {}}, ["x"], [1, "x", None]]),
        lambda: nested(rng.choice((5, 150, 700))),
        lambda: [rng.choice(_SCALARS) for _ in range(rng.randrange(1, 5))],
        lambda: {rng.choice(NAMES): rng.choice(_SCALARS)},
        lambda: rng.choice(LONG),
    )
    return rng.choices(made, (8, 6, 4, 2, 2, 2, 0.3))[0]()


def spoilt(rng: random.Random, tree: Any, times: int) -> Any:
    """``tree`` (JSON values, not changed) with ``times`` places in it spoilt."""
    made = json.loads(json.dumps(tree))
    for _ in range(times):
        _spoil(rng, made)
    return made


def renamed(rng: random.Random, tree: Any, share: float) -> Any:
    """``tree`` of the same shape, with a ``share`` of its texts and free keys replaced by hostile ones."""
    if isinstance(tree, dict):
        return {k: renamed(rng, v, share) for k, v in tree.items()}
    if isinstance(tree, list):
        return [renamed(rng, v, share) for v in tree]
    if isinstance(tree, str) and rng.random() < share:
        return rng.choice(NAMES)
    if isinstance(tree, int) and rng.random() < share:
        return rng.choice((True, False, 0, -1, 2**62, -(2**63), 2**63))
    return tree


def _spoil(rng: random.Random, tree: Any) -> None:
    """One place: its value replaced, taken away, doubled or swapped with another; or a key renamed."""
    at = tree
    while True:
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        if not keys:
            return
        key = rng.choice(keys)
        if not isinstance(at[key], (dict, list)) or not at[key] or rng.random() < 0.25:
            break
        at = at[key]
    what = rng.choices(("replace", "delete", "swap", "rename", "add", "retype"), (6, 2, 2, 1, 1, 3))[0]
    if what == "delete":
        del at[key]
    elif what == "swap":
        other = rng.choice(keys)
        at[key], at[other] = at[other], at[key]
    elif what == "rename" and isinstance(at, dict):
        at[rng.choice(NAMES)] = at.pop(key)
    elif what == "add" and isinstance(at, dict):
        at[rng.choice(NAMES)] = value(rng)
    elif what == "add":
        at.insert(key, value(rng))
    elif what == "retype":
        at[key] = retyped(rng, at[key])
    else:
        at[key] = value(rng)


def retyped(rng: random.Random, old: Any) -> Any:
    """Much the same, as another type."""
    if isinstance(old, dict):
        return rng.choice((list(old), list(old.values()), str(old), None))
    if isinstance(old, list):
        return rng.choice(({str(i): v for i, v in enumerate(old)}, str(old), old[0] if old else None, [old]))
    if isinstance(old, (int, float)):
        return rng.choice((str(old), [old], {"n": old}, not old, -old, 0.5))
    return rng.choice(([old], {"a": old}, 5, list(str(old))))


def torn(rng: random.Random, data: bytes) -> bytes:
    """``data`` as a bad disk, a bad editor or a bad transfer leaves it."""
    what = rng.randrange(13)
    at = rng.randrange(len(data) + 1)
    if what == 0:
        return data[:at]
    if what == 1:
        return b""
    if what == 2:
        return b"\xef\xbb\xbf" + data
    if what == 3:
        return data.decode("utf-8", "replace").encode(
            rng.choice(("utf-16", "utf-32", "utf-7", "cp037")), "replace"
        )
    if what == 4:
        return data[:at] + rng.choice((b"\xe9", b"\xff\xfe", b"\xed\xa0\x80", b"\xc0\xaf")) + data[at:]
    if what == 5:
        return data[:at] + b"\x00" * rng.choice((1, 100, 70_000)) + data[at:]
    if what == 6:
        return data.replace(b"\n", rng.choice((b"\r", b"\r\n", b"", b"\n\n", b"\x0b", b"\xe2\x80\xa8")))
    if what == 7:
        return rng.choice((b"[", b"{", b'{"a":', b"[[", b"a.", b"(")) * rng.choice((1, 900, 10_000, 100_000))
    if what == 8:
        return data + data
    if what == 9:
        end = rng.randrange(at, len(data) + 1)
        return data[:at] + data[end:]
    if what == 10:
        return rng.randbytes(rng.choice((1, 10, 1000)))
    made = bytearray(data)
    for _ in range(rng.choice((1, 2, 8, 64))):
        if made:
            made[rng.randrange(len(made))] ^= 1 << rng.randrange(8)
    return bytes(made)


def as_json(rng: random.Random, tree: Any) -> bytes:
    """``tree`` as JSON, now and then in a way that is legal and unusual."""
    text = json.dumps(tree, indent=rng.choice((None, 1)))
    how = rng.randrange(12)
    if how == 0 and isinstance(tree, dict) and tree:
        key = rng.choice(list(tree))
        again = f"{json.dumps(key)}: {json.dumps(value(rng))}"
        text = f"{text.rstrip()[:-1]}, {again}}}" if rng.random() < 0.5 else f"{{{again}, {text.lstrip()[1:]}"
    elif how == 1:
        text = text.replace("1", rng.choice(("1e999", "-1E+400", "1.0", "01", "9" * 400, "9" * 5000)), 1)
    elif how == 2:
        text = json.dumps(tree, ensure_ascii=False)
    elif how == 3:
        text = text.replace('"', rng.choice(("'", '"\\ud800', '"\\u0000', '"\\u001b[2J', '\\"')), 2)
    return text.encode("utf-8", "surrogatepass")
