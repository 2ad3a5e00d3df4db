"""Write a run's folder: journal, findings, run.json.

The journal is the truth while a run goes on: one line per cell and finding,
flushed and synced as it happens, so that after kill -9 everything reported is
there.  run.json is written whole beside it and renamed into place.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from ..errors import UsageError
from ..records import SCHEMA, Cell, FindingRecord, Run
from .results import Journal, read_finding, read_journal

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


class RunFolder:
    """The folder of one run, opened for writing.

    A finding keeps its file: when it is stored again (with a schedule, with a higher
    count, by a resumed run), the file is replaced.  ``path`` is kept as it was
    given, for messages; files are written to the absolute path that it had at the start,
    because the code under test may change the working folder.  ``earlier`` is the content
    of the journal before.
    """

    def __init__(self, path: Path, *, resume: bool = False) -> None:
        self.path = path
        self._root = _absolute(path)
        self._findings = self._root / "findings"
        # A run that never began (because a machine was unreachable, say) has an empty journal and no result.
        journal = self._root / "journal.jsonl"
        taken = (self._root / "run.json").exists() or (journal.exists() and journal.stat().st_size > 0)
        if taken and not resume:
            raise UsageError(f"{path}: already holds a run. Name another folder, or use --resume {path}.")
        if resume and not taken:
            raise UsageError(f"{path}: holds no run to resume. Check the folder.")
        self.earlier = read_journal(self._root) if resume else Journal()
        for name in ("journal.jsonl", "findings", "scenarios"):
            _refuse_strange(path / name, folder=name != "journal.jsonl")
        try:
            self._findings.mkdir(parents=True, exist_ok=True)
            self._journal = journal.open("a", encoding="utf-8")
            if not _locked(self._journal):
                what = f"{path}: a run is going on there"
                raise UsageError(f"{what}, or a process that it has started. Wait for its end.")
            if taken and not resume and journal.stat().st_size > 0:
                raise UsageError(f"{path}: already holds a run. Name another folder.")
            _end_torn_line(journal)
        except OSError as error:
            raise UsageError(f"{path}: cannot be written: {error.strerror}. Name another folder.") from error
        self._paths = dict(self.earlier.findings)
        numbers = (int(f.stem) for f in self._findings.glob("*.json") if f.stem.isdecimal())
        self._next = 1 + max(numbers, default=0)

    def add_plan(self, plan: Mapping[str, Any]) -> None:
        """Store the run's plan, which ``--resume`` reads; it is synced with the first entry that follows."""
        self._append({"plan": plan}, sync=False)

    def add_finding(self, record: FindingRecord) -> str:
        """Store one finding; returns its path inside the folder."""
        name = self._paths.get(record.key)
        if name is None:
            name = self._paths[record.key] = f"findings/{self._next:04d}.json"
            self._next += 1
        stored = record.to_json()
        with self._writing():
            write_json(self._root / name, stored)
        keys = ("rule", "scenario", "protocol", "signature", "count")
        self._append({"finding": name, **{key: stored[key] for key in keys}})
        return name

    def add_scenario(self, name: str, text: str) -> Path:
        """Store a scenario file that this run has made; return its path."""
        path = self._root / "scenarios" / name
        with self._writing():
            path.parent.mkdir(exist_ok=True)
            _write(path, text)
        return path

    def findings_of(self, cell: tuple[str, str]) -> list[tuple[str, FindingRecord]]:
        """(path, finding) of one cell's findings that an earlier, unfinished run of this folder stored."""
        names = [name for key, name in self.earlier.findings.items() if key[:2] == cell]
        return [(name, read_finding(self._root / name)) for name in names if (self._root / name).exists()]

    def add_cell(self, cell: Cell) -> None:
        """Store a cell that is done; or one that still runs, which replaces its earlier entry."""
        self._append({"so_far" if cell.partial else "cell": cell.to_json()})

    def finish(self, run: Run) -> None:
        """Write run.json and close the journal."""
        with self._writing():
            write_json(self._root / "run.json", run.to_json())
            self._journal.close()

    def _append(self, entry: Mapping[str, Any], sync: bool = True) -> None:
        with self._writing():
            self._journal.write(json.dumps({"schema": SCHEMA, "at": round(time.time(), 2), **entry}) + "\n")
            self._journal.flush()
            if sync:
                os.fsync(self._journal.fileno())

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Turn a failed write into a UsageError: the user can make room, and resume the run.

        ValueError: the journal is closed already.
        """
        try:
            yield
        except (OSError, ValueError) as error:
            again = f"`racebench run --resume {self.path}` goes on"
            why = getattr(error, "strerror", None) or error
            what = f"{self.path}: cannot be written: {why}. Make room there"
            raise UsageError(f"{what}: what was told before is stored, and {again}.") from error


def _absolute(path: Path) -> Path:
    try:
        return path.absolute()
    except OSError as error:
        raise UsageError(f"{path}: the working folder is gone. Name a full path.") from error


def _locked(journal: TextIO) -> bool:
    """Whether this process has ``journal`` for itself while it is open; True where nothing can be locked."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(journal.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        # Some file systems have no locks.
        return not isinstance(error, BlockingIOError)
    return True


def _end_torn_line(path: Path) -> None:
    """Give a journal that a kill cut in mid-line its line end, so that the next line stands alone."""
    if path.exists() and path.stat().st_size:
        with open(path, "rb+") as file:
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")


def _refuse_strange(path: Path, folder: bool) -> None:
    """UsageError if ``path`` is of another kind: a link leads elsewhere, a FIFO or device never ends."""
    if path.is_symlink():
        raise UsageError(f"{path}: is a symbolic link, and may lead anywhere. Remove it.")
    if path.exists() and not (path.is_dir() if folder else path.is_file()):
        raise UsageError(f"{path}: is not a {'folder' if folder else 'file'}. Name another folder.")


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write ``value`` so that ``path`` holds the old content or the new, never half."""
    _write(path, json.dumps(value, indent=1) + "\n")


def _write(path: Path, text: str) -> None:
    """Write ``text`` in the same way.  A link at ``path`` is replaced, never followed."""
    temporary = path.with_name(path.name + ".part")
    temporary.unlink(missing_ok=True)
    with open(temporary, "x", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
