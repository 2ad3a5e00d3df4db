"""How large free-running batches are, for fast programs and for slow ones."""

from __future__ import annotations

import pytest

from racebench.engine.free.batches import LARGEST, LEAST, Batches


def grown(collision_s: float, batches: int = 20) -> list[int]:
    """The sizes of one setting's batches when each collision takes ``collision_s``."""
    sizes, said = Batches(3), []
    for _ in range(batches):
        said.append(sizes.next(1))
        sizes.took(1, said[-1], said[-1] * collision_s)
    return said


def test_the_first_collision_stands_alone_and_measures_for_all() -> None:
    sizes = Batches(2)
    assert [sizes.next(0), sizes.next(1)] == [1, 1]
    sizes.took(0, 1, 0.0001)
    assert [sizes.next(0), sizes.next(1)] == [LEAST, LEAST]


def test_a_fast_program_gets_batches_of_some_milliseconds() -> None:
    assert grown(0.000_01)[-1] == 301
    assert grown(0.000_001)[-1] == LARGEST


@pytest.mark.parametrize(("collision_s", "size"), [(0.02, 5), (0.2, 1), (30.0, 1)])
def test_a_slow_program_comes_back_soon(collision_s: float, size: int) -> None:
    assert grown(collision_s) == [1] + 19 * [size]


def test_one_slow_batch_does_not_make_the_other_settings_slow() -> None:
    sizes = Batches(2)
    sizes.took(0, 1, 0.0001)
    sizes.took(1, LEAST, 5.0)
    assert [sizes.next(0), sizes.next(1)] == [LEAST, 1]
    sizes.took(1, 1, 0.0001)
    assert sizes.next(1) == LEAST
