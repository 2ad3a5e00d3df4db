"""How deep and how large what a file holds may be."""

from __future__ import annotations

from typing import Any

import pytest

from racebench.bounds import MOST_LEVELS, MOST_PARTS, beyond, fits, long_key


def nested(depth: int) -> Any:
    made: Any = 0
    for i in range(depth):
        made = [made] if i % 2 else {"a": made}
    return made


def test_as_deep_as_may_be_and_one_more() -> None:
    assert beyond(nested(MOST_LEVELS - 1)) == ""
    assert "nested too deeply" in beyond(nested(MOST_LEVELS))
    assert "nested too deeply" in beyond(nested(100_000))


def test_as_large_as_may_be_and_one_more() -> None:
    assert beyond([2**63 - 1, -(2**63), 1e300, True, None, "9" * 9999]) == ""
    assert beyond({"a": [2**63]}) == beyond({"a": [-(2**63) - 1]}) == "a number is beyond 64 bits"
    assert beyond([float("inf")]) == beyond({"a": float("nan")}) == "a number is not finite"
    assert beyond([10**400, float("nan")], numbers=False) == ""


@pytest.mark.parametrize("part", ["a", "b-1", '"x y"', "'.'"])
def test_a_key_of_many_parts(part: str) -> None:
    assert not long_key(".".join([part] * MOST_PARTS) + " = 1")
    assert long_key(" . ".join([part] * (MOST_PARTS + 1)) + " = 1")
    assert long_key("[[" + ".".join([part] * 9999))


@pytest.mark.parametrize(
    "text", ["a" * (1 << 20), '"' * (1 << 20), "a." * 15 + '"' * 99999, "a ." * 15 + " " * 99999]
)
def test_looking_for_one_is_quick(text: str) -> None:
    assert not long_key(text)


@pytest.mark.parametrize(
    ("kind", "fitting", "odd"),
    [
        (int, [0, 2**63 - 1], [2**63, "1", None, 1.0]),
        (float, [0, 1.5], [float("nan"), "1"]),
        ([str], [[], ["a", "b"], ("a",)], ["a", [1], None]),
        ((str, int), [["a", 1]], [["a"], ["a", 1, 1], [1, "a"], "a1"]),
        ({str: [int]}, [{}, {"a": [1]}], [{"a": 1}, [], {"a": ["1"]}]),
        ({"a": int, "b?": str}, [{"a": 1}, {"a": 1, "b": None}, {"a": 1, "b": "x", "c": 3}],
         [{}, {"a": None}, {"a": 1, "b": 2}, {"a?": 1}]),
    ],
)  # fmt: skip
def test_what_fits_a_kind(kind: Any, fitting: list[Any], odd: list[Any]) -> None:
    assert all(fits(value, kind) for value in fitting)
    assert not any(fits(value, kind) for value in odd)
