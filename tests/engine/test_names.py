"""Names that a user gives to fields and attributes: none is taken for what RaceBench keeps in an object."""

from __future__ import annotations

from typing import Any

import pytest

import racebench as rb
from racebench.engine.control.objects import BOOKKEEPING

# The names without the prefix are the ones that a program may well use: id, owner, read.
NAMES = sorted(name.removeprefix("_rb_") for name in BOOKKEEPING) + ["value", "READ", "WRITE", "x"]


def _adds(name: str) -> Any:
    def adds(s: Any) -> None:
        setattr(s, name, getattr(s, name) + 1)

    return adds


def _program(state: Any, name: str, **more: Any) -> rb.Program:
    def check(s: Any, results: dict[str, Any]) -> rb.Broken | None:
        return None if getattr(s, name) == 2 else rb.broken("counter.lost", "an addition is lost")

    return rb.Program("names", state, {"a": _adds(name), "b": _adds(name)}, check=check, **more)


@pytest.mark.parametrize("name", NAMES)
def test_a_field_may_have_any_name(name: str) -> None:
    program = _program(type("Named", (rb.State,), {name: rb.shared(0, atomic=True)}), name)
    for result in (rb.verify(program), rb.explore(program, executions=50)):
        assert [finding.rule for finding in result.findings] == ["counter.lost"]
    assert rb.verify(program).executions == 4


@pytest.mark.parametrize("name", NAMES)
def test_a_delayed_field_may_have_any_name(name: str) -> None:
    """Each thread sets one of two fields and reads the other: by the buffers both may read 0."""
    other = "y"
    cls = type("Named", (rb.State,), {n: rb.shared(0, atomic=True, delayed=True) for n in (name, other)})

    def sets_and_reads(mine: str, theirs: str) -> Any:
        def run(s: Any) -> int:
            setattr(s, mine, 1)
            return int(getattr(s, theirs))

        return run

    threads = {"a": sets_and_reads(name, other), "b": sets_and_reads(other, name)}

    def check(s: Any, results: dict[str, Any]) -> rb.Broken | None:
        return rb.broken("both.zero", "both read 0") if [*results.values()] == [0, 0] else None

    result = rb.verify(rb.Program("names", cls, threads, check=check))
    assert [finding.rule for finding in result.findings] == ["both.zero"]
    assert result.complete


@pytest.mark.parametrize("name", NAMES)
def test_an_attribute_of_an_instrumented_class_may_have_any_name(name: str) -> None:
    made: dict[str, Any] = {}
    exec(f"class Named:\n    def __init__(self):\n        self.{name} = 0", made)
    result = rb.verify(_program(made["Named"], name, instrument=[made["Named"]]))
    assert {finding.rule for finding in result.findings} == {"counter.lost", "data_race"}
    assert result.executions == 4


@pytest.mark.parametrize("name", ["_rb_head", "head"])
def test_a_plain_attribute_that_looks_like_ours_is_no_less_seen(name: str) -> None:
    class Queue(rb.State):
        n = rb.shared(0)

        def __init__(self) -> None:
            setattr(self, name, 0)

    def adds(s: Any) -> None:
        s.n += 1
        setattr(s, name, getattr(s, name) + 1)

    result = rb.verify(rb.Program("names", Queue, {"a": adds, "b": adds}))
    assert any(name in sentence for sentence in result.stats["unseen"])
    assert not result.complete


@pytest.mark.parametrize("name", ["_rb_seen", "seen"])
def test_a_class_attribute_that_looks_like_ours_is_no_less_seen(name: str) -> None:
    cls = type("Kept", (rb.State,), {"n": rb.shared(0), name: {}, "__module__": __name__})

    def adds(s: Any) -> None:
        s.n += 1
        getattr(cls, name)[s.n] = True

    result = rb.verify(rb.Program("names", cls, {"a": adds, "b": adds}))
    assert any(name in sentence for sentence in result.stats["unseen"])


class Labelled(rb.State):
    n = rb.shared(0)

    def __init__(self) -> None:
        self.label = "the account"  # type: ignore[method-assign,assignment]


def test_an_attribute_called_label_hides_no_name() -> None:
    result = rb.verify(_program(Labelled, "n"))
    assert [finding.rule for finding in result.findings] == ["counter.lost", "data_race"]
    assert {name for _, kind, name in result.findings[0].schedule if kind == "write"} == {"Labelled.n"}


def test_a_field_called_label_is_refused() -> None:
    with pytest.raises(rb.UsageError, match=r"Named\.label: reports name the object by that"):
        type("Named", (rb.State,), {"label": rb.shared("")})
