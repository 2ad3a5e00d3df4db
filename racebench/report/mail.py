"""A run in one mail: the conclusion, what it is based on, what breaks, one schedule, how to replay it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..records import FindingRecord
from . import facts, tree
from .headline import conclusion, worst_first
from .lanes import lanes
from .rules import gravity
from .stored_run import Distinct, Stored, distinct
from .terminal import plain
from .text import clean, clipped, counted, duration, joined
from .tree import Block, Look, Moment, Paragraph, note

MOST_LINES = 40
_MOST_ROWS, _FEWEST_MOMENTS, _LONGEST_RULE = 10, 4, 28


def mail(stored: Stored, about: Sequence[str], width: int) -> list[Block]:
    """At most 40 lines of ``width`` columns, except commands, which are to be copied."""
    findings = distinct(stored)
    said, _ = conclusion(stored, findings)
    worst = worst_first(stored, findings)[:1]
    head = [note(said), Paragraph(), *_basis(stored, about, width), *_broken(stored, width)]
    schedule = [one.record for one in worst if one.record.finding.schedule]
    foot = [block for one in worst for block in _again(one)]
    left = MOST_LINES - _height([*head, *foot], width)
    return [*head, *(block for record in schedule for block in _lanes(record, left, width)), *foot]


def _height(blocks: Sequence[Block], width: int) -> int:
    return len(plain(blocks, width).splitlines())


def _basis(stored: Stored, about: Sequence[str], width: int) -> Iterable[Block]:
    """What was run, with which protocols, and where."""
    run = stored.run
    protocols = list(dict.fromkeys(cell.protocol for cell in run.cells))
    scenarios = {cell.scenario for cell in run.cells}
    yield note(f"protocols: {_few(protocols, 2 * width - len('protocols: ') - _LONGEST_RULE)}")
    proved = sum(cell.proved for cell in run.cells)
    yield note(
        f"{counted(len(scenarios), 'scenario')}, {counted(len(run.cells), 'cell')}, {proved} with every "
        f"schedule searched, in {duration(run.wall_s)}"
    )
    yield note(clipped(" · ".join(about), 2 * width))
    command = run.options.get("command")
    if isinstance(command, str) and command:
        yield tree.command(command)


def _broken(stored: Stored, width: int) -> Iterable[Block]:
    """A line for each rule that breaks, the worst first, with the scenarios and protocols."""
    reached = {
        (*record.cell, record.finding.rule)
        for _, record in stored.findings
        if facts.label(record) != "unreachable"
    }
    odd = {rule for cell in stored.run.cells for rule in cell.unexpected}
    broken: dict[str, list[tuple[str, str]]] = {}
    for cell in stored.run.cells:
        for rule in cell.found:
            if (*cell.name, rule) in reached:
                broken.setdefault(rule, []).append(cell.name)
    rules = sorted(broken, key=lambda rule: (rule not in odd, gravity(rule), rule))
    if not rules:
        return
    yield Paragraph()
    first = min(_LONGEST_RULE, max(len(clean(rule)) for rule in rules) + 2)
    half = (width - first - 4) // 2
    for rule in rules[:_MOST_ROWS]:
        scenarios, protocols = (dict.fromkeys(names) for names in zip(*broken[rule], strict=True))
        text = f"{'! ' if rule in odd else ''}{clipped(clean(rule), _LONGEST_RULE)}"
        where = f"{text:<{first}}  {_few(list(scenarios), half):<{half}}  {_few(list(protocols), half)}"
        yield note(clipped(where.rstrip(), width))
    if len(rules) > _MOST_ROWS:
        yield note(f"and {counted(len(rules) - _MOST_ROWS, 'more rule')}")


def _few(names: Sequence[str], room: int) -> str:
    """As many of ``names`` as fit, and the number of the others."""
    for n in range(len(names), 0, -1):
        said = joined(names[:n]) + (f" +{len(names) - n}" if n < len(names) else "")
        if len(said) <= room:
            return said
    return clipped(clean(names[0]), room - 4) + (f" +{len(names) - 1}" if len(names) > 1 else "")


def _lanes(record: FindingRecord, room: int, width: int) -> Iterable[Block]:
    """The finding's deciding steps and locks; only the last of them if not all fit."""
    title = note(f"{clean(record.finding.rule)}: {facts.sentence(record)}")
    whole = lanes(record)
    moments = [_short(m) for m in whole.moments if m.number or any(s.look is Look.BAD for s in m.text)]
    blocks: list[Block] = []
    for left_out in range(max(1, len(moments) - _FEWEST_MOMENTS)):
        earlier = [note(f"({counted(left_out, 'earlier step')} left out)")] if left_out else []
        blocks = [Paragraph(), title, *earlier, whole._replace(moments=moments[left_out:])]
        if _height(blocks, width) <= room:
            return blocks
    return blocks if _height(blocks, width) <= room else []


def _short(moment: Moment) -> Moment:
    """The row without its place and source."""
    return moment._replace(text=tree.split(moment.text)[0])


def _again(one: Distinct) -> Iterable[Block]:
    command = facts.replay_command(one.record, one.path)
    if command:
        yield Paragraph()
        yield tree.command(command)
