"""Programs whose own parts fail: each ends in an answer, soon, and leaves no thread behind."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import racebench as rb
from racebench.engine.control import scheduler as controlled
from racebench.engine.control.overseer import Overseer
from racebench.engine.explain import answers
from racebench.engine.free import stress as free_stress
from racebench.engine.search.loop import Plan


class Counter(rb.State):
    x = rb.shared(0)

    def __init__(self) -> None:
        self.lock = rb.Lock("lock")


class Unshowable:
    def __repr__(self) -> str:
        raise ValueError("repr")


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise ValueError("str")


def increments(s: Counter) -> None:
    s.x += 1


def program(first: Any = increments, **more: Any) -> rb.Program:
    return rb.Program("user", more.pop("setup", Counter), {"a": first, "b": increments}, **more)


def boom(*args: Any) -> Any:
    raise RuntimeError("boom")


def leaves(*args: Any) -> Any:
    sys.exit(3)


def verify(p: rb.Program) -> rb.Result:
    return rb.verify(p, seconds=600, max_executions=20_000)


def explore(p: rb.Program) -> rb.Result:
    return rb.explore(p, executions=30)


def stress(p: rb.Program) -> rb.Result:
    return rb.stress(p, seconds=0.1)


MODES = (verify, explore, stress)


def rules(result: rb.Result) -> set[str]:
    return {finding.rule for finding in result.findings}


@pytest.fixture(autouse=True)
def no_thread_stays() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    # One of an earlier test may still have been on its way out.
    assert set(threading.enumerate()) <= before


@pytest.mark.parametrize("mode", MODES)
def test_a_value_that_cannot_be_shown_is_shown_as_that(mode: Any) -> None:
    def stores(s: Counter) -> Any:
        s.x = Unshowable()  # type: ignore[assignment]
        return [Unshowable(), {Unshowable()}]

    def always(s: Counter, results: Any) -> rb.Broken:
        return rb.broken("always", "always")

    # The other thread must not add to what cannot be added to, or no check may be reached.
    result = mode(rb.Program("user", Counter, {"a": stores, "b": stores}, always))
    assert rules(result) >= {"always"}
    evidence = str([finding.evidence for finding in result.findings])
    assert "<Unshowable, whose repr raised ValueError>" in evidence


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "error", [SystemExit(3), Unspeakable(), GeneratorExit()], ids=["exit", "str", "generator"]
)
def test_a_check_that_raises_anything_is_a_finding(mode: Any, error: BaseException) -> None:
    def check(s: Counter, results: Any) -> None:
        raise error

    result = mode(program(check=check))
    [finding] = [f for f in result.findings if f.rule == "program.error"]
    assert type(error).__name__ in finding.summary


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("setup", [boom, leaves])
def test_a_setup_that_raises_anything_is_a_program_error(mode: Any, setup: Any) -> None:
    with pytest.raises(rb.ProgramError, match="setup raised"):
        mode(program(setup=setup))


def test_a_recycle_that_raises_is_said_to() -> None:
    with pytest.raises(rb.ProgramError, match="recycle raised RuntimeError: boom"):
        stress(program(recycle=boom))


def test_a_snapshot_that_raises_is_said_to() -> None:
    always = {"check": lambda s, results: rb.broken("always", "always"), "snapshot": boom}
    with pytest.raises(rb.ProgramError, match="snapshot raised RuntimeError: boom"):
        stress(program(**always))
    # Nothing but the evidence is missing.
    for mode in (verify, explore):
        found = mode(program(**always))
        assert rules(found) >= {"always"}
        assert "snapshot raised" in found.findings[0].evidence["not_deterministic"]
    with pytest.raises(rb.ProgramError, match="snapshot raised RuntimeError: boom"):
        rb.replay(program(**always), found.findings[0].schedule)


@pytest.mark.parametrize("mode", MODES)
def test_endless_recursion_is_the_programs_error(mode: Any) -> None:
    def deep(s: Counter) -> Any:
        return s.x + deep(s)

    result = mode(program(deep))
    [finding] = [f for f in result.findings if f.rule == "program.error"][:1]
    assert "RecursionError" in finding.summary


@pytest.mark.parametrize(
    "mode",
    [lambda p: answers.verify(p, None, Plan(stall_s=0.2)), lambda p: rb.explore(p, stall_s=0.2)],
    ids=["verify", "explore"],
)
def test_once_a_thread_hung_next_to_nothing_more_is_run(mode: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    defaults = controlled.Scheduler.__init__.__kwdefaults__
    monkeypatch.setitem(defaults, "stall_s", 0.2)
    hung: list[str] = []
    real = Overseer._set_aside

    def set_aside(self: Any, blocks: bool) -> bool:
        hung.append("one")
        return real(self, blocks)

    monkeypatch.setattr(Overseer, "_set_aside", set_aside)

    def loops(s: Counter) -> None:
        s.x += 1
        while True:
            pass

    result = mode(program(loops))
    assert "stall.hang" in rules(result)
    assert 1 <= len(hung) <= 2


class Wordy(Exception):
    def __str__(self) -> str:
        return "begin" + "-" * 1_000_000 + "end"


def says_much(*args: Any) -> Any:
    raise Wordy


def checks_much(s: Counter) -> None:
    rb.check_that(False, "user.rule", str(Wordy()))


def breaks_much(s: Counter, results: Any) -> Any:
    return rb.broken("user.rule", str(Wordy()))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "said", [{"first": says_much}, {"check": says_much}, {"first": checks_much}, {"check": breaks_much}]
)
def test_of_very_long_words_both_ends_are_told(mode: Any, said: dict[str, Any]) -> None:
    for finding in mode(program(**said)).findings:
        if finding.rule != "data_race":
            assert len(finding.summary) < 2_500
            assert "begin" in finding.summary and "end" in finding.summary
            assert "characters left out]" in finding.summary
            assert len(str(finding.evidence["message"])) < 2_500
            assert len(finding.signature) < 2_500


@pytest.mark.parametrize("mode", MODES)
def test_of_a_deep_recursion_both_ends_are_told(mode: Any) -> None:
    def falls(s: Counter) -> Any:
        return falls(s)

    [stack] = [
        finding.evidence["stacks"]["a"]
        for finding in mode(program(falls)).findings
        if finding.rule == "program.error"
    ]
    assert len(stack) == 25
    assert "falls" in stack[0] and "falls" in stack[-1]
    assert stack[12].endswith(" calls left out]")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "words", [(7, "message"), ("user.rule", 7), ("user.rule", "m", "field"), ("user.rule", "m", (7,))]
)
def test_what_is_no_word_is_the_programs_error(mode: Any, words: tuple[Any, ...]) -> None:
    found = mode(program(check=lambda s, results: rb.broken(*words)))
    assert rules(found) - {"data_race"} == {"program.error"}
    if len(words) == 2:
        found = mode(program(lambda s: rb.check_that(False, *words)))
        [error] = [f for f in found.findings if f.rule != "data_race"]
        assert "test_user_errors.py" in error.evidence["site"]


@pytest.mark.parametrize("said", [True, 5, "lost", [True]])
def test_a_check_that_returns_something_else_is_said_to(said: Any) -> None:
    program = rb.Program("odd", setup=rb.State, threads={"a": lambda s: None}, check=lambda s, r: said)
    with pytest.raises(rb.ProgramError, match=r"check returned \w+, not None or racebench.broken"):
        rb.explore(program, executions=1)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("threads", ["ab", "a"])
def test_a_program_of_which_nothing_is_seen_has_no_answer(mode: Any, threads: str) -> None:
    before = Counter()
    result = mode(rb.Program("made-before", lambda: before, {name: increments for name in threads}))
    assert (result.verdict, result.complete) == (rb.Verdict.UNKNOWN, False)
    assert any(s.startswith("no thread touched a shared field or a lock") for s in result.stats["unseen"])
    seen = mode(rb.Program("made-in-setup", Counter, {"a": lambda s: s.x}))
    assert seen.verdict is rb.Verdict.CLEAN


@pytest.mark.parametrize(
    "nothing",
    [
        lambda p: rb.explore(p, executions=0),
        lambda p: rb.explore(p, seconds=0),
        lambda p: rb.stress(p, seconds=0),
    ],
)
def test_an_answer_from_nothing_is_none(nothing: Any) -> None:
    result = nothing(program(lambda s: s.x))
    assert (result.verdict, result.executions) == (rb.Verdict.UNKNOWN, 0)


def test_a_finding_and_a_result_can_be_printed() -> None:
    class Counter(rb.State):
        n = rb.shared(0)

    def add(s: Any) -> None:
        s.n += 1

    check = lambda s, r: None if s.n == 2 else rb.broken("n.lost", "an addition is lost")  # noqa: E731
    result = rb.verify(rb.Program("counter", Counter, {"first": add, "b": add}, check=check))
    finding = next(f for f in result.findings if f.rule == "n.lost")
    assert repr(finding) == "<Finding n.lost: an addition is lost>"
    lines = str(finding).splitlines()
    assert lines[0] == "n.lost: an addition is lost"
    assert lines[1].split() in (["1", "first", "read", "Counter.n"], ["1", "b", "read", "Counter.n"])
    assert repr(result) == "<Result FOUND after 4 executions, every schedule: 2 findings>"
    assert str(finding) in str(result)


class Said(str):
    """A str that sends its own class along."""


class Odd:
    def __getattr__(self, name: str) -> Any:
        return self

    def __call__(self) -> None:
        pass


class Rude:
    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __repr__(self) -> str:
        raise self.error


class Broken(list):  # type: ignore[type-arg]
    def __iter__(self) -> Any:
        raise SystemExit(0)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "value",
    [Odd(), Rude(SystemExit(0)), Rude(GeneratorExit()), Broken([1])],
    ids=["odd", "exit", "end", "list"],
)
def test_whatever_a_thread_returns_can_be_told(mode: Any, value: Any) -> None:
    check = lambda s, r: rb.broken("never.well", "it never is")  # noqa: E731
    result = mode(rb.Program("odd", rb.State, {"a": lambda s: value, "b": lambda s: 1}, check=check))
    [finding] = result.findings
    assert isinstance(finding.evidence["results"]["a"], str)


@pytest.mark.parametrize("mode", MODES)
def test_what_is_told_is_plain(mode: Any) -> None:
    check = lambda s, r: rb.broken(Said("never.well"), Said("it never is"), (Said("field"),))  # noqa: E731
    program = rb.Program(Said("odd"), rb.State, {Said("a"): lambda s: 1}, check=check)
    [finding] = mode(program).findings
    for text in (finding.rule, finding.summary, finding.signature, program.name, *program.threads):
        assert type(text) is str


@pytest.mark.parametrize("part", ["snapshot", "story"])
@pytest.mark.parametrize(
    "value",
    [{1, 2}, object(), 1 << 100_000, "x" * (2 << 20), {(1, 2): 3}],
    ids=["set", "object", "int", "long", "key"],
)
def test_a_picture_that_cannot_be_stored_is_the_programs_error(part: str, value: Any) -> None:
    fails: Any = lambda s: rb.check_that(False, "never.well", "it never is")  # noqa: E731
    program = rb.Program("odd", rb.State, {"a": fails}, **{part: lambda s: value})
    with pytest.raises(rb.ProgramError, match=f"odd: {part} returned"):
        rb.stress(program, seconds=0.05)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize(
    "run",
    # A fork for each execution: a few are enough.
    [verify, lambda p: rb.explore(p, executions=3), lambda p: rb.stress(p, seconds=1e-6)],
    ids=["verify", "explore", "stress"],
)
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_setup_that_forks_comes_back_once(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other process would search as well, and fork in each execution."""
    monkeypatch.setattr(free_stress, "FEWEST_COLLISIONS", 1)
    called, children = tmp_path / "called", []

    def forks() -> Counter:
        with called.open("a") as file:
            file.write(f"{os.getpid()}\n")
        children.append(os.fork())
        return Counter()

    def adds(s: Counter) -> None:
        with s.lock:
            s.x += 1

    assert not run(rb.Program("user", forks, {"a": adds, "b": adds})).findings
    for child in children:
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 1
    assert set(called.read_text().split()) == {str(os.getpid())}
