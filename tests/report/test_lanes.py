"""A schedule, one column a thread."""

from __future__ import annotations

from typing import Any

import pytest

from racebench.report import lanes as schedule

from .samples import STEPS, finding, printed, record, step


def lanes(width: int = 80, *, full: bool = False, **how: Any) -> list[str]:
    text = printed(schedule.lanes(record(finding(**how)), full=full), width)
    return [line.rstrip() for line in text.splitlines()]


def row(lines: list[str], words: str) -> str:
    [found] = [line for line in lines if words in line]
    return found


def test_switches_are_marked_with_the_locks_held() -> None:
    back = [*STEPS, step("vcpu0", "release", "rank[1]", held=["rank[1]", "p[40]"])]
    lines = lanes(evidence={"steps": back})
    assert len([line for line in lines if "──" in line and "───" not in line]) == 3
    assert row(lines, "holds rank[1], p[40]")


def test_what_no_other_thread_meets_is_folded_unless_full() -> None:
    assert sum("(1 step)" in line for line in lanes()) == 2
    assert not [line for line in lanes() if "rank[1].ienable" in line]
    full = lanes(full=True)
    assert row(full, "read rank[1].ienable = 0")
    assert row(full, "read desc[64].type = IrqType.EDGE")
    assert not [line for line in full if "step)" in line]


def test_where_no_thread_is_interrupted_each_change_is_told() -> None:
    alone = [
        step("vcpu0", "acquire", "rank[1]"),
        step("vcpu0", "read", "rank[1].ienable", old="0", new="0"),
        step("vcpu0", "write", "rank[1].ienable", old="0", new="256"),
        step("vcpu0", "write", "p[40].QUEUED", old="True", new="True"),
    ]
    lines = lanes(evidence={"steps": alone, "preemptions": 0})
    assert row(lines, "write rank[1].ienable: 0 → 256")
    assert sum("(1 step)" in line for line in lines) == 2
    assert row(lanes(evidence={"steps": alone, "preemptions": 1}), "(3 steps)")


def test_too_many_threads_for_the_width_share_a_column() -> None:
    names = [f"t{i}" for i in range(8)]
    steps = [step(name, "acquire", f"lock[{name}]") for name in names]
    lines = lanes(threads=names, evidence={"steps": steps})
    assert lines[0].split() == ["step", "thread"]
    assert "t7" in row(lines, "acquire lock[t7]")


def test_a_bare_schedule_will_do() -> None:
    lines = lanes(evidence={})
    assert row(lines, "acquire rank[1]")
    assert row(lines, "write p[40].desc")


def test_a_store_says_what_waits() -> None:
    buffered = [step("vcpu0", "store", "p[40].desc", old="None", new="desc[64]")]
    lines = " ".join(" ".join(lanes(evidence={"steps": buffered})).split())
    assert "store p[40].desc: desc[64] (buffered)" in lines


def test_a_request_is_told_and_takes_nothing() -> None:
    steps = [
        step("vcpu0", "acquire_read", "rw"),
        step("toolstack", "request_write", "rw"),
        step("toolstack", "wake", "cond"),
        step("vcpu0", "release_read", "rw", held=["rw"]),
        step("toolstack", "acquire_write", "rw"),
    ]
    lines = lanes(evidence={"steps": steps}, full=True)
    assert row(lines, "request_write rw")
    assert row(lines, "wake cond")
    assert [
        line for line in lines if "holds rw" in line and line.index("holds") < lines[0].index("vcpu0")
    ] == []


def test_what_meets_another_thread_says_where_and_what_and_under_which_locks() -> None:
    where = {"site": "evict (app/cache.py:25)", "code": "self._data.pop(k)"}
    steps = [
        step("a", "read", "Cache._data", "{1: 2}", "{1: 2}", site="get (app/cache.py:17)", code="if k in d:"),
        step("b", "read", "Cache._data", "{1: 2}", "{1: 2}", held=["m", "n"], **where),
        step("b", "write", "Cache._data", "{1: 2}", "{}", held=["m", "n"], **where),
        step("b", "read", "Cache.size", "1", "1", held=["m", "n"], **where),
        step("a", "read", "Cache._data", "{}", "{}", site="get (app/cache.py:18)", code="return d[k]"),
    ]
    text = "\n".join(lanes(120, threads=["a", "b"], evidence={"steps": steps}))
    assert "app/cache.py:17, holding no lock" in text and "if k in d:" in text
    assert "write Cache._data: {1: 2} → {}" in text
    # Said once for the steps of one line, and not of what meets nobody.
    assert text.count("app/cache.py:25, holding m, n") == text.count("self._data.pop(k)") == 1
    assert "Cache.size" not in text


@pytest.mark.parametrize("op", ["update", "store"])
def test_a_write_of_any_kind_meets_a_read(op: str) -> None:
    steps = [step("a", "read", "x.f"), step("b", op, "x.f"), step("b", "acquire", "m")]
    assert "(1 step)" not in "".join(lanes(evidence={"steps": steps}))


def test_what_wraps_goes_on_under_where_it_begins() -> None:
    steps = [step("a", "write", "p.f", "old " * 9, "new " * 9), step("b", "read", "p.f")]
    lines = lanes(80, threads=["a", "b"], evidence={"steps": steps})
    first = next(i for i, line in enumerate(lines) if "write p.f" in line)
    assert lines[first].index("write") == lines[first + 1].index("old")
