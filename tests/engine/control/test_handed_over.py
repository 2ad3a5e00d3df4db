"""Values that no step announces, handed over by what is announced: proved, and their broken twins are not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import racebench as rb


class Shop(rb.State):
    ready = rb.shared(False)

    def __init__(self) -> None:
        self.value = 0
        self.notes: list[int] = []
        self.lock = rb.Lock("shop")
        self.told = rb.Condition(self.lock, "told")
        self.sem, self.event = rb.Semaphore(0, "sem"), rb.Event("event")
        self.barrier = rb.Barrier(2, cls="barrier")


Thread = Callable[[Shop], Any]


def _both(gives: Thread, takes: Thread) -> dict[str, Thread]:
    def giver(s: Shop) -> None:
        s.value = 7
        gives(s)

    def taker(s: Shop) -> int:
        takes(s)
        return s.value

    def late(s: Shop) -> None:
        gives(s)
        s.value = 7

    return {"giver": giver, "taker": taker, "late": late}


def _tells(s: Shop) -> None:
    with s.lock:
        s.ready = True
        s.told.notify()


def _is_told(s: Shop) -> None:
    with s.lock:
        s.told.wait_for(lambda: s.ready)


def _says(s: Shop) -> None:
    s.ready = True


def _spins(s: Shop) -> None:
    rb.wait_until(lambda: s.ready)


HANDED = {
    "semaphore": _both(lambda s: s.sem.release(), lambda s: s.sem.acquire()),
    "condition": _both(_tells, _is_told),
    "event": _both(lambda s: s.event.set(), lambda s: s.event.wait()),
    "barrier": _both(lambda s: s.barrier.wait(), lambda s: s.barrier.wait()),
    "predicate": _both(_says, _spins),
}


def proved(**threads: Thread) -> rb.Result:
    return rb.verify(rb.Program("shop", Shop, threads))


@pytest.mark.parametrize("how", HANDED)
@pytest.mark.parametrize("first", ["giver", "taker"])
def test_a_value_that_is_handed_over_is_proved_and_its_twin_is_not(how: str, first: str) -> None:
    kind = HANDED[how]
    threads = {first: kind[first], "giver": kind["giver"], "taker": kind["taker"]}
    result = proved(**threads)
    assert (result.verdict, result.complete) == (rb.Verdict.CLEAN, True)
    threads["giver"] = kind["late"]
    result = proved(**threads)
    assert (result.verdict, result.complete) == (rb.Verdict.UNKNOWN, False)
    assert "Shop.value, a plain attribute" in " ".join(result.stats["unseen"])


@pytest.mark.parametrize("how", HANDED)
def test_explore_knows_it_too(how: str) -> None:
    for giver, verdict in (("giver", rb.Verdict.CLEAN), ("late", rb.Verdict.UNKNOWN)):
        threads = {"giver": HANDED[how][giver], "taker": HANDED[how]["taker"]}
        assert rb.explore(rb.Program("shop", Shop, threads), executions=30).verdict is verdict


def _started(after: bool, joined: bool, child: Thread, own: Thread) -> Thread:
    """One who does ``own`` before it starts a child, or ``after`` that, when it has ``joined`` it or not."""

    def main(s: Shop) -> None:
        one = rb.Thread(target=child, args=(s,))
        if not after:
            own(s)
        one.start()
        if joined:
            one.join()
        if after:
            own(s)

    return main


def _sets(s: Shop) -> None:
    s.value += 1
    s.lock.locked()


def _notes(s: Shop) -> None:
    s.notes.append(s.lock.locked())


def test_what_a_thread_does_comes_after_its_start_and_before_its_join() -> None:
    for child in (_sets, _notes):
        assert proved(main=_started(True, True, child, child)).verdict is rb.Verdict.CLEAN
        assert proved(main=_started(True, False, child, child)).verdict is rb.Verdict.UNKNOWN
    assert proved(main=_started(False, False, _sets, _sets)).verdict is rb.Verdict.CLEAN


def test_who_has_a_list_may_use_it_after_it_was_handed_over() -> None:
    def keeps(s: Shop) -> None:
        notes = s.notes
        one = rb.Thread(target=_notes, args=(s,))
        one.start()
        notes.append(1)

    assert proved(main=keeps).verdict is rb.Verdict.UNKNOWN


def test_two_may_read_what_a_third_one_wrote_before_it_started_them() -> None:
    def main(child: Thread) -> Thread:
        def run(s: Shop) -> None:
            s.value = 7
            for _ in range(2):
                rb.Thread(target=child, args=(s,)).start()

        return run

    def reads(s: Shop) -> int:
        s.lock.locked()
        return s.value

    assert proved(main=main(reads)).verdict is rb.Verdict.CLEAN
    assert proved(main=main(_sets)).verdict is rb.Verdict.UNKNOWN


def test_what_one_order_of_a_lock_hands_over_the_other_one_may_not() -> None:
    def writes(s: Shop) -> None:
        s.value = 7
        with s.lock:
            s.ready = True

    def reads_if(asked: bool) -> Thread:
        def reads(s: Shop) -> int:
            with s.lock:
                ready = s.ready
            return s.value if ready or not asked else 0

        return reads

    for names in ("ab", "ba"):
        for asked, verdict in ((True, rb.Verdict.CLEAN), (False, rb.Verdict.UNKNOWN)):
            threads = {"a": writes, "b": reads_if(asked)}
            assert proved(**{name: threads[name] for name in names}).verdict is verdict


def test_a_value_that_is_changed_by_its_name_as_a_string_is_no_value_that_is_read() -> None:
    def gives(s: Shop) -> None:
        s.value = 7
        s.sem.release()
        name = "value"
        s.sem.release()
        setattr(s, name, 8)

    def takes(s: Shop) -> int:
        s.sem.acquire()
        s.sem.acquire()
        return s.value

    assert proved(a=gives, b=takes).verdict is rb.Verdict.UNKNOWN
