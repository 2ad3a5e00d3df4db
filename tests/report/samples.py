"""Stored results as reports get them, and a console to print them on."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

from rich.console import Console

from racebench.records import Cell, FindingRecord, Run
from racebench.report.stored_run import Stored
from racebench.report.terminal import Drawn
from racebench.report.tree import Block

ESC = "\x1b"
EVIL = f"[bold]x[/bold]{ESC}[31m"


def console(width: int = 80, *, terminal: bool = False) -> Console:
    return Console(
        file=io.StringIO(), width=width, highlight=False, force_terminal=terminal, color_system=None
    )


def printed(thing: Block, width: int = 80) -> str:
    """``thing`` as text; no line is wider than the console."""
    screen = console(width)
    screen.print(Drawn(thing))
    text = screen.file.getvalue()  # type: ignore[attr-defined]
    assert all(len(line) <= width for line in text.splitlines())
    return text


def cell(scenario: str = "route_vs_route", protocol: str = "baseline", **how: Any) -> dict[str, Any]:
    return {
        "scenario": scenario,
        "protocol": protocol,
        "expected": [],
        "allowed": [],
        "found": [],
        "verdict": "as_expected",
        "stress": {"collisions": 412_000, "failures": 0, "first_failure_s": None},
        "verify": {"complete": True, "executions": 14, "preemption_bound": None, "done": 1.0},
        "explore": None,
        "findings": [],
        **how,
    }


def step(thread: str, op: str, obj: str, old: str = "", new: str = "", **how: Any) -> dict[str, Any]:
    return {"thread": thread, "op": op, "object": obj, "old": old, "new": new, "held": [], **how}


STEPS = [
    step("vcpu0", "acquire", "rank[1]", site="write_isenabler (vgic/x.py:1)"),
    step("vcpu0", "read", "rank[1].ienable", "0", "0", held=["rank[1]"], site="set_bits (vgic/x.py:1)"),
    step("vcpu0", "write", "p[40].desc", "None", "desc[64]", held=["rank[1]"], site="route (vgic/x.py:1)"),
    step("toolstack", "read", "p[40].desc", "desc[64]", "desc[64]", site="release_guest_irq (vgic/x.py:1)"),
    step(
        "toolstack",
        "read",
        "desc[64].type",
        "<IrqType.EDGE: 'edge'>",
        "",
        site="release_guest_irq (vgic/x.py:1)",
    ),
    step("toolstack", "acquire", "desc[64]", site="release_desc (vgic/x.py:1)"),
]

RING = [
    {
        "thread": "vcpu0",
        "holds": [{"lock": "rank[1]", "site": "write_isenabler (vgic/vgic_v2.py:38)"}],
        "wants": {"lock": "desc[64]", "site": "vgic_enable_irqs (vgic/vgic.py:63)"},
        "holder": "toolstack",
    },
    {
        "thread": "toolstack",
        "holds": [{"lock": "desc[64]", "site": "release_desc (vgic/irq.py:167)"}],
        "wants": {"lock": "rank[1]", "site": "gic_remove_irq_from_guest (vgic/gic.py:91)"},
        "holder": "vcpu0",
    },
]


def finding(**how: Any) -> dict[str, Any]:
    return {
        "rule": "deadlock.cycle",
        "signature": "deadlock.cycle: desc, rank",
        "summary": "vcpu0 wants desc[64]; toolstack wants rank[1]",
        "scenario": "release_vs_isenabler",
        "protocol": "baseline",
        "threads": ["toolstack", "vcpu0"],
        "schedule": [[s["thread"], s["op"], s["object"]] for s in STEPS],
        "evidence": {"ring": RING, "steps": STEPS},
        "count": 1310,
        "seen": {"verify": 1, "stress": 1309},
        "found_by": {"mode": "verify", "strategy": "exhaustive", "seed": 0, "after": 2},
        "replay_args": [],
        **how,
    }


def stored(*cells: dict[str, Any], **how: Any) -> Stored:
    """A stored run of ``cells`` with one finding, unless ``findings`` says otherwise."""
    given = how.pop("findings", [finding()])
    found = [(f"findings/{i:04d}.json", one) for i, one in enumerate(given, 1)]
    claims, folder, history = how.pop("claims", []), how.pop("folder", "runs/x"), how.pop("history", {})
    run = {"schema": 1, "racebench": "0.1.0", "cells": list(cells), "wall_s": 30.1, **how}
    pairs = [(path, record(one)) for path, one in found]
    at = datetime(2017, 5, 8, 12, 0, tzinfo=UTC)
    return Stored(Run.from_json(run, "run.json"), pairs, claims, at, history, folder)


def a_cell(*words: str, **how: Any) -> Cell:
    return Cell.from_json(cell(*words, **how), "cell")


def record(stored: dict[str, Any]) -> FindingRecord:
    return FindingRecord.from_json(stored, "finding")
