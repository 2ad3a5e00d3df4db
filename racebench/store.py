"""A run's folder, written: journal, findings, run.json.  ``stored`` reads it.

The journal is the truth while a run goes on: one line per cell and finding,
flushed and synced as it happens, so that after kill -9 everything reported is
there.  run.json is written whole beside it and renamed into place.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import UsageError
from .stored import SCHEMA, Journal, read_finding, read_journal


class RunFolder:
    """The folder of one run, opened for writing.

    A finding keeps its file: stored again (with a schedule, with a higher
    count, by a resumed run) it replaces what was there.
    """

    def __init__(self, path: Path, *, resume: bool = False) -> None:
        self.path = path
        self._findings = path / "findings"
        taken = any((path / name).exists() for name in ("run.json", "journal.jsonl"))
        if taken and not resume:
            raise UsageError(f"{path}: already holds a run. Name another folder, or use --resume {path}.")
        if resume and not taken:
            raise UsageError(f"{path}: holds no run to resume. Check the folder.")
        self.earlier = read_journal(path) if resume else Journal()
        try:
            self._findings.mkdir(parents=True, exist_ok=True)
            _end_torn_line(path / "journal.jsonl")
            self._journal = open(path / "journal.jsonl", "a", encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{path}: cannot be written: {error.strerror}. Name another folder.") from error
        self._paths = dict(self.earlier.findings)
        numbers = (int(f.stem) for f in self._findings.glob("*.json") if f.stem.isdecimal())
        self._next = 1 + max(numbers, default=0)

    def add_plan(self, plan: Mapping[str, Any]) -> None:
        """What the run is to do, so that ``--resume`` knows."""
        self._append({"plan": plan})

    def add_finding(self, finding: Mapping[str, Any]) -> str:
        """Store one finding; returns its path inside the folder."""
        key = (finding["scenario"], finding["protocol"], finding["signature"])
        name = self._paths.get(key)
        if name is None:
            name = self._paths[key] = f"findings/{self._next:04d}.json"
            self._next += 1
        write_json(self.path / name, {"schema": SCHEMA, **finding})
        told = {k: finding[k] for k in ("rule", "scenario", "protocol", "signature", "count")}
        self._append({"finding": name, **told})
        return name

    def earlier_findings(self, scenario: str, protocol: str) -> list[dict[str, Any]]:
        """What an earlier, unfinished run of this folder has stored for one cell."""
        names = [n for (s, p, _), n in self.earlier.findings.items() if (s, p) == (scenario, protocol)]
        return [read_finding(self.path / name) for name in names if (self.path / name).exists()]

    def add_cell(self, cell: Mapping[str, Any]) -> None:
        self._append({"cell": cell})

    def finish(self, run: Mapping[str, Any]) -> None:
        """Write run.json and close the journal."""
        write_json(self.path / "run.json", run)
        self._journal.close()

    def _append(self, entry: Mapping[str, Any]) -> None:
        self._journal.write(json.dumps({"schema": SCHEMA, **entry}) + "\n")
        self._journal.flush()
        os.fsync(self._journal.fileno())


def _end_torn_line(path: Path) -> None:
    """A journal that a kill cut in mid-line gets its line end, so the next line stands alone."""
    if path.exists() and path.stat().st_size:
        with open(path, "rb+") as file:
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write ``value`` so that ``path`` holds the old content or the new, never half."""
    temporary = path.with_name(path.name + ".part")
    with open(temporary, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
