"""Which lock acquisitions are needed, as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from .text import clean, counted, duration, joined, plain

_STYLES = {"needed": "bold red", "not needed": "bold green", "open": "bold yellow"}


def ablation_report(ablation: Mapping[str, Any]) -> Group:
    """``ablation`` as the verb stores it: removals, swaps, then the total."""
    answers = ablation["answers"]
    protocol = clean(ablation["protocol"])
    parts: list[RenderableType] = []
    broken = ablation.get("breaks")
    if broken:
        parts += [_as_it_is(protocol, broken, len(ablation["scenarios"])), Text("")]
    for title, chosen in (
        ("each lock acquisition taken away", [a for a in answers if "remove" in a["change"]]),
        ("each nested pair taken the other way round", [a for a in answers if "outer" in a["change"]]),
    ):
        if chosen:
            parts += [Text(f"{protocol}: {title}", style="bold"), _answers(chosen), Text("")]
    return Group(*parts, _total(ablation))


def _as_it_is(protocol: str, broken: Mapping[str, Sequence[str]], scenarios: int) -> Text:
    rules = Counter(rule for told in broken.values() for rule in told)
    named = ", ".join(f"{clean(rule)} in {n}" for rule, n in rules.most_common())
    text = f"{protocol} itself breaks rules in {len(broken)} of {counted(scenarios, 'scenario')}: {named}. "
    return Text(text + "What a change breaks beyond that counts.", style="yellow")


def _answers(answers: Sequence[Mapping[str, Any]]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for answer in answers:
        verdict = clean(answer["verdict"])
        text = plain(answer["what"], "bold")
        for line in _because(answer):
            text.append("\n").append(line)
        table.add_row(Text(verdict, style=_STYLES.get(verdict, "")), text)
    return table


def _because(answer: Mapping[str, Any]) -> Iterator[Text]:
    best = answer.get("best")
    if best is None and answer["open"]:
        yield Text(f"not every schedule was searched of {joined(answer['open'])}")
        return
    if best is None and answer.get("astray"):
        yield Text(
            f"no answer: it is not always the same lock that is taken there in {joined(answer['astray'])}"
        )
        return
    if best is None and answer["verdict"] == "open":
        yield Text(
            "no answer: every scenario that takes it breaks with it too, and may end before. Mend that first"
        )
        return
    if best is None:
        spoilt = answer.get("spoilt", ())
        tried = counted(len(answer["scenarios"]) - len(spoilt), "scenario")
        executions = counted(answer["executions"], "execution")
        yield Text(f"nothing new breaks in any schedule of {tried} that take it ({executions})", style="dim")
        if spoilt:
            yield Text(f"no answer from what breaks with it too: {joined(spoilt)}", style="dim")
        return
    preemptions = best.get("preemptions")
    how = f" ({clean(best['label'])})" if best.get("label") else ""
    how += f", {counted(preemptions, 'preemption')}" if isinstance(preemptions, int) else ""
    yield Text(f"{clean(best['rule'])} in {clean(best['scenario'])}{how}")
    others = [pair for pair in answer["breaks"] if pair != [best["scenario"], best["rule"]]]
    if others:
        yield Text(f"also {_grouped(others)}", style="dim")
    if best.get("replay"):
        yield Text(clean(best["replay"]))


def _grouped(pairs: Iterable[Sequence[str]]) -> str:
    rules: dict[str, list[str]] = {}
    for scenario, rule in pairs:
        rules.setdefault(rule, []).append(scenario)
    return "; ".join(f"{clean(rule)} in {joined(dict.fromkeys(names))}" for rule, names in rules.items())


def _total(ablation: Mapping[str, Any]) -> Text:
    verdicts = [a["verdict"] for a in ablation["answers"]]
    counts = ", ".join(f"{verdicts.count(v)} {v}" for v in _STYLES if v in verdicts) or "no lock is taken"
    text = (
        f"{counts}; {counted(len(ablation['scenarios']), 'scenario')}, "
        f"{counted(ablation['executions'], 'execution')}, {duration(ablation.get('seconds'))}"
    )
    return Text(f"interrupted: {text}" if ablation["interrupted"] else text, style="bold")
