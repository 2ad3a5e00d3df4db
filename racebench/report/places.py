"""Find a site's file in the reader's repository: a site names only the last folder and the file."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ..records import FindingRecord
from . import facts
from .lanes import steps
from .text import clean

_PACKAGE = Path(__file__).resolve().parents[1]
_SITE = re.compile(r"(?P<function>.{1,200}) \((?P<file>[^()]{1,300}):(?P<line>[0-9]{1,7})\)")
_NOT_OURS = {"node_modules", "site-packages", "__pycache__", "build", "dist"}
_MOST_FILES = 50_000


class Spot(NamedTuple):
    """A line of ``file``, which has ``/`` between its parts and is relative to the repository."""

    function: str
    file: str
    line: int


class Repository:
    """The files under ``root``; by default the repository that contains the current folder."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or _root(Path.cwd())
        self._found: Mapping[str, list[Path]] | None = None

    def spot(self, site: Any) -> Spot | None:
        """The place of ``function (file:line)``; None if ``site`` has another form."""
        match = _SITE.fullmatch(clean(site))
        if match is None:
            return None
        return Spot(match["function"], self.file(match["file"]), max(1, int(match["line"])))

    def file(self, named: str) -> str:
        """``named``, relative to the repository; unchanged if the repository has no such file, or several."""
        parts = [part for part in re.split(r"[/\\]", clean(named)) if part not in ("", ".", "..")]
        if not parts:
            return "unknown"
        for folder in ((), ("vgic",)):
            ours = _PACKAGE.joinpath(*folder, *parts)
            if parts[-1].endswith(".py") and ours.is_file():
                inside = ours.is_relative_to(self.root)
                return (ours.relative_to(self.root if inside else _PACKAGE.parent)).as_posix()
        if self.root.joinpath(*parts).is_file():
            return "/".join(parts)
        here = [
            path for path in self._files().get(parts[-1], ()) if path.parts[-len(parts) :] == tuple(parts)
        ]
        return here[0].relative_to(self.root).as_posix() if len(here) == 1 else "/".join(parts)

    def _files(self) -> Mapping[str, list[Path]]:
        """The Python files of the repository by name; searched once."""
        if self._found is None:
            found: dict[str, list[Path]] = {}
            seen = 0
            for folder, inner, names in os.walk(self.root):
                inner[:] = [
                    n for n in inner if not n.startswith(".") and n not in _NOT_OURS and "venv" not in n
                ]
                for name in names:
                    if name.endswith(".py"):
                        found.setdefault(name, []).append(Path(folder, name))
                seen += len(names)
                if seen > _MOST_FILES:
                    break
            self._found = found
        return self._found


def first_spot(record: FindingRecord, files: Repository) -> Spot | None:
    """The place of the first of the finding's sites that has one."""
    return next(filter(None, map(files.spot, _sites(record))), None)


def _sites(record: FindingRecord) -> Iterator[str]:
    """The sites where the rule broke, the most telling first.

    A state that is wrong at the end broke where it was last written: in the
    protocol's own functions if they wrote it, else in shared functions of the model.
    """
    evidence = record.finding.evidence
    yield evidence.get("site") or ""
    yield from (place.site for place in facts.places(record) if place.verb == "wants")
    yield from (access["site"] for access in evidence.get("accesses") or ())
    recorded = [(step["op"], step.get("site") or "") for step in reversed(steps(record))]
    writes = [site for op, site in recorded if op == "write"]
    yield from (site for site in writes if "(vgic/" not in site)
    yield from writes
    yield from (site for _, site in recorded)
    for sites in (evidence.get("stacks") or {}).values():
        yield from reversed(sites)


def _root(here: Path) -> Path:
    """The nearest folder above that is a repository; ``here`` if there is none."""
    return next((place for place in (here, *here.parents) if (place / ".git").exists()), here)
