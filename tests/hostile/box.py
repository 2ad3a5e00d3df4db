"""Where a case is: four folders, the command, and the sample run in its place."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

from .samples import Samples

PLANTED = ("planted", "sitecustomize", "racebench", "vgic", "rich", "json")
GOOD = Path("../out/good")
"""The sample run as it is, in every box that compares with it."""


@dataclass(frozen=True)
class Case:
    """One command; ``named`` is the input that an error must name, if there is one.

    With ``elsewhere`` it says itself, and oddly, where it writes: new files are its own.
    """

    argv: list[str]
    named: str = ""
    elsewhere: bool = False


class Box:
    """The four folders of one case: ``work``, where it is run, with Python files that leave a mark
    if anything imports them; ``input``; ``outside``, which it must not touch; ``out``, where it may write.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.work, self.input, self.outside, self.out = (path / n for n in ("work", "in", "outside", "out"))
        for folder in (self.work, self.input, self.outside / "folder", self.out):
            folder.mkdir(parents=True)
        (self.outside / "secret.json").write_text('{"schema": 1, "secret": true}\n')
        (self.outside / "journal.jsonl").write_text('{"schema": 1}\n')
        for name in PLANTED:
            text = f"import pathlib\npathlib.Path({str(self.outside / 'imported')!r}).touch()\n"
            (self.work / f"{name}.py").write_text(text)


def stored(box: Box, name: str, samples: Samples) -> Path:
    """The sample run in the output folder."""
    run = box.out / name
    for file, data in samples.run.items():
        (run / file).parent.mkdir(parents=True, exist_ok=True)
        (run / file).write_bytes(data)
    return run


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        for child in path.iterdir():
            remove(child)
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


def times(rng: random.Random) -> int:
    """How many places of an input are spoilt."""
    return rng.choice((1, 1, 1, 2, 2, 3, 8))
