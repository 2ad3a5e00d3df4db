"""Random scenarios: only what a machine can be in, and smaller ones of each."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from racebench import vgic
from racebench.engine.search.glance import glance
from racebench.engine.search.loop import Plan
from racebench.scenario.scenario import scenario_from_text
from racebench.scenario.text import Heading, scenario_text
from racebench.vgic.callers import GUEST, MADE_BY
from racebench.vgic.drawing import STATES, Drawn, draw, op, played
from racebench.vgic.language import Initial, LineAtStart
from racebench.vgic.reduction import smaller
from racebench.vgic.state import IrqType

from .machines import run

MANY = 600


def drawn(seed: int = 3, state: str | None = None, count: int = MANY) -> list[Drawn]:
    rng = random.Random(seed)
    return [draw(rng, state=state, espis=True) for _ in range(count)]


def names(one: Drawn) -> Counter[str]:
    return Counter(op.name for ops in one.threads.values() for op in ops)


def test_the_same_seed_draws_the_same() -> None:
    assert drawn(5) == drawn(5) != drawn(6)


def test_every_one_is_a_scenario_file_that_says_the_same() -> None:
    for one in drawn():
        text = scenario_text(Heading("a title", "s", ["fuzz"], "why\n\nmore"), one, {"*": []})
        read = scenario_from_text(Path("x.toml"), text)
        assert (read.initial, dict(read.threads)) == (one.initial, dict(one.threads))
        assert read.comment == "why\n\nmore"


@pytest.mark.parametrize("protocol", ["baseline", "route_while_running", "head", "new_head"])
def test_every_operation_that_a_tree_has_is_drawn_and_no_other(protocol: str) -> None:
    absent, rng = vgic.protocol(protocol).ABSENT, random.Random(3)
    seen = {name for _ in range(MANY) for name in names(draw(rng, absent))}
    assert seen == set(vgic.OPERATIONS) - absent


def test_every_operation_that_can_fail_succeeds_in_some() -> None:
    """Each is drawn in states in which there is something for it to do."""
    code, rng = vgic.protocol("head"), random.Random(1)
    codes: dict[str, set[int]] = {}
    for _ in range(MANY):
        one = draw(rng, code.ABSENT)
        program = vgic.build_program("drawn", one.initial, one.threads, code)
        for said, returned in glance(program, Plan(1)).returned(program.parts).items():
            name = said.partition(": ")[2].partition(" ")[0]
            codes.setdefault(name, set()).update(code[:1] == "-" for code in returned)
    assert {"bind", "unbind", "attach", "level", "route", "release"} <= set(codes)
    assert [name for name, failed in codes.items() if False not in failed] == []


def test_a_late_pirq_comes_once_and_not_while_it_is_not_ended() -> None:
    for one in drawn():
        late = [o.value("pirq") for ops in one.threads.values() for o in ops if o.name == "late_irq"]
        assert len(late) == len(set(late))
        busy = {pirq for virq, pirq, _ in one.initial.routed if virq in dict(one.initial.pending)}
        assert not busy & set(late)


def numbers(one: Drawn) -> set[int]:
    """Every vIRQ and pIRQ that ``one`` names."""
    made = [o for ops in one.threads.values() for o in ops]
    named = {n for o in made for key, ns in o.args if key in ("virq", "pirq", "irq") for n in ns}
    routed = {n for virq, pirq, _ in one.initial.routed for n in (virq, pirq)}
    return named | routed | {virq for virq, _ in one.initial.pending} | set(one.initial.reserved)


def test_extended_spis_are_drawn_where_the_tree_has_them() -> None:
    extended = [one for one in drawn() if one.initial.espis]
    assert MANY / 20 < len(extended) < MANY / 3
    assert all(numbers(one) <= {4096, 4097} for one in extended)
    assert all(max(numbers(one)) < 4096 for one in drawn() if numbers(one) and not one.initial.espis)
    rng = random.Random(3)
    assert not any(draw(rng).initial.espis for _ in range(MANY))


@pytest.mark.parametrize("name", vgic.protocol_ids())
def test_a_protocol_says_whether_it_has_them(name: str) -> None:
    [code], _ = run("bind irq=4096", espis=32, under=name, state="creating")
    assert (code == 0) is vgic.protocol(name).ESPIS


def test_the_hardware_domain_is_drawn_and_neither_dies_nor_has_a_device_model() -> None:
    hardware = [one for one in drawn(count=3000) if one.initial.hardware_domain]
    assert {one.initial.state for one in hardware} == {"creating", "running"}
    assert not any({"kill", "level"} & set(names(one)) for one in hardware)


def test_one_without_extended_spis_and_one_that_is_no_hardware_domain_is_smaller() -> None:
    bound = Initial(routed=((4096, 4096, True),), reserved=(4096,), espis=32, hardware_domain=True)
    one = Drawn(bound, {"pcpu1": (op("irq", pirq=4096),), "vcpu0": (op("icenabler", virq=4096),)})
    plain = Initial(routed=((64, 64, True),), reserved=(64,), hardware_domain=True)
    threads = {"pcpu1": (op("irq", pirq=64),), "vcpu0": (op("icenabler", virq=64),)}
    assert Drawn(plain, threads) in list(smaller(one))
    assert Drawn(bound._replace(hardware_domain=False), one.threads) in list(smaller(one))


def test_what_one_vcpu_does_it_does_in_order() -> None:
    pending = Initial(routed=((40, 64, True),), pending=((40, "lr"),))
    enable, end = op("isenabler", virq=40), op("eoi", virq=40, vcpu=0)
    trap, enter = op("trap", vcpu=0), op("restore", vcpu=0)
    assert played(pending, 0, (enable, end)) == (trap, enable, enter, end)
    assert played(pending, 0, (end, enable)) == (end, trap, enable)
    assert played(pending, 1, (enable,)) == (enable,)
    assert played(Initial(), 0, (enable, enter, enable)) == (enable, enter, trap, enable)
    for one in drawn():
        for name, ops in one.threads.items():
            if name.startswith("vcpu"):
                vcpu = int(name[4:])
                assert played(one.initial, vcpu, ops) == ops
                assert {o.value("vcpu") for o in ops if o.name in ("trap", "restore", "eoi")} <= {vcpu}


def test_nobody_runs_beside_what_excludes_him_for_good() -> None:
    looked = Counter[str]()
    for one in drawn(count=3000):
        callers = {name: {MADE_BY.get(o.name) for o in ops} for name, ops in one.threads.items()}
        every = set().union(*callers.values())
        assert not ("kill" in every and every & set(GUEST))
        for name, made in callers.items():
            if "domain_vgic_free" in made:
                others = set().union(*(m for n, m in callers.items() if n != name))
                assert not others & {"bind", "unbind", "attach", "a move of a vCPU", "set_irq_level"}
        moved = {o.value("vcpu") for ops in one.threads.values() for o in ops if o.name in ("move", "steal")}
        assert not {f"vcpu{n}" for n in moved} & set(one.threads)
        looked.update(every & {"kill", "domain_vgic_free", "a move of a vCPU"})
    assert min(looked.values()) > 20 and len(looked) == 3


@pytest.mark.parametrize("state", STATES)
def test_who_runs_in_which_state(state: str) -> None:
    for one in drawn(state=state, count=200):
        assert one.initial.state == state
        assert 1 <= len(one.threads) <= 3
        guests = [ops for name, ops in one.threads.items() if name.startswith("vcpu")]
        if state == "dying":
            assert not guests
        if state == "creating":
            assert all(ops[0].name == "unpause" for ops in guests)
            assert not any(enabled for _, _, enabled in one.initial.routed)
            assert not one.initial.pending


def test_a_vcpu_that_is_down_does_nothing_but_is_switched_on() -> None:
    down = [one for one in drawn(count=3000) if one.initial.down]
    assert down
    for one in down:
        on = {o.value("vcpu") for ops in one.threads.values() for o in ops if o.name == "cpu_on"}
        assert set(one.initial.down) <= on
        assert not {f"vcpu{n}" for n in one.initial.down} & set(one.threads)


def test_no_smaller_one_lets_a_guest_run_that_was_not_started() -> None:
    looked = 0
    for one in drawn(state="creating", count=200):
        for candidate in smaller(one):
            if candidate.initial.state == "creating":
                for name, ops in candidate.threads.items():
                    assert not name.startswith("vcpu") or ops[0].name == "unpause"
                    looked += name.startswith("vcpu")
    assert looked > 100


def test_a_guest_that_only_has_to_run_runs_from_the_start() -> None:
    guest = (op("unpause"), op("isenabler", virq=40))
    one = Drawn(Initial(state="creating"), {"vcpu0": guest, "toolstack0": (op("route", virq=40, pirq=64),)})
    running = next(iter(smaller(one)))
    assert running.initial.state == "running"
    assert [str(o) for o in running.threads["vcpu0"]] == ["isenabler virq=40"]


def test_all_that_was_done_before_can_be_taken_away() -> None:
    full = Initial(
        state="dying",
        routed=((64, 64, True), (65, 65, False)),
        pending=((64, "lr"),),
        targets=((64, 1),),
        migrating=(64,),
        active=(64,),
        reserved=(64, 65),
        lines=(LineAtStart(65, IrqType.INVALID),),
        down=(1,),
        blocked=(0,),
    )
    one = Drawn(full, {"toolstack0": (op("unbind", irq=65),)})
    while candidates := [c for c in smaller(one) if c.initial != one.initial]:
        one = candidates[0]
    assert one.initial == Initial(state="dying")
    last = Drawn(Initial(routed=((65, 65, False),), reserved=(65,)), {"toolstack0": (op("bind", irq=65),)})
    assert list(smaller(last))[-1] == Drawn(
        Initial(routed=((64, 64, False),), reserved=(64,)), {"toolstack0": (op("bind", irq=64),)}
    )


def test_what_is_queued_for_a_vcpu_stays_for_it() -> None:
    away = Initial(routed=((40, 64, True),), pending=((40, "lr"),), targets=((40, 1),), migrating=(40,))
    for one in smaller(Drawn(away, {"vcpu0": (op("eoi", virq=40, vcpu=0),)})):
        assert bool(one.initial.targets) == bool(one.initial.migrating)


def test_what_is_bound_first_may_have_been_bound_before() -> None:
    bound = (op("bind", irq=64), op("unbind", irq=64))
    one = Drawn(Initial(), {"toolstack0": bound})
    before = Initial(routed=((64, 64, False),), reserved=(64,))
    assert Drawn(before, {"toolstack0": bound[1:]}) in list(smaller(one))
    beside = Drawn(Initial(), {"toolstack0": bound[:1], "toolstack1": bound[1:]})
    assert Drawn(before, {"toolstack1": bound[1:]}) in list(smaller(beside))
    again = Drawn(before, {"toolstack0": bound})
    assert not [c for c in smaller(again) if len(c.initial.routed) > 1]


def test_smaller_ones_are_smaller_and_come_to_an_end() -> None:
    for one in drawn(count=80):
        while True:
            candidates = list(smaller(one))
            # A pIRQ or vIRQ with a lower number counts as smaller; it is the last.
            assert all(c.size() < one.size() for c in candidates[:-1])
            assert all(c.key() != one.key() for c in candidates)
            if not candidates:
                break
            one = candidates[-1]
        assert one.size()[:2] == (1, 1)
