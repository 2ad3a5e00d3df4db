"""Which callers can bring two operations together, in which tree: derived from Xen's callers and locks."""

from __future__ import annotations

import pytest

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


@pytest.mark.parametrize(
    ("threads", "reachable"),
    [
        # bind beside the guest's writes: until routing refused a running domain, and since it does no more.
        ((V, "isenabler virq=40"), {OLD, OPEN, TODAY}),
        ((V, "late_irq pirq=40"), {OLD, GUARDED, RELEASE_4_11, OPEN, TODAY}),
        # unbind beside the guest's writes: until release asks for a domain that dies, and so is paused.
        (("release virq=41", "isenabler virq=41"), {OLD}),
        (("release virq=41", "move vcpu=0 pcpu=2"), {OLD, GUARDED, RELEASE_4_11, OPEN, TODAY}),
        # One global lock for the toolstack, until XSA-492.
        (("release virq=41", "release virq=41"), {TODAY}),
        (("bind irq=42", "bind irq=43"), {TODAY}),
        (("bind irq=42", "bind irq=42 dom=2"), {TODAY}),
        (("bind irq=42", "bind irq=42"), set()),
        # domain_kill ran outside it for three years.
        (("bind irq=42", "kill"), {RELEASE_4_11, TODAY}),
        (("attach irq=42", "kill"), set()),
        (("destroy", "late_irq pirq=41"), {OLD, GUARDED, RELEASE_4_11, OPEN, TODAY}),
        (("destroy", "move vcpu=0 pcpu=2"), set()),
        (("kill", "isenabler virq=41"), set()),
    ],
)
def test_what_excludes_two_callers_in_which_tree(threads: tuple[str, ...], reachable: set[str]) -> None:
    assert {
        tree for tree in (OLD, GUARDED, RELEASE_4_11, OPEN, TODAY) if told(tree, *threads)[0]
    } == reachable


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
