"""What a protocol is derived from, and which functions it has made of those of another."""

from __future__ import annotations

from pathlib import Path

import pytest

from racebench import vgic
from racebench.errors import UsageError
from racebench.scenario.lineage import lineages

FILE = """\
from racebench import vgic
from racebench.vgic import protocol

def beside(lock):
    with lock:
        pass

class Mine(protocol("no_rank_lock_lockfree")):
    SUMMARY = "one function replaced, by one of its own"

    def release_guest_irq(self, d, virq):
        return self.helper(d, virq)

    def helper(self, d, virq):
        return super().release_guest_irq(d, virq)

class Child(Mine):
    def route_irq_to_guest(self, d, virq, irq):
        return super().route_irq_to_guest(d, virq, irq)

class Tree(vgic.Protocol):
    ID = "tree"
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "mine.py"
    path.write_text(FILE)
    return str(path)


@pytest.mark.parametrize(
    ("spec", "parent"),
    [
        ("{file}:Mine", "no_rank_lock_lockfree"),
        ("{file}:Child", "{file}:Mine"),
        ("{file}:Tree", "baseline"),
        ("domain_lock", "no_rank_lock_lockfree"),
        ("no_rank_lock", "baseline"),
    ],
)
def test_the_parent_of_a_protocol(file: str, spec: str, parent: str) -> None:
    [lineage] = lineages([spec.format(file=file)], "parent")
    assert lineage.parent.spec == parent.format(file=file)


def test_functions_of_its_own_and_those_that_it_replaces(file: str) -> None:
    [lineage] = lineages([f"{file}:Mine"], "parent")
    assert lineage.replaced == ("release_guest_irq",)
    assert lineage.own == ("beside", "helper")
    [child] = lineages([f"{file}:Child"], "parent")
    assert (child.own, child.replaced) == ((), ("route_irq_to_guest",))


def test_against_one_that_it_is_not_derived_from(file: str) -> None:
    [lineage] = lineages([f"{file}:Mine"], "baseline")
    # What its parent has replaced of the tree's, it has too.
    assert {"release_guest_irq", "gic_route_irq_to_guest"} <= set(lineage.replaced)
    assert not {name for name in lineage.own if hasattr(vgic.Baseline, name)}


def test_what_there_is_to_compare(file: str) -> None:
    both = lineages([f"{file}:Mine", "baseline", f"{file}:Mine"], "baseline")
    assert [one.choice.id for one in both] == ["Mine"]
    with pytest.raises(UsageError, match="which protocol"):
        lineages(None, "parent")
    with pytest.raises(UsageError, match="the protocol itself"):
        lineages(["baseline"], "baseline")
    with pytest.raises(UsageError, match="unknown protocol"):
        lineages(["baseline"], "route_vs_route")
    [lineage] = lineages(["after"], "before", ["before", "after"])
    assert (lineage.parent.id, lineage.own, lineage.replaced) == ("before", (), ())
    with pytest.raises(UsageError, match="is a variant"):
        lineages(["after"], "parent", ["before", "after"])


AGAIN = """\
from racebench.vgic import protocol

class Mine(protocol("baseline")):
    def release_guest_irq(self, d, virq):
        return super(first, self).release_guest_irq(d, virq)

first = Mine

class Mine(Mine):
    def release_guest_irq(self, d, virq):
        return super(first, self).release_guest_irq(d, virq)

class Base(protocol("baseline")):
    pass

class Child(Base):
    pass

Base = protocol("no_rank_lock")
"""


@pytest.mark.parametrize("name", ["Mine", "Child"])
def test_a_parent_whose_name_means_another_class_by_now_is_refused(tmp_path: Path, name: str) -> None:
    """Else a class would be held against itself, or against a stranger."""
    path = tmp_path / "again.py"
    path.write_text(AGAIN)
    with pytest.raises(UsageError, match="Give each class a name of its own"):
        lineages([f"{path}:{name}"], "parent")
