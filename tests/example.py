"""Makes the example campaign in reports/example anew: ``python -m tests.example``.

It is the run of the claims with one finding for each signature, the others left
out, so that it stays small: a page, and a picture of one finding.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from racebench.cli import main

EXAMPLE = Path(__file__).resolve().parent.parent / "reports" / "example"
SHOWN = "release_vs_isenabler", "baseline"
"""The cell whose finding is in the picture."""


def remake(folder: Path = EXAMPLE) -> None:
    """Run the claims, and put what is kept of it into ``folder``."""
    with tempfile.TemporaryDirectory() as temporary:
        whole = Path(temporary) / "run"
        _racebench("run", "@thread", "--time", "100s", "--seed", "1", "--out", str(whole))
        shutil.rmtree(folder / "findings", ignore_errors=True)
        (folder / "findings").mkdir(parents=True)
        _keep(whole, folder)
        picture(folder, Path(temporary))
    _reported(folder, "--html", folder / "report.html")


def picture(folder: Path, temporary: Path) -> None:
    """Draw the finding of one cell."""
    cell, alone = temporary / "cell", temporary / "reports" / SHOWN[0]
    _racebench("verify", SHOWN[0], "--protocol", SHOWN[1], "--out", str(cell))
    (alone / "findings").mkdir(parents=True)
    _keep(cell, alone, "deadlock.cycle")
    _reported(alone, "--svg", folder / "finding.svg")


def _reported(run: Path, form: str, file: Path) -> None:
    """Report ``run`` by a path that is the same on every machine."""
    with contextlib.chdir(run.parent.parent):
        _racebench("report", f"{run.parent.name}/{run.name}", form, str(file))


def _keep(whole: Path, folder: Path, rule: str = "") -> None:
    """The run as it is stored, with the first finding of each signature alone, of one ``rule`` if given.

    Its plan, which says the cells once more, is left out, and so is what operations returned in
    cells in which they did something: nobody goes on with it.
    """
    run: dict[str, Any] = json.loads((whole / "run.json").read_text(encoding="utf-8"))
    del run["options"]["cells"]
    kept: set[str] = set()
    for cell in run["cells"]:
        paths, cell["findings"] = cell["findings"], []
        if not cell.get("vacuous"):
            cell.pop("calls", None)
            for mode in filter(None, (cell["stress"], cell["verify"])):
                mode.pop("returned", None)
        for path in paths:
            finding = json.loads((whole / path).read_text(encoding="utf-8"))
            if finding["signature"] not in kept and rule in ("", finding["rule"]):
                kept.add(finding["signature"])
                cell["findings"].append(f"findings/{len(kept):04d}.json")
                _write(folder / cell["findings"][-1], finding)
    _write(folder / "run.json", run)


def _write(path: Path, value: Any) -> None:
    """Without the blanks that a run's own files have for a reader."""
    path.write_text(json.dumps(value, separators=(",", ":")) + "\n", encoding="utf-8")


def _racebench(*argv: str) -> None:
    status = main(argv)
    assert status == 0, (argv, status)


if __name__ == "__main__":
    remake()
