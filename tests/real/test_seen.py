"""What no step announces is never passed over: data that threads get from one another is told, or found."""

from __future__ import annotations

import copy
import pickle
import queue
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import racebench as rb


class Two:
    """A lock for each of two threads, so that nothing orders what they do."""

    def __init__(self) -> None:
        self.left, self.right = threading.Lock(), threading.Lock()
        self.simple: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.seen = 0


class Box:
    def __init__(self) -> None:
        self.n = 0


class Instrumented:
    def __init__(self) -> None:
        self.n = 0


def nap(lock: Any) -> None:
    with lock:
        pass


def bump(out: list[int], lock: Any) -> None:
    nap(lock)
    seen = out[0]
    nap(lock)
    out[0] = seen + 1


def bump_box(box: Any, lock: Any) -> None:
    nap(lock)
    seen = box.n
    nap(lock)
    box.n = seen + 1


def both(first: Any, second: Any) -> None:
    first.start()
    second.start()
    first.join()
    second.join()


def closure(s: Two) -> int:
    out = [0]
    both(*(threading.Thread(target=lambda lock=lock: bump(out, lock)) for lock in (s.left, s.right)))
    return out[0]


def arguments(s: Two) -> int:
    out = [0]
    both(*(threading.Thread(target=bump, args=(out, lock)) for lock in (s.left, s.right)))
    return out[0]


def our_threads(s: Two) -> int:
    out = [0]
    both(*(rb.Thread(target=bump, args=(out, lock)) for lock in (s.left, s.right)))
    return out[0]


def timers(s: Two) -> int:
    out = [0]
    both(*(threading.Timer(1, bump, (out, lock)) for lock in (s.left, s.right)))
    return out[0]


def an_object(s: Two) -> int:
    box = Box()
    both(*(threading.Thread(target=bump_box, args=(box, lock)) for lock in (s.left, s.right)))
    return box.n


def a_variable(s: Two) -> int:
    n = 0

    def thread(lock: Any) -> None:
        nonlocal n
        nap(lock)
        seen = n
        nap(lock)
        n = seen + 1

    both(*(threading.Thread(target=thread, args=(lock,)) for lock in (s.left, s.right)))
    return n


class Own(threading.Thread):
    """Keeps what it does in itself."""

    def __init__(self, lock: Any) -> None:
        super().__init__()
        self.lock, self.n = lock, 0

    def run(self) -> None:
        bump_box(self, self.lock)


def a_thread_itself(s: Two) -> int:
    own = Own(s.left)
    both(own, threading.Thread(target=bump_box, args=(own, s.right)))
    return own.n


def a_pool(s: Two) -> int:
    out = [0]
    with ThreadPoolExecutor(2) as pool:
        for lock in (s.left, s.right):
            pool.submit(bump, out, lock)
    return out[0]


def an_item(s: Two) -> int:
    out = [0]
    child = threading.Thread(target=lambda: bump(s.simple.get(), s.left))
    child.start()
    s.simple.put(out)
    bump(out, s.right)
    child.join()
    return out[0]


def of_a_child(s: Two) -> int:
    def child() -> None:
        mine = [0]
        grandchild = threading.Thread(target=lambda: bump(mine, s.left))
        grandchild.start()
        bump(mine, s.right)
        grandchild.join()
        s.seen = mine[0]

    thread = threading.Thread(target=child)
    thread.start()
    thread.join()
    return s.seen


UNSEEN: list[Callable[[Two], int]] = [
    *(closure, arguments, our_threads, timers, an_object, a_variable),
    *(a_thread_itself, a_pool, an_item, of_a_child),
]


def counts_two(s: Two, results: dict[str, Any]) -> rb.Broken | None:
    return None if results["main"] == 2 else rb.broken("count.lost", f"{results}")


@pytest.mark.parametrize("main", UNSEEN)
def test_what_is_given_to_a_thread_by_no_field_is_told(main: Callable[[Two], int]) -> None:
    """Each loses an update in some schedule, and in none that differs by a step that is seen."""
    program = rb.Program("unseen", Two, {"main": main}, check=counts_two, instrument=[Two])
    for result in (rb.verify(program), rb.explore(program, executions=20)):
        assert result.verdict is not rb.Verdict.CLEAN and not result.complete
        assert any("RaceBench does not see that" in said for said in result.stats["unseen"])


def test_its_instrumented_twin_is_found() -> None:
    def main(s: Two) -> int:
        box = Instrumented()
        both(*(threading.Thread(target=bump_box, args=(box, lock)) for lock in (s.left, s.right)))
        return box.n

    program = rb.Program("seen", Two, {"main": main}, check=counts_two, instrument=[Two, Instrumented])
    result = rb.verify(program)
    assert {finding.rule for finding in result.findings} == {"count.lost", "data_race"}
    assert result.stats["unseen"] == ()


# -- what a class does besides having attributes


class Counted:
    total = 0

    def __init__(self) -> None:
        self.n = 0

    def count(self) -> int:
        Counted.total += 1
        self.n += 1
        return self.total


def test_a_variable_of_the_class_is_the_classs_and_told() -> None:
    result = rb.verify(
        rb.Program("class", Counted, {"a": Counted.count, "b": Counted.count}, instrument=[Counted])
    )
    assert {finding.rule for finding in result.findings} == {"data_race"}
    assert any("Counted.total, a class attribute" in said for said in result.stats["unseen"])
    assert Counted.total == 0


class Loose:
    def __init__(self, **given: int) -> None:
        self.__dict__.update(given)

    def count(self) -> None:
        self.n += 1  # type: ignore[attr-defined]


def test_a_class_that_uses_its_dict_keeps_it_and_is_told() -> None:
    program = rb.Program(
        "loose", lambda: Loose(n=0), {"a": Loose.count, "b": Loose.count}, instrument=[Loose]
    )
    result = rb.verify(program)
    assert (result.verdict, result.findings) == (rb.Verdict.UNKNOWN, ())
    assert any("uses the dict of its objects in __init__" in said for said in result.stats["unseen"])


class Kept:
    def __init__(self) -> None:
        self.n, self.parts = 1, [1]


class KeptInSlots:
    __slots__ = ("n", "parts")

    def __init__(self) -> None:
        self.n, self.parts = 1, [1]


@pytest.mark.parametrize("cls", [Kept, KeptInSlots])
@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_a_copy_is_another_object(cls: Any, how: Callable[[Any], Any]) -> None:
    def main(s: Any) -> tuple[int, int]:
        other = how(s)
        other.n = 5
        return s.n, other.n

    seen: set[Any] = set()

    def keep(s: Any, results: dict[str, Any]) -> None:
        seen.add(results["main"])

    result = rb.verify(rb.Program("copy", cls, {"main": main, "other": main}, check=keep, instrument=[cls]))
    assert (result.findings, seen) == ((), {(1, 5)})


class Lazy:
    def get(self) -> Any:
        if not hasattr(self, "value"):
            self.value = object()
        return self.value


LAZY = Lazy()


def test_an_object_that_outlives_an_execution_is_told() -> None:
    threads = {"a": lambda s: LAZY.get(), "b": lambda s: LAZY.get()}
    result = rb.verify(rb.Program("lazy", Two, threads, instrument=[Lazy, Two]))
    assert result.verdict is not rb.Verdict.CLEAN and not result.complete
    assert any("outlives an execution" in said for said in result.stats["unseen"])
