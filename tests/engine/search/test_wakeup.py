"""Wakeup trees and sleep sets, on sequences written down by hand."""

from __future__ import annotations

from typing import Any

from racebench.engine.search.event import Event
from racebench.engine.search.wakeup import Branch, covered, insert, place, position

from .written import event, events


def shape(tree: list[Branch]) -> Any:
    """The tree as nested (thread and operation, children)."""
    return [(text_of(branch.event), shape(branch.children)) for branch in tree]


def text_of(made: Event) -> str:
    return f"{'abcd'[made.proc]} {made.op.kind.value} {made.ident}"


def put(tree: list[Branch], *steps: str) -> bool:
    """Whether the sequence was new to ``tree``; it is in there now."""
    found = place(tree, events(*steps))
    if found is not None:
        insert(*found)
    return found is not None


def test_a_thread_can_go_first_if_nothing_before_its_step_touches_it() -> None:
    sequence = events("a write x", "b write y", "b read x")
    assert position(event("a write x"), sequence) == 0
    assert position(event("b write y"), sequence) == 1
    assert position(event("b write x"), events("a write x", "b write x")) is None


def test_a_thread_without_a_step_there_can_go_first_if_it_commutes_with_all() -> None:
    assert position(event("c write z"), events("a write x", "b write y")) == -1
    assert position(event("c read y"), events("a write x", "b write y")) is None


def test_a_sequence_that_a_sleeper_could_begin_was_explored() -> None:
    assert covered(events("b write y", "a write x"), [event("a write x")])
    assert not covered(events("b read x", "a write x"), [event("a write x")])
    assert not covered(events("b read x"), [])


def test_a_sequence_is_appended_whole_to_an_empty_tree() -> None:
    tree: list[Branch] = []
    assert put(tree, "a write x", "b write x")
    assert shape(tree) == [("a write x", [("b write x", [])])]


def test_an_equivalent_sequence_is_not_added() -> None:
    tree: list[Branch] = []
    put(tree, "a write x", "b write y")
    before = shape(tree)
    assert not put(tree, "b write y", "a write x")
    assert shape(tree) == before


def test_a_sequence_that_goes_another_way_branches_where_it_does() -> None:
    tree: list[Branch] = []
    put(tree, "a write x", "b write x")
    assert put(tree, "a write x", "c write x")
    assert put(tree, "b write x", "a write x")
    assert shape(tree) == [
        ("a write x", [("b write x", []), ("c write x", [])]),
        ("b write x", [("a write x", [])]),
    ]


def test_a_beginning_that_a_leaf_stands_for_is_not_added() -> None:
    """From a leaf on the search goes its own way: whatever begins like that is covered there."""
    tree: list[Branch] = []
    put(tree, "a write x")
    assert not put(tree, "a write x", "b write x")


def test_a_branch_that_commutes_with_the_sequence_leads_on_to_what_it_has() -> None:
    """c's step is not in the sequence: it may be made first without a change."""
    tree: list[Branch] = []
    put(tree, "c write z", "a write x")
    assert put(tree, "b write x", "a write x")
    assert shape(tree) == [("c write z", [("a write x", []), ("b write x", [("a write x", [])])])]
