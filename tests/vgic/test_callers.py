"""Which callers can bring two operations together, in which tree: derived from Xen's callers and locks."""

from __future__ import annotations

import pytest

from racebench.findings import Finding
from racebench.scenario.selection import select
from racebench.vgic import OPERATIONS, Initial, protocol, protocol_ids
from racebench.vgic.callers import TREES, reach
from racebench.vgic.language import parse_operation

V = "route virq=40 pirq=40"
X = Initial(routed=((41, 41, True),))
OLD, GUARDED, RELEASE_4_11, OPEN, TODAY = (
    protocol(name).TREE for name in ("baseline", "creation_guard", "new_vgic", "route_while_running", "head")
)


def told(tree: str, *threads: str, initial: Initial = X) -> tuple[bool, str]:
    parsed = {
        f"t{i}": [parse_operation(text, "f", "p", initial) for text in ops.split("; ")]
        for i, ops in enumerate(threads)
    }
    said = reach(initial, parsed, tree)
    return said.reachable, "; ".join(said.why)


ALL = {OLD, GUARDED, RELEASE_4_11, OPEN, TODAY}


@pytest.mark.parametrize(
    ("threads", "reachable"),
    [
        # A guard is in the protocol: what breaks in spite of it, or without it, is reached.
        ((V, "isenabler virq=40"), ALL),
        ((V, "late_irq pirq=40"), ALL),
        (("release virq=41", "isenabler virq=41"), ALL),
        (("release virq=41", "move vcpu=0 pcpu=2"), ALL),
        # One global lock for the toolstack, until XSA-492, which naked operations do not take.
        (("release virq=41", "release virq=41"), {TODAY}),
        (("release virq=41", "bind irq=42"), {TODAY}),
        ((V, "route virq=42 pirq=42"), {TODAY}),
        # domain_kill ran outside it for three years.
        ((V, "kill"), {RELEASE_4_11, TODAY}),
        # These take it themselves, as far as their protocol does.
        (("bind irq=42", "bind irq=43"), ALL),
        (("bind irq=42", "bind irq=42"), ALL),
        (("attach irq=42", "kill"), ALL),
        # The second finds the bit set.
        ((V, V), set()),
        # Several operations may overlap in part.
        (("release virq=41; " + V, "release virq=41"), ALL),
        (("destroy", "late_irq pirq=41"), ALL),
        (("destroy", "move vcpu=0 pcpu=2"), set()),
        (("kill", "isenabler virq=41"), set()),
    ],
)
def test_what_excludes_two_callers_in_which_tree(threads: tuple[str, ...], reachable: set[str]) -> None:
    assert {tree for tree in ALL if told(tree, *threads)[0]} == reachable


def test_a_lock_does_not_exclude_callers_that_come_one_after_the_other() -> None:
    parsed = {f"t{i}": [parse_operation("release virq=41", "f", "p", X)] for i in range(2)}
    assert not reach(X, parsed, OLD).reachable
    assert reach(X, parsed, OLD, lambda one, other: (one, other) == ("t0", "t1")).reachable


def test_a_schedule_says_who_came_after_whom() -> None:
    [scenario] = select(["pairs/release_vs_release"])
    said = {
        order: scenario.callers("baseline", Finding(rule, rule, "", tuple((t, "read", "x") for t in order)))
        for rule, order in (("mapping.corrupted", ("toolstack0", "toolstack1", "toolstack0")),
                            ("data_race", ("toolstack0", "toolstack0", "toolstack1")),
                            ("deadlock.cycle", ("toolstack1", "toolstack0")))
    }  # fmt: skip
    assert [answer["reachable"] for answer in said.values()] == [False, True, False]


def test_the_words_name_the_lock_and_the_commit() -> None:
    assert told(OPEN, "release virq=41", "release virq=41") == (
        False,
        "in this tree: unbind and unbind: domctl_lock lets one of them run at a time, until e263eeaf71",
    )
    assert told(TODAY, V, "isenabler virq=40") == (
        True,
        "a register write beside bind: since 1c77496bc8; before, routing returns -EBUSY once the domain "
        "runs; in-tree toolstacks bind at creation only",
    )


def test_no_caller_gives_a_virq_a_second_pirq_or_a_pirq_a_second_virq() -> None:
    for threads in (
        ("route virq=40 pirq=64", "route virq=40 pirq=65"),
        ("route virq=40 pirq=64", "route virq=42 pirq=64"),
        ("route virq=41 pirq=64",),
    ):
        assert told(TODAY, *threads) == (
            False,
            "in no tree: every caller of route_irq_to_guest passes virq == irq",
        )
    # The same number by another name, as the scenarios have it.
    assert told(TODAY, "route virq=40 pirq=64", "isenabler virq=40")[0]


def test_a_dying_domain_has_no_guest_that_runs() -> None:
    dying = Initial(state="dying", routed=((41, 41, True),))
    assert told(OLD, "isenabler virq=41", "irq pirq=41", initial=dying)[0] is False
    assert told(OLD, "release virq=41", "irq pirq=41", initial=dying)[0] is True


def test_a_thread_that_does_more_meets_the_other_where_nothing_excludes_it() -> None:
    assert told(TODAY, "release virq=41; route virq=41 pirq=41", "isenabler virq=41")[0]
    # Of an operation whose caller nobody knows nothing is said.
    assert told(TODAY, "setup_irq pirq=50", "unpause") == (True, "")


def test_each_protocol_stands_for_a_tree() -> None:
    assert {protocol(name).TREE for name in protocol_ids()} <= set(TREES)
    assert OPERATIONS
