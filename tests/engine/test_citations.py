"""What a function of a model stands for, and the evidence that says so."""

from __future__ import annotations

import sys
from typing import Any

import pytest

import racebench as rb
from racebench.engine.citations import Citations, cited


def _plain() -> None:
    """Xen: irq.c, release_guest_irq @ baf2950213."""


def _with_contract() -> None:
    """One write.  Enter with desc.lock held.  Xen: irq.c, the loop of do_IRQ @ baf2950213^.  Spins."""


def _version() -> None:
    """Xen: vgic/vgic.c, vgic_prune_ap_list @ 4.11, where a comment doubts it."""


def _two_trees() -> None:
    """Xen: vgic/vgic.c, vgic_inject_irq @ RELEASE-4.11.0 and c447b7308b, and so on."""


def _proposed() -> None:
    """Route.

    Xen: gic.c, gic_route_irq_to_guest, RFC 01/10 of 8 May 2017.
    Unlike Xen, the flag is a field.
    """


def _unlike() -> None:
    """Unlike Xen, nothing."""


def _undocumented() -> str:
    return "Xen: not a docstring"


@pytest.mark.parametrize(
    ("function", "source"),
    [
        (_plain, "irq.c, release_guest_irq @ baf2950213"),
        (_with_contract, "irq.c, the loop of do_IRQ @ baf2950213^"),
        (_version, "vgic/vgic.c, vgic_prune_ap_list @ 4.11"),
        (_two_trees, "vgic/vgic.c, vgic_inject_irq @ RELEASE-4.11.0 and c447b7308b"),
        (_proposed, "gic.c, gic_route_irq_to_guest, RFC 01/10 of 8 May 2017"),
        (_unlike, ""),
    ],
)
def test_the_line_of_the_docstring_is_the_citation(function: Any, source: str) -> None:
    assert cited(function.__code__) == source


def test_a_function_that_cites_nothing_is_part_of_its_caller() -> None:
    citations = Citations()

    def helper() -> None:
        citations.cite(sys._getframe())

    def do_IRQ() -> None:
        """Xen: irq.c, do_IRQ @ baf2950213."""
        helper()

    do_IRQ()
    assert citations.sources == {
        "helper": "irq.c, do_IRQ @ baf2950213",
        "do_IRQ": "irq.c, do_IRQ @ baf2950213",
    }


class _Two(rb.State):
    def __init__(self) -> None:
        self.desc, self.rank = rb.Lock("desc", 64), rb.Lock("rank", 1)


def _route(s: _Two) -> None:
    with s.desc, s.rank:
        pass


def _enable(s: _Two) -> None:
    with s.rank, s.desc:
        pass


def _vgic_enable_irqs(s: _Two) -> None:
    """Xen: vgic.c, vgic_enable_irqs @ baf2950213."""
    with s.rank, s.desc:
        pass


@pytest.mark.parametrize(
    ("enable", "sources"),
    [(_vgic_enable_irqs, {"_vgic_enable_irqs": "vgic.c, vgic_enable_irqs @ baf2950213"}), (_enable, None)],
)
def test_evidence_names_the_source_of_what_cites_one(enable: Any, sources: Any) -> None:
    program = rb.Program("two", setup=_Two, threads={"tool": _route, "vcpu0": enable})
    [deadlock] = [f for f in rb.verify(program).findings if f.rule == "deadlock.cycle"]
    assert deadlock.evidence.get("sources") == sources
