"""Schedules: strict, stable, and clear when they no longer fit."""

from __future__ import annotations

import contextlib
import hashlib
import json

import pytest

import racebench as rb

from .. import programs as p


def _schedules(strategy: str, seed: int, executions: int) -> list[str]:
    """The threads of each step of each execution, as the strategy chose them."""
    chosen: list[str] = []

    def check(s: p.Account, results: object) -> None:
        chosen.append("|")

    program = p.account(p.racy_deposit)
    program = rb.Program(program.name, program.setup, program.threads, check)
    from racebench.engine.control.scheduler import Scheduler
    from racebench.engine.strategies import STRATEGIES

    picker = STRATEGIES[strategy](seed, 2)
    with Scheduler(program) as scheduler:
        for _ in range(executions):
            outcome = scheduler.run(picker)
            picker.end(outcome.log, False)
            chosen += [task.name for task, _, _ in outcome.log]
    return chosen


@pytest.mark.parametrize("strategy", ["random", "pct", "pos", "surw", "portfolio"])
def test_n_executions_are_a_prefix_of_more(strategy: str) -> None:
    few, many = _schedules(strategy, 7, 20), _schedules(strategy, 7, 30)
    assert many[: len(few)] == few


@pytest.mark.parametrize(
    ("strategy", "digest"),
    [
        ("random", "8247ff11b0e0c4b4"),
        ("pct", "ca3853f9fef2d70f"),
        ("pos", "f3e3c0289a1b8935"),
        ("surw", "cba07b666bb45ac9"),
    ],
)
def test_the_same_seed_gives_the_same_schedules_on_every_python(strategy: str, digest: str) -> None:
    """The digests were taken on 3.11; they hold on every version and build."""
    text = "".join(_schedules(strategy, 42, 50))
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == digest


def test_a_schedule_survives_json() -> None:
    finding = rb.explore(p.abba(), executions=100).findings[0]
    assert finding.rule == "deadlock.cycle"
    stored = tuple((t, op, obj) for t, op, obj in json.loads(json.dumps(finding.schedule)))
    assert stored == finding.schedule
    assert rb.replay(p.abba(), stored).findings[0].signature == finding.signature


def test_replay_of_another_program_diverges_with_place_and_offers() -> None:
    finding = rb.explore(p.account(p.racy_deposit), executions=100).findings[0]
    with pytest.raises(rb.ReplayDiverged) as caught:
        rb.replay(p.account(p.locked_deposit), finding.schedule)
    assert caught.value.step == 0
    assert caught.value.expected == finding.schedule[0]
    assert ("acquire", "account") in caught.value.actual.values()


def test_replay_of_a_longer_recording_diverges_at_the_end() -> None:
    finding = rb.explore(p.account(p.racy_deposit), executions=100).findings[0]
    longer = (*finding.schedule, ("a", "read", "Account.balance"))
    with pytest.raises(rb.ReplayDiverged) as caught:
        rb.replay(p.account(p.racy_deposit), longer)
    assert caught.value.step == len(finding.schedule)


def test_replay_names_a_thread_that_is_not_there() -> None:
    with pytest.raises(rb.ReplayDiverged):
        rb.replay(p.abba(), (("nobody", "acquire", "account"),))


def test_divergence_cannot_be_swallowed_by_the_program() -> None:
    def swallows(s: p.Account) -> None:
        with contextlib.suppress(Exception):
            s.balance += 1

    with pytest.raises(rb.ReplayDiverged):
        rb.replay(p.account(swallows), (("a", "write", "Account.balance"),))


class Cache(rb.State):
    data = rb.shared({1: 2})


def get(s: Cache) -> int | None:
    return s.data[1] if 1 in s.data else None


def test_each_recorded_step_has_its_line_of_source_and_what_a_container_was_and_became() -> None:
    program = rb.Program("cache", setup=Cache, threads={"get": get, "evict": lambda s: s.data.pop(1)})
    found = rb.verify(program).findings
    [finding] = [one for one in found if one.rule == "program.error"]
    steps = finding.evidence["steps"]
    [write] = [step for step in steps if step["op"] == "write"]
    assert (write["old"], write["new"]) == ("{1: 2}", "{}")
    assert "s.data.pop(1)" in write["code"]
    reads = [step for step in steps if step["thread"] == "get"]
    assert {step["code"] for step in reads} == {"return s.data[1] if 1 in s.data else None"}
