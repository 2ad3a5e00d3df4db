"""Which noise each batch gets, from what the batches before it brought."""

from __future__ import annotations

from collections import Counter

from racebench.engine.free.noise import SETTINGS, Adviser


def broke(often: int) -> Counter[str]:
    return Counter({"a.b: sign": often}) if often else Counter()


def test_before_anything_breaks_each_setting_gets_its_share() -> None:
    adviser = Adviser()
    chosen = []
    for _ in range(2 * len(SETTINGS)):
        chosen.append(adviser.choose())
        adviser.learn(chosen[-1], 1.0, Counter())
    assert chosen == [*range(len(SETTINGS))] * 2


def test_what_breaks_rules_fastest_gets_every_other_batch() -> None:
    adviser = Adviser()
    for i in range(len(SETTINGS)):
        adviser.learn(i, 1.0, broke({2: 5, 4: 9}.get(i, 0)))
    chosen = []
    for _ in range(20):
        chosen.append(adviser.choose())
        # The fastest goes on breaking rules at its rate, the others break none.
        adviser.learn(chosen[-1], 1.0, broke(9 if chosen[-1] == 4 else 0))
    assert chosen[::2] == [4] * 10
    # The rest of the time is shared out among those that had least of it.
    assert set(chosen[1::2]) == {*range(len(SETTINGS))} - {4}


def test_a_setting_that_broke_a_rule_by_luck_does_not_stay_the_best() -> None:
    adviser = Adviser()
    for i in range(len(SETTINGS)):
        adviser.learn(i, 1.0, broke({2: 1, 4: 1}.get(i, 0)))
    adviser.learn(2, 10.0, Counter())
    assert adviser.choose() == 4


def test_what_each_collision_breaks_does_not_outvote_what_is_rare() -> None:
    """Setting 2 runs most collisions a second; only setting 4 shows what is hard to meet."""
    adviser = Adviser()
    for i in range(len(SETTINGS)):
        adviser.learn(i, 1.0, Counter(common=9000 if i == 2 else 3000) + Counter(rare=1 if i == 4 else 0))
    assert adviser.choose() == 4
