"""Every bundled protocol routes and releases; each keeps to its row of the table."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import pytest

import racebench
from racebench.errors import UsageError
from racebench.scenario.selection import select
from racebench.vgic import Baseline, Protocol, protocol, protocol_ids
from racebench.vgic.new.state import VgicDist
from racebench.vgic.state import AccessOnceRankIrq, LockedPendingIrq

from .machines import EBUSY, interrupted, locks_held, rules, run, system

GUARDS_ROUTE = {"no_rank_lock_guard", "creation_guard", "new_vgic"}
GUARDS_RELEASE = GUARDS_ROUTE | {"route_while_running", "head", "new_head"}
LOCKFREE = set(protocol_ids()) - {"baseline", "no_rank_lock", "no_rank_lock_guard"}
ENABLED = ((40, 64, True),)

ROUTE_LOCKS = {
    "baseline": ["desc > rank"],
    "lockfree_priority": ["desc > rank"],
    "no_rank_lock": [],
    "no_rank_lock_lockfree": [],
    "no_rank_lock_guard": [],
    "pending_irq_lock": ["desc > p"],
    "pending_irq_lock_no_recheck": ["desc > p"],
    "pending_irq_lock_nested": ["desc > p"],
    "domain_lock": ["dom > desc"],
    "domain_lock_mmio": ["dom > desc"],
    "connect_hw_irq": ["desc > rank"],
    "creation_guard": ["desc > rank"],
    "route_while_running": ["desc > rank"],
    "head": ["desc > rank"],
    "new_vgic": ["desc > irq_lock"],
    "new_head": ["desc > irq_lock"],
}
ISENABLER_LOCKS = {
    "new_vgic": ["desc > irq_lock"],
    "new_head": ["desc > irq_lock"],
    "pending_irq_lock_nested": ["p > desc", "rank > desc", "rank > p", "rank > vcpu"],
    "pending_irq_lock": ["desc > p", "rank > desc", "rank > p", "rank > vcpu"],
    "pending_irq_lock_no_recheck": ["rank > desc", "rank > p", "rank > vcpu"],
    "domain_lock_mmio": ["dom > desc", "dom > rank", "dom > vcpu", "rank > desc", "rank > vcpu"],
}
DO_IRQ_LOCKS = {
    "new_vgic": ["ap_list > irq_lock", "desc > ap_list", "desc > irq_lock"],
    "new_head": ["ap_list > irq_lock", "desc > ap_list", "desc > irq_lock"],
    "baseline": ["desc > rank", "desc > vcpu"],
    "no_rank_lock": ["desc > rank", "desc > vcpu"],
    "no_rank_lock_guard": ["desc > rank", "desc > vcpu"],
}


def test_the_bundled_protocols():
    assert set(protocol_ids()) == set(ROUTE_LOCKS)
    assert protocol("baseline") is Baseline
    assert protocol("no-rank-lock") is protocol("no_rank_lock")


def test_an_unknown_protocol_names_the_closest():
    with pytest.raises(UsageError, match="Did you mean no_rank_lock"):
        protocol("no_rank_lok")


@pytest.mark.parametrize("name", protocol_ids())
class TestEvery:
    def test_its_file_states_the_lock_order(self, name):
        code = protocol(name)
        assert (code.ID, bool(code.SUMMARY)) == (name, True)
        module = importlib.import_module(code.__module__)
        assert module.__name__.endswith("." + name)
        assert "\nLock order: " in (module.__doc__ or "")

    def test_what_it_overrides_is_documented(self, name):
        for key, value in vars(protocol(name)).items():
            assert not inspect.isfunction(value) or value.__doc__, key

    def test_it_routes_while_the_domain_is_made(self, name):
        codes, state = run("route virq=40 pirq=64", "route virq=40 pirq=65", under=name, state="creating")
        assert codes == [0, EBUSY]
        assert locks_held(state) == []

    def test_routing_while_the_domain_runs(self, name):
        codes, _ = run("route virq=40 pirq=64", under=name)
        assert codes == [EBUSY if name in GUARDS_ROUTE else 0]

    def test_releasing_while_the_domain_runs(self, name):
        codes, state = run("release virq=40", under=name, routed=((40, 64, False),))
        assert codes == [EBUSY if name in GUARDS_RELEASE else 0]
        assert locks_held(state) == []

    def test_releasing_while_the_domain_dies(self, name):
        codes, state = run("irq pirq=64", "release virq=40", under=name, routed=ENABLED, state="dying")
        assert codes == [None, 0] and state.machine.descs[64].action is None

    def test_a_whole_life_breaks_no_rule_but_that_of_interrupts(self, name):
        life = ["route virq=40 pirq=64", "unpause", "isenabler virq=40", "irq pirq=64", "restore vcpu=0"]
        life += ["eoi virq=40", "itargetsr virq=40 vcpu=1", "move vcpu=1 pcpu=2", "icenabler virq=40"]
        assert rules(*life, "kill", "destroy", under=name, state="creating") == interrupted(name)

    def test_locks_of_route_and_release(self, name, nesting):
        assert run("route virq=40 pirq=64", under=name, state="creating")[0] == [0]
        assert sorted(nesting) == ROUTE_LOCKS[name]
        nesting.clear()
        assert run("release virq=40", under=name, routed=ENABLED, state="dying")[0] == [0]
        assert sorted(nesting) == ROUTE_LOCKS[name]

    def test_locks_of_isenabler(self, name, nesting):
        run("isenabler virq=40", under=name, routed=((40, 64, False),))
        assert sorted(nesting) == ISENABLER_LOCKS.get(name, ["rank > desc", "rank > vcpu"])

    def test_locks_of_do_irq(self, name, nesting):
        run("irq pirq=64", under=name, routed=ENABLED)
        assert sorted(nesting) == DO_IRQ_LOCKS.get(name, ["desc > vcpu"])

    def test_state_it_asks_for(self, name):
        state = system(under=name, routed=ENABLED)
        if name in ("new_vgic", "new_head"):
            assert isinstance(state.domain, VgicDist)
            return
        atomic = isinstance(state.domain.ranks[1].irq[8], AccessOnceRankIrq)
        assert atomic is (name in LOCKFREE)
        has_lock = isinstance(state.domain.pending_irqs[40], LockedPendingIrq)
        assert has_lock is name.startswith("pending_irq_lock")


def test_connecting_while_the_guest_still_has_the_virq():
    for name, code in (("connect_hw_irq", 0), ("route_while_running", EBUSY)):
        assert run("route virq=40 pirq=64", under=name, pending=((40, "lr"),))[0] == [code]


def test_disconnecting_another_desc_is_refused():
    state = system(under="connect_hw_irq", routed=((41, 65, False),), naming=["release virq=40"])
    desc = state.machine.descs[65]
    assert state.xen.vgic_connect_hw_irq(state.domain, 40, desc, False) == -22


def test_a_protocol_of_ones_own():
    class Mine(Baseline):
        """No lock at all around the mapping."""

        ID = "mine"

        def gic_route_irq_to_guest(self, d, virq, desc, priority):
            return self.map_irq(d, d.pending_irqs[virq], desc, priority)

    assert issubclass(Mine, Protocol)
    assert run("route virq=40 pirq=64", under=Mine)[0] == [0]


class Borrows(protocol("baseline")):  # type: ignore[misc]
    SUMMARY = "asks for another protocol in a function"

    def gic_route_irq_to_guest(self, d: Any, virq: int, desc: Any, priority: int) -> int:
        other = protocol("domain_lock")
        return int(other.gic_route_irq_to_guest(self, d, virq, desc, priority))


def test_a_protocol_that_asks_for_another_one_shares_nothing_unseen() -> None:
    result = racebench.verify(select(["route_vs_route"])[0].program(Borrows))
    assert result.complete
    assert not result.stats["unseen"]
