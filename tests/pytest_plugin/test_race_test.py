"""What a race test lets pass."""

from __future__ import annotations

from typing import Any

import pytest

import racebench as rb

from ..engine import programs as p

LOST, RACE = "account.lost", "data_race"


def verified(deposit: Any = p.racy_deposit, **how: Any) -> None:
    rb.race_test(mode="verify", **how)(lambda: p.account(deposit))()


@pytest.mark.parametrize(
    "how",
    [{"allow": [LOST, RACE]}, {"expect": [LOST], "allow": {RACE}}, {"allow": [LOST, RACE, "deadlock.cycle"]}],
)
def test_what_is_allowed_may_be_found(how: dict[str, Any]) -> None:
    verified(**how)


def test_what_is_allowed_need_not_be_found() -> None:
    verified(p.locked_deposit, allow=[LOST, RACE])


@pytest.mark.parametrize(
    ("deposit", "how", "words"),
    [
        (p.racy_deposit, {"allow": [RACE]}, LOST),
        (p.racy_deposit, {"allow": [LOST]}, RACE),
        (p.locked_deposit, {"expect": [LOST], "allow": [LOST]}, "expected account.lost, not found"),
    ],
)
def test_and_else_nothing_may(deposit: Any, how: dict[str, Any], words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        verified(deposit, **how)


@pytest.mark.parametrize("word", ["expect", "allow"])
def test_one_string_is_no_list_of_rules(word: str) -> None:
    with pytest.raises(rb.UsageError, match=f"{word} is one string"):
        verified(**{word: LOST})


def test_a_test_without_an_answer_says_why() -> None:
    def spins(s: p.Account) -> None:
        while not s.balance:
            pass

    program = rb.Program("spins", p.Account, {"a": spins, "b": p.racy_deposit})
    with pytest.raises(AssertionError, match=r"a spins on Account.balance .*use racebench.wait_until"):
        rb.race_test(mode="verify", allow=[RACE])(lambda: program)()
