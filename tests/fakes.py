"""Scenarios, engine results, listeners and pools for tests that run no engine, or no child."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from time import perf_counter
from types import SimpleNamespace
from typing import Any, Self

import pytest

from racebench.campaign import cell_run, modes, runner
from racebench.campaign.stop import Stop
from racebench.errors import RaceBenchError
from racebench.findings import Finding, Result, Verdict
from racebench.scenario.scenario import Scenario, load_scenario
from racebench.scenario.selection import Choice, Target

TWO_ROUTES = """\
schema = 1
title = "Two routes"
[threads]
a = ["route virq=40 pirq=64"]
b = ["route virq=40 pirq=65"]
[expect]
"*" = []
no_rank_lock = ["mapping.corrupted", "mapping.double_success"]
"""

STEPS = (("a", "acquire", "desc[64]"), ("b", "acquire", "desc[65]"), ("a", "release", "desc[64]"))


def scenario(tmp_path: Path, name: str = "two_routes", text: str = TWO_ROUTES) -> Scenario:
    path = tmp_path / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return load_scenario(path)


def target(tmp_path: Path, protocol: str = "baseline", name: str = "two_routes") -> Target:
    return Target(scenario(tmp_path, name), Choice(protocol, protocol, protocol))


def finding(rule: str = "mapping.corrupted", **how: Any) -> Finding:
    how = {"signature": f"{rule}: p.desc", "summary": f"{rule} happened", **how}
    return Finding(rule, **how)


def result(*findings: Finding, executions: int = 100, **how: Any) -> Result:
    verdict = Verdict.FOUND if findings else Verdict.CLEAN
    failures = sum(f.count for f in findings)
    how = {"complete": False, "seconds": 0.1, "failures": failures, **how}
    complete, seconds = how.pop("complete"), how.pop("seconds")
    return Result(verdict, complete, executions, seconds, findings, **how)


class Engine:
    """Stands in for the modes: each call takes the next of the results laid out for it."""

    def __init__(self, **answers: Any) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self._answers = answers

    def _answer(self, mode: str, how: dict[str, Any]) -> Any:
        self.calls.append((mode, how))
        answer = self._answers.get(mode)
        if isinstance(answer, list):
            answer = answer.pop(0)
        if callable(answer):
            answer = answer(**how)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def verify(self, program: Any, **how: Any) -> Any:
        return self._answer("verify", how)

    def stress(self, program: Any, **how: Any) -> Any:
        return self._answer("stress", how)

    def explore(self, program: Any, **how: Any) -> Any:
        return self._answer("explore", how)

    def reproduce(self, program: Any, wanted: Any, seconds: float, seed: int, **how: Any) -> Any:
        again = self._answer("reproduce", {"wanted": wanted, "seconds": seconds, "seed": seed})
        return {} if again is None else {again.signature: again}


class Heard:
    """Keeps the messages that it gets, as (word, argument...) tuples."""

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []

    def __call__(self, word: str, *what: Any) -> None:
        self.events.append((word, *what))

    def all(self, word: str) -> list[tuple[Any, ...]]:
        return [event[1:] for event in self.events if event[0] == word]


class Here:
    """A pool whose jobs run in this process, one after the other."""

    def __init__(self, size: int, stop: Stop, first: int = 1) -> None:
        self.stop = stop

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None: ...

    def run(self, employer: Any, meanwhile: Any = lambda: None) -> None:
        meanwhile()
        while not self.stop.asked and (job := employer.next_job(1)) is not None:
            link: Any = SimpleNamespace(tell=partial(employer.on_message, job), stop=self.stop)
            try:
                value = job.call.function(link, *job.call.args)
            except RaceBenchError as error:
                employer.failed(job, error)
            else:
                employer.done(job, value)

    def call(self, call: Any, hear: Any = lambda word, *what: None, limit_s: float | None = None) -> Any:
        return call.function(SimpleNamespace(tell=hear, stop=self.stop), *call.args)


def hammered_until_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a cell hammered in this process until it breaks, however busy the machine is.

    By its clock 950 seconds are gone then: of the 1,000 that it is to be given, no more are for hammering.
    """
    stress, ahead = modes.stress, 0.0

    def hammered(program: Any, *, seconds: float, **how: Any) -> Result:
        nonlocal ahead
        broken = stress(program, 600.0, stop_on_first=True, **how)
        ahead += 950.0
        return broken

    monkeypatch.setattr(modes, "stress", hammered)
    monkeypatch.setattr(cell_run, "perf_counter", lambda: perf_counter() + ahead)
    monkeypatch.setattr(runner, "Pool", Here)
