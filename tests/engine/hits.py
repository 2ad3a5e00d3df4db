"""Executions to the first bug, by program and strategy, as a Markdown table.

    python -m tests.engine.hits [--in-turn] [--cap N] [--seeds N] [--only NAME,...] [--strategies NAME,...]

A cell has the mean and, in brackets, the median over the seeds that hit; "k
of n" in front if not all did.  The table of README.md was made by this.
"""

from __future__ import annotations

import argparse
import statistics

import racebench as rb
from racebench.engine.explain.answers import explore
from racebench.engine.search.loop import Plan

from .bugs import BUGS, in_turn

STRATEGIES = ("random", "pct", "pos", "surw", "portfolio")


def first_hits(program: rb.Program, strategy: str, cap: int, seeds: int) -> list[int]:
    """For each seed of 0..seeds-1 that hits within ``cap`` executions, after how many."""
    results = (explore(program, strategy, Plan(cap, seed=seed, stop_on_first=True)) for seed in range(seeds))
    return [r.first_failure for r in results if r.first_failure is not None]


def cell(hits: list[int], seeds: int) -> str:
    if not hits:
        return "never"
    shown = f"{statistics.mean(hits):.1f} ({statistics.median(hits):g})"
    return shown if len(hits) == seeds else f"{len(hits)} of {seeds}: {shown}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.engine.hits")
    parser.add_argument("--in-turn", action="store_true", help="threads are started one after another")
    parser.add_argument("--cap", type=int, default=10_000)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--only", default=",".join(BUGS))
    parser.add_argument("--strategies", default=",".join(STRATEGIES))
    args = parser.parse_args()
    strategies = args.strategies.split(",")
    print(f"| program, cap {args.cap} | {' | '.join(strategies)} |")
    print(f"|---|{'---|' * len(strategies)}", flush=True)
    for name in args.only.split(","):
        program = in_turn(BUGS[name]) if args.in_turn else BUGS[name]
        row = [cell(first_hits(program, s, args.cap, args.seeds), args.seeds) for s in strategies]
        print(f"| {program.name} | {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
