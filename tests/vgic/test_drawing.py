"""Random scenarios: only what a machine can be in, and smaller ones of each."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from racebench.scenario.scenario import scenario_from_text
from racebench.scenario.text import Heading, scenario_text
from racebench.vgic.drawing import STATES, Drawn, draw, op, smaller
from racebench.vgic.language import Initial

MANY = 600


def drawn(seed: int = 3, state: str | None = None, count: int = MANY) -> list[Drawn]:
    rng = random.Random(seed)
    return [draw(rng, state) for _ in range(count)]


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


def test_all_operations_but_kill_are_drawn() -> None:
    seen = {name for one in drawn() for name in names(one)}
    assert {
        "route",
        "release",
        "isenabler",
        "icenabler",
        "itargetsr",
        "ipriorityr",
        "irq",
        "late_irq",
    } <= seen
    assert {"eoi", "restore", "move", "cpu_on", "unpause", "destroy", "setup_irq"} <= seen


def test_a_pirq_comes_once_and_not_while_it_is_not_ended() -> None:
    for one in drawn():
        fired = [op.value("pirq") for ops in one.threads.values() for op in ops if op.name.endswith("irq")
                 and op.name != "setup_irq"]  # fmt: skip
        assert len(fired) == len(set(fired))
        busy = {pirq for virq, pirq, _ in one.initial.routed if virq in dict(one.initial.pending)}
        assert not busy & set(fired)


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
        assert not (0 in one.initial.down and one.initial.pending)


def test_no_smaller_one_lets_a_guest_run_that_was_not_started() -> None:
    looked = 0
    for one in drawn(state="creating", count=100):
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
