"""Where in the reader's repository a place is: sites name a file by its last folder alone."""

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
    """The files under ``root``; by default the repository that the current folder is in."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or _root(Path.cwd())
        self._found: Mapping[str, list[Path]] | None = None

    def spot(self, site: Any) -> Spot | None:
        """The place of ``function (file:line)``; None if it is not one."""
        match = _SITE.fullmatch(clean(site))
        if match is None:
            return None
        return Spot(match["function"], self.file(match["file"]), max(1, int(match["line"])))

    def file(self, named: str) -> str:
        """``named`` as the repository has it; as it is where it is not there, or there more than once."""
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
        """The Python files of the repository by their names, looked for once."""
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
    """The first of its sites."""
    return next(filter(None, map(files.spot, _sites(record))), None)


def _sites(record: FindingRecord) -> Iterator[str]:
    """Where the rule broke, the most telling place first.

    A state that is wrong at the end broke where it was last written: by the
    protocol's own functions if they wrote it, else by those it shares.
    """
    evidence = record.finding.evidence
    yield evidence.get("site", "")
    yield from (place.site for place in facts.places(record) if place.verb == "wants")
    yield from (access["site"] for access in accesses(record))
    recorded = [(step["op"], str(step.get("site", ""))) for step in reversed(steps(record))]
    writes = [site for op, site in recorded if op == "write"]
    yield from (site for site in writes if "(vgic/" not in site)
    yield from writes
    yield from (site for _, site in recorded)
    for sites in (evidence.get("stacks") or {}).values():
        if isinstance(sites, list):
            yield from (str(site) for site in reversed(sites))


def accesses(record: FindingRecord) -> list[Mapping[str, Any]]:
    stored = record.finding.evidence.get("accesses")
    listed = stored if isinstance(stored, list) else []
    return [a for a in listed if isinstance(a, Mapping) and isinstance(a.get("site"), str)]


def _root(here: Path) -> Path:
    """The nearest folder above that is a repository's; ``here`` if there is none."""
    return next((place for place in (here, *here.parents) if (place / ".git").exists()), here)
