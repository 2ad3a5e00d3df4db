"""What is mutated: bundled scenarios, a run folder with findings of each kind, command lines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from racebench import cli
from racebench.scenario.selection import bundled_root

SCENARIOS = (
    *("thread/route_vs_route", "thread/release_vs_isenabler", "thread/guard_vs_unpause"),
    *("pairs/itargetsr_vs_eoi", "pairs/irq_vs_release_dying", "hammer/route_release_enable"),
)


@dataclass(frozen=True)
class Samples:
    """``scenarios`` are texts by stem, ``run`` the files of a run folder, ``findings`` as stored."""

    scenarios: Mapping[str, str]
    run: Mapping[str, bytes]
    findings: tuple[dict[str, Any], ...]


def made(folder: Path) -> Samples:
    """Samples that RaceBench writes itself, below ``folder``."""
    run, ablated = folder / "run", folder / "ablated"
    cells = ["route_vs_route", "release_vs_isenabler", "--protocol", "baseline", "no_rank_lock"]
    assert cli.main(["run", *cells, "--time", "400ms", "--out", str(run)]) in (0, 1)
    assert cli.main(["ablate", "baseline", "route_vs_route", "--time", "60s", "--out", str(ablated)]) == 0
    stored = [*sorted(run.glob("findings/*.json")), *sorted(ablated.glob("findings/*.json"))]
    root = bundled_root()
    return Samples(
        {Path(name).name: (root / f"{name}.toml").read_text(encoding="utf-8") for name in SCENARIOS},
        {p.relative_to(run).as_posix(): p.read_bytes() for p in sorted(run.rglob("*")) if p.is_file()},
        tuple(json.loads(path.read_bytes()) for path in stored),
    )
