"""A lock used both ways, told from short traces; each with what is none."""

from __future__ import annotations

import pytest

from racebench.detect import data_race, irq_context, lock_order

from .traces import Trace

INTO = "irq interrupt cpu0"
OUT = "irq return cpu0"


def irq_trace(*lines: str) -> Trace:
    """A trace in which INTERRUPT and RETURN are of the processor of thread cpu0."""
    trace = Trace("cpu0 read s.start", *lines)
    trace.thing("cpu0").task = trace.threads["cpu0"]  # type: ignore[attr-defined]
    return trace


def test_neither_use_need_have_met_the_other() -> None:
    trace = irq_trace("cpu0 acquire gic", "cpu0 release gic", INTO, "irq acquire gic", "irq release gic", OUT)
    [alarm] = irq_context.detect(trace.execution)
    assert alarm.signature == "lock_order.inversion: gic taken with interrupts on, and in interrupt context"
    assert alarm.evidence["interrupt"] == "irq"
    assert alarm.evidence["instances"] == "the same lock"
    assert alarm.steps == (1, 4)


def test_interrupts_switched_on_while_it_is_held_count() -> None:
    trace = irq_trace(
        "cpu0 irqs_off cpu0", "cpu0 acquire vcpu", "cpu0 irqs_on cpu0", "cpu0 release vcpu",
        INTO, "irq acquire vcpu", OUT,
    )  # fmt: skip
    [alarm] = irq_context.detect(trace.execution)
    assert "switched on while it holds it" in alarm.message
    assert alarm.steps == (2, 3, 6)


def test_what_the_handler_still_waits_for_counts() -> None:
    [alarm] = irq_context.detect(irq_trace("cpu0 acquire gic", INTO, "blocked irq acquire gic").execution)
    assert alarm.steps == (1, 3)


@pytest.mark.parametrize(
    "lines",
    [
        ("cpu0 irqs_off cpu0", "cpu0 acquire gic", "cpu0 release gic", INTO, "irq acquire gic"),
        ("cpu0 acquire gic", "cpu0 release gic", INTO, "irq try_acquire gic"),
        ("cpu0 acquire gic", "cpu0 release gic", INTO, "irq acquire desc"),
        ("cpu1 acquire gic", "cpu1 release gic", INTO, "irq acquire gic"),
        ("cpu0 acquire_read rw", "cpu0 release_read rw", INTO, "irq acquire_read rw"),
        ("cpu0 acquire gic", "cpu0 release gic", "irq acquire gic"),
    ],
    ids=["masked", "trylock", "another class", "another processor", "readers", "a thread"],
)  # fmt: skip
def test_no_alarm(lines: tuple[str, ...]) -> None:
    assert irq_context.detect(irq_trace(*lines).execution) == []


def test_a_handler_has_its_locks_on_top_of_its_threads() -> None:
    trace = irq_trace(
        "cpu0 acquire b", INTO, "irq acquire a", "irq release a", OUT, "cpu0 release b",
        "cpu1 acquire a", "cpu1 acquire b",
    )  # fmt: skip
    [alarm] = lock_order.detect(trace.execution)
    assert [edge["thread"] for edge in alarm.evidence["ring"]] == ["cpu1", "cpu0"]


def test_one_processor_does_not_race_with_itself() -> None:
    assert (
        data_race.detect(irq_trace("cpu0 write s.x", INTO, "irq write s.x", OUT, "cpu0 read s.x").execution)
        == []
    )
    [alarm] = data_race.detect(
        irq_trace("cpu0 write s.x", INTO, "irq write s.x", OUT, "cpu1 read s.x").execution
    )
    assert alarm.signature == "data_race: s.x"


SHARED = ["cpu0 acquire_read rw!", "cpu0 release_read rw!", INTO, "irq acquire_read rw!"]


def test_a_writer_of_another_processor_comes_between_readers_of_a_fair_lock() -> None:
    [alarm] = irq_context.detect(irq_trace("cpu1 request_write rw!", *SHARED).execution)
    assert alarm.signature == "lock_order.inversion: rw! taken with interrupts on, and in interrupt context"


@pytest.mark.parametrize(
    "lines",
    [
        SHARED,
        ["cpu0 acquire_write table!", "cpu0 release_write table!", *SHARED],
        [
            "cpu1 acquire g",
            "cpu1 acquire_write rw!",
            "cpu1 release_write rw!",
            "cpu1 release g",
            "cpu0 acquire g",
            *SHARED,
        ],
        ["cpu1 acquire_write rw", *(line.replace("!", "") for line in SHARED)],
    ],
    ids=["no writer", "another lock", "a gate", "unfair"],
)
def test_and_else_none_does(lines: list[str]) -> None:
    assert irq_context.detect(irq_trace(*lines).execution) == []
