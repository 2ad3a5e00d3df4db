"""The operation language: what it takes, and how it refuses."""

from __future__ import annotations

import pytest

import racebench as rb
from racebench import vgic


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rout virq=40 pirq=64", "Did you mean route?"),
        ("explode", "unknown operation"),
        ("route virq=40", "route needs pirq"),
        ("route virq=1200 pirq=64", "virq 1200 is outside 32..95 (domain.spis = 64). Raise spis"),
        ("route virq=40 pirq=31", "pirq 31 is outside 32..1019"),
        ("route virq=40 virq=41 pirq=64", "given twice"),
        ("route virq=40 pirq=64 speed=9", "route has no speed"),
        ("route virq=forty pirq=64", "is not name=number"),
        ("route virq=[40,41] pirq=64", "route takes one virq"),
        ("isenabler virq=[]", "takes one virq"),
        ("isenabler virq=[40,70]", "more than one register"),
        ("isenabler virq=[40,40]", "names one twice"),
        ("itargetsr virq=40 vcpu=2", "vcpu 2 is outside 0..1"),
        ("ipriorityr virq=40 priority=256", "priority 256 is outside 0..255"),
        ("route virq=99999999999999999999 pirq=64", "Write route virq=N"),
    ],
)
def test_refusals_name_place_and_remedy(text: str, said: str) -> None:
    with pytest.raises(rb.ScenarioError) as caught:
        vgic.parse_operation(text, "late.toml", "threads.vcpu0[1]", vgic.Initial())
    assert str(caught.value).startswith("late.toml: threads.vcpu0[1]: ")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "text", ["route virq=40 pirq=64 dom=2", "isenabler virq=[40,41]", "unpause", "eoi virq=40"]
)
def test_an_operation_prints_as_it_is_written(text: str) -> None:
    assert str(vgic.parse_operation(text, "f", "p", vgic.Initial())) == text


def test_every_operation_has_code_and_a_usage() -> None:
    from racebench.vgic.system import CODE

    assert set(CODE) == set(vgic.OPERATIONS)
    assert vgic.usage("route") == "route virq=N pirq=N [dom=N]"
