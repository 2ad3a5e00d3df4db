"""Which locks are needed, as it is shown."""

from __future__ import annotations

from typing import Any

from racebench.report.ablation import ablation_report
from racebench.report.terminal import plain

from .samples import ESC, EVIL


def answer(what: str, verdict: str, **how: Any) -> dict[str, Any]:
    change = {"outer": "a", "inner": "b"} if "before" in what else {"remove": ["f", "l"]}
    fields = {"best": None, "breaks": [], "scenarios": ["route", "release"], "open": [], "executions": 2}
    return {"what": what, "change": change, "verdict": verdict, **fields, **how}


def shown(*answers: dict[str, Any], **how: Any) -> str:
    ablation = {"protocol": "mine", "answers": answers, "scenarios": ["route", "release"], "executions": 14}
    return plain(ablation_report({**ablation, "interrupted": False, "seconds": 0.25, **how}, "runs/a"), 90)


def test_each_answer_says_why() -> None:
    best = {"scenario": "route", "rule": "data_race", "preemptions": 1, "replay": "racebench replay x"}
    text = shown(
        answer("without a", "needed", best=best, breaks=[["route", "data_race"], ["release", "data_race"]]),
        answer("without b", "not needed", spoilt=["release"]),
        answer("without c", "open", open=["route"]),
        answer("without d", "open", astray=["route"]),
        answer("a before b", "open"),
        breaks={"route": ["crash.null_desc"]},
    )
    assert [line.rstrip() for line in text.splitlines()] == [
        "Of 5 changes to the locks of mine, 1 would break something and 1 nothing; 3 have no",
        "answer.",
        "1 needed, 1 not needed, 3 open; 2 scenarios, 14 executions, 250 ms",
        "not needed: without b",
        "open: without c",
        "needed: without a: data_race in route",
        "  racebench replay x",
        "all of it: racebench explain runs/a",
        "",
        "mine itself breaks rules in 1 of 2 scenarios: crash.null_desc in 1. What a change breaks",
        "beyond that counts.",
        "",
        "mine: each lock acquisition taken away",
        "needed      without a",
        "            data_race in route, 1 preemption",
        "            also data_race in release",
        "            racebench replay x",
        "not needed  without b",
        "            nothing new breaks in any schedule of 1 scenario that take it (2 executions)",
        "            no answer from what breaks with it too: release",
        "open        without c",
        "            not every schedule was searched of route",
        "open        without d",
        "            no answer: it is not always the same lock that is taken there in route",
        "",
        "mine: each nested pair taken the other way round",
        "open  a before b",
        "      no answer: every scenario that takes it breaks with it too, and may end before. Mend",
        "      that first",
    ]


def test_nothing_in_a_file_is_obeyed() -> None:
    first, second, _ = shown(interrupted=True).splitlines()
    assert first.rstrip() == "No lock is taken under mine."
    assert second == "interrupted: no lock is taken; 2 scenarios, 14 executions, 250 ms"
    text = shown(answer(EVIL, EVIL, open=[EVIL]), protocol=EVIL, breaks={EVIL: [EVIL]})
    assert ESC not in text and text.count("[bold]x[/bold]") == 9


def test_the_headline_has_an_answer_of_each_kind_before_the_second_of_any() -> None:
    best = {"scenario": "route", "rule": "data_race", "preemptions": 1, "replay": "racebench replay x"}
    spare = [answer(f"without {name}", "not needed") for name in "abc"]
    lines = shown(*spare, answer("without d", "needed", best=best)).splitlines()
    at = [line.rstrip() for line in lines].index("not needed: without a")
    assert [line.rstrip() for line in lines[at + 1 : at + 4]] == [
        "needed: without d: data_race in route",
        "  racebench replay x",
        "not needed: without b",
    ]
