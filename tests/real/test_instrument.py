"""``Program(instrument=)``: attributes of classes that do not know RaceBench, and locks made at import."""

from __future__ import annotations

import collections
import sys
import threading
from dataclasses import dataclass
from typing import Any

import pytest

import racebench as rb
from tests.outside import from_outside

IMPORTED = threading.Lock()


class Cache:
    def __init__(self) -> None:
        self._data: dict[int, str] = {}
        self.hits = 0

    def get(self, key: int) -> str | None:
        if key in self._data:
            self.hits += 1
            return self._data[key]
        return None

    def evict(self) -> None:
        self._data.clear()


class CarefulCache(Cache):
    _class_lock = threading.Lock()

    def get(self, key: int) -> str | None:
        with self._class_lock:
            return super().get(key)

    def evict(self) -> None:
        with self._class_lock:
            super().evict()


@dataclass
class Account:
    balance: int = 0

    def deposit(self) -> None:
        self.balance += 1


class Slotted:
    __slots__ = ("balance", "later")

    def __init__(self) -> None:
        self.balance = 0

    def deposit(self) -> None:
        self.balance += 1

    def has_later(self) -> bool:
        return hasattr(self, "later")

    def set_later(self) -> None:
        self.later = 1


class Equal:
    """All are equal, and their attribute is private."""

    def __init__(self) -> None:
        self.__balance = 0

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 1

    @property
    def balance(self) -> int:
        return self.__balance

    def deposit(self) -> None:
        self.__balance += 1


class Imports:
    """Guarded by a lock of its module."""

    def __init__(self) -> None:
        self.balance = 0

    def deposit(self) -> None:
        with IMPORTED:
            self.balance += 1


def twice(cls: type, instrument: list[Any]) -> rb.Program:
    def check(s: Any, results: dict[str, Any]) -> rb.Broken | None:
        return None if s.balance == 2 else rb.broken("account.lost", f"balance {s.balance}")

    deposit = cls.deposit  # type: ignore[attr-defined]
    return rb.Program("account", cls, {"a": deposit, "b": deposit}, check=check, instrument=instrument)


@pytest.mark.parametrize("cls", [Account, Slotted, Equal])
def test_a_lost_update_is_found_replayed_and_named(cls: type) -> None:
    program = twice(cls, [cls])
    found = {finding.rule: finding for finding in rb.verify(program).findings}
    assert found.keys() == {"account.lost", "data_race"}
    assert f"{cls.__name__}." in found["data_race"].summary
    assert rb.replay(program, found["account.lost"].schedule).findings


@pytest.mark.parametrize(
    "target", [Account, f"{__name__}:Account", f"{__name__}:Account.balance", __name__, sys.modules[__name__]]
)
def test_a_class_is_named_in_five_ways(target: Any) -> None:
    assert "account.lost" in {finding.rule for finding in rb.verify(twice(Account, [target])).findings}


def test_stress_finds_it_too() -> None:
    result = rb.stress(twice(Account, [Account]), seconds=60.0, stop_on_first=True)
    assert [finding.rule for finding in result.findings] == ["account.lost"]


@pytest.mark.parametrize("cls, rules", [(Cache, {"program.error"}), (CarefulCache, set())])
def test_a_dict_in_an_attribute_is_looked_into(cls: type, rules: set[str]) -> None:
    def setup() -> Any:
        cache = cls()
        cache._data[1] = "one"
        return cache

    threads = {"get": lambda s: s.get(1), "evict": lambda s: s.evict()}
    result = rb.verify(rb.Program("cache", setup, threads, instrument=[cls, Cache]))
    assert {finding.rule for finding in result.findings} == rules
    assert result.complete


def test_a_read_of_what_is_missing_is_a_read() -> None:
    seen: set[bool] = set()

    def keep(s: Any, results: dict[str, Any]) -> None:
        seen.add(results["looks"])

    threads = {"looks": Slotted.has_later, "sets": Slotted.set_later}
    rb.verify(rb.Program("later", Slotted, threads, check=keep, instrument=[Slotted]))
    assert seen == {True, False}


def test_a_lock_that_a_module_made_is_ours_in_the_run_and_its_own_after_it() -> None:
    before = IMPORTED
    result = rb.verify(twice(Imports, [sys.modules[__name__]]))
    assert (result.verdict, result.complete) == (rb.Verdict.CLEAN, True)
    assert IMPORTED is before and not IMPORTED.locked()
    assert rb.stress(twice(Imports, [sys.modules[__name__]]), seconds=0.05).findings == ()


def test_all_is_undone_though_the_run_ends_with_an_error() -> None:
    before = {cls: dict(vars(cls)) for cls in (Account, Slotted, Cache)}

    def setup() -> None:
        raise ValueError("not today")

    with pytest.raises(rb.ProgramError, match="not today"):
        rb.verify(rb.Program("no", setup, {"a": lambda s: None}, instrument=[*before]))
    assert {cls: dict(vars(cls)) for cls in before} == before


def test_what_is_not_there_or_written_in_c_is_said() -> None:
    with pytest.raises(rb.ProgramError, match="no_such_module"):
        rb.verify(twice(Account, ["no_such_module:Class"]))
    with pytest.raises(rb.ProgramError, match="Nothing"):
        rb.verify(twice(Account, [f"{__name__}:Nothing"]))
    with pytest.raises(rb.ProgramError, match="not a class"):
        twice(Account, [3])
    result = rb.verify(
        rb.Program("c", Account, {"a": Account.deposit}, instrument=[Account, collections.OrderedDict])
    )
    assert result.verdict is rb.Verdict.UNKNOWN and "OrderedDict" in result.stats["unseen"][0]


def test_another_thread_of_the_process_gets_the_real_thing_meanwhile() -> None:
    kinds: set[Any] = set()

    def looks(s: Account) -> None:
        s.deposit()
        kinds.add((type(threading.Lock()).__name__, type(from_outside(threading.Lock)).__name__))

    rb.verify(rb.Program("kinds", Account, {"a": looks}, instrument=[Account]))
    assert [outside for _, outside in kinds] == ["lock"]
    assert all(inside != "lock" for inside, _ in kinds)


def test_the_hash_of_a_thread_is_the_same_for_whoever_asks() -> None:
    """One of ours was hashed by its starter, and then by itself while it counted as the program's."""
    foreign = threading.Thread()
    before, seen = hash(foreign), set()

    def looks(s: Account) -> None:
        s.deposit()
        own = threading.Thread()
        seen.add((hash(foreign), hash(own) == from_outside(lambda: hash(own))))

    rb.verify(rb.Program("hashes", Account, {"a": looks}, instrument=[Account]))
    assert seen == {(before, True)}
    assert hash(foreign) == before


def test_a_thread_knows_its_own_name() -> None:
    names: set[Any] = set()

    def main(s: Account) -> None:
        def child() -> None:
            names.add(threading.current_thread().name)

        thread = threading.Thread(target=child, name="worker-7")
        thread.start()
        thread.join()
        names.add(threading.current_thread().name)
        s.deposit()

    rb.verify(rb.Program("names", Account, {"main": main}, instrument=[Account]))
    assert names == {"main", "worker-7"}
