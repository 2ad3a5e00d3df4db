"""The report of an ablation: which lock acquisitions are needed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from .text import clean, clipped, counted, duration, joined
from .tree import Block, Look, Paragraph, Table, Text, command, lines, listed, note, row, say

_LOOKS = {"needed": Look.BAD, "not needed": Look.GOOD, "open": Look.WARN}
_FIRST = {"not needed": 0, "open": 1, "needed": 2}
"""Order of the verdicts: surprising ones come first."""
_MOST, _LONGEST = 3, 90
_TITLES = {
    "remove": "each lock acquisition taken away",
    "outer": "each nested pair taken the other way round",
}


def against(ablation: Mapping[str, Any], parent: Mapping[str, Any]) -> dict[str, Any]:
    """``{parent, new, fixed, both, answers, regression}``: compare two ablations, in words.

    ``new`` is what the first one's protocol breaks as it is and the parent does not, ``fixed``
    the other way round, and ``answers`` has the answers that only one of them gives.  A
    regression is something new, or an answer that is open only in the first.
    """
    mine, theirs = _broken(ablation), _broken(parent)
    said, before = _answered(ablation), _answered(parent)
    return {
        "parent": parent["protocol"],
        "new": sorted(mine - theirs),
        "fixed": sorted(theirs - mine),
        "both": len(mine & theirs),
        "answers": {"new": sorted(said - before), "gone": sorted(before - said)},
        "regression": bool(mine - theirs) or any(line.startswith("open: ") for line in said - before),
    }


def _broken(ablation: Mapping[str, Any]) -> set[str]:
    return {f"{what} in {scenario}" for scenario, rules in ablation["known"].items() for what in rules}


def _answered(ablation: Mapping[str, Any]) -> set[str]:
    return {f"{answer['verdict']}: {answer['what']}" for answer in ablation["answers"]}


def ablation_report(ablation: Mapping[str, Any], folder: str, *, full: bool = True) -> list[Block]:
    """The stored ``ablation``: the conclusion; with ``full`` also the comparison, removals and swaps."""
    head = list(_headline(ablation, folder))
    return [*head, Paragraph(), *_against(ablation.get("against")), *_ablation(ablation)] if full else head


def _headline(ablation: Mapping[str, Any], folder: str) -> Iterator[Block]:
    protocol, answers, again = clean(ablation["protocol"]), ablation["answers"], ablation.get("against")
    of = Counter(answer["verdict"] for answer in answers)
    said = f"No lock is taken under {protocol}."
    if answers:
        changes = counted(len(answers), "change")
        said = f"Of {changes} to the locks of {protocol}, {of['needed']} would break something"
        said += f" and {of['not needed']} nothing"
        said += f"; {of['open']} {'has' if of['open'] == 1 else 'have'} no answer." if of["open"] else "."
    yield note(said, Look.STRONG)
    if again is not None:
        new = f"{counted(len(again['new']), 'rule')} broken anew" if again["new"] else "nothing new breaks"
        yield note(f"Against {clean(again['parent'])}: {new}.", Look.BAD if again["new"] else Look.GOOD)
    yield _total(ablation)
    for answer in _worth_showing(answers)[:_MOST]:
        verdict, best = answer["verdict"], answer.get("best") or {}
        rule = f": {clean(best['rule'])} in {clean(best['scenario'])}" if best else ""
        look = _LOOKS.get(verdict, Look.PLAIN)
        yield Paragraph(say(verdict, look) + say(f": {clipped(clean(answer['what']), _LONGEST)}{rule}"))
        if best.get("replay"):
            yield command(f"  {best['replay']}")
    if folder:
        yield command(f"racebench explain {folder}", "all of it:")


def _worth_showing(answers: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """One answer of each verdict before the second of any; surprising verdicts first."""
    met = Counter[str]()
    ranked = []
    for answer in answers:
        kind = answer["verdict"]
        ranked.append((met[kind], _FIRST.get(kind, 0), answer))
        met[kind] += 1
    return [answer for *_, answer in sorted(ranked, key=lambda one: one[:2])]


def _against(again: Mapping[str, Any] | None) -> Iterator[Block]:
    if again is None:
        return
    parent, answers = clean(again["parent"]), again["answers"]
    sections = (
        ("new", again["new"], Look.BAD),
        ("fixed", again["fixed"], Look.GOOD),
        ("said of its locks alone", answers["new"], Look.PLAIN),
        (f"said of those of {parent} alone", answers["gone"], Look.DIM),
    )
    if not again["new"]:
        yield note(f"nothing new breaks that {parent} does not break", Look.GOOD)
    for title, said, look in sections:
        if said:
            yield note(f"{title}:", Look.STRONG)
            yield from (Paragraph(say(line, look), indented=True) for line in said)
    yield note(f"both break {counted(again['both'], 'rule')} in the same scenarios", Look.DIM)
    yield Paragraph()


def _ablation(ablation: Mapping[str, Any]) -> list[Block]:
    blocks: list[Block] = []
    protocol = clean(ablation["protocol"])
    if ablation.get("breaks"):
        blocks += [_as_it_is(protocol, ablation), Paragraph()]
    for kind, title in _TITLES.items():
        chosen = [answer for answer in ablation["answers"] if kind in answer["change"]]
        if chosen:
            blocks += [note(f"{protocol}: {title}", Look.STRONG), _answers(chosen), Paragraph()]
    return blocks


def _as_it_is(protocol: str, ablation: Mapping[str, Any]) -> Paragraph:
    broken = ablation["breaks"]
    rules = Counter(rule for broke in broken.values() for rule in broke)
    named = ", ".join(f"{clean(rule)} in {n}" for rule, n in rules.most_common())
    scenarios = counted(len(ablation["scenarios"]), "scenario")
    text = f"{protocol} itself breaks rules in {len(broken)} of {scenarios}: {named}. "
    return note(text + "What a change breaks beyond that counts.", Look.WARN)


def _answers(answers: Sequence[Mapping[str, Any]]) -> Table:
    rows = [
        row(
            say(answer["verdict"], _LOOKS.get(answer["verdict"], Look.PLAIN)),
            lines([say(answer["what"], Look.STRONG), *_because(answer)]),
        )
        for answer in answers
    ]
    return listed(rows)


def _because(answer: Mapping[str, Any]) -> Iterator[Text]:
    best = answer.get("best")
    if best is None:
        yield from _unbroken(answer)
        return
    preemptions = best.get("preemptions")
    how = f" ({clean(best['label'])})" if best.get("label") else ""
    how += f", {counted(preemptions, 'preemption')}" if isinstance(preemptions, int) else ""
    yield say(f"{best['rule']} in {best['scenario']}{how}")
    others = [pair for pair in answer["breaks"] if pair != [best["scenario"], best["rule"]]]
    if others:
        yield say(f"also {_grouped(others)}", Look.DIM)
    if best.get("replay"):
        yield say(best["replay"])


def _unbroken(answer: Mapping[str, Any]) -> Iterator[Text]:
    spoilt = answer.get("spoilt", ())
    if answer["open"]:
        yield say(f"not every schedule was searched of {joined(answer['open'])}")
    elif answer.get("astray"):
        yield say(
            f"no answer: it is not always the same lock that is taken there in {joined(answer['astray'])}"
        )
    elif answer["verdict"] == "open":
        what = "every scenario that takes it breaks with it too, and may end before"
        yield say(f"no answer: {what}. Mend that first")
    else:
        tried = counted(len(answer["scenarios"]) - len(spoilt), "scenario")
        executions = counted(answer["executions"], "execution")
        yield say(f"nothing new breaks in any schedule of {tried} that take it ({executions})", Look.DIM)
        if spoilt:
            yield say(f"no answer from what breaks with it too: {joined(spoilt)}", Look.DIM)


def _grouped(pairs: Iterable[Sequence[str]]) -> str:
    rules: dict[str, list[str]] = {}
    for scenario, rule in pairs:
        rules.setdefault(rule, []).append(scenario)
    return "; ".join(f"{clean(rule)} in {joined(dict.fromkeys(names))}" for rule, names in rules.items())


def _total(ablation: Mapping[str, Any]) -> Paragraph:
    verdicts = Counter(answer["verdict"] for answer in ablation["answers"])
    counts = ", ".join(f"{verdicts[v]} {v}" for v in _LOOKS if verdicts[v]) or "no lock is taken"
    scenarios = counted(len(ablation["scenarios"]), "scenario")
    executions = counted(ablation["executions"], "execution")
    text = f"{counts}; {scenarios}, {executions}, {duration(ablation.get('seconds'))}"
    return note(f"interrupted: {text}" if ablation["interrupted"] else text, Look.STRONG)
