"""A run folder that is wrong, and a command that reads it or goes on with it."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

from . import values
from .box import GOOD, Box, Case, remove, stored, times
from .inputs import bad_finding
from .samples import Samples

FORMATS = ("html", "markdown", "junit", "sarif", "svg")


def run_folder(rng: random.Random, box: Box, samples: Samples) -> Case:
    run = stored(box, "run", samples)
    if rng.random() < 0.2:
        _only_a_plan(rng, run, samples)
        return Case(["run", "--resume", str(run), *rng.choice((["--time", "50ms"], []))], str(run))
    for _ in range(rng.choice((1, 1, 2, 3))):
        _spoil_folder(rng, box, run, samples)
    return Case(read_it(rng, box, run), str(run))


def _only_a_plan(rng: random.Random, run: Path, samples: Samples) -> None:
    """A run that was cut off before its first cell, whose plan says something odd."""
    remove(run)
    run.mkdir()
    entry = json.loads(samples.run["journal.jsonl"].splitlines()[0])
    plan = {**entry["plan"], "seconds": 0.05}
    plan["cells"] = plan["cells"][:1]
    if rng.random() < 0.3:
        plan |= {"modes": ["explore"], "executions": 5}
    for _ in range(rng.choice((1, 1, 2))):
        row = rng.choice((plan, plan, plan["cells"][0] if plan["cells"] else plan))
        row[rng.choice(list(row))] = values.value(rng)
        if not (isinstance(plan["cells"], list) and plan["cells"] and isinstance(plan["cells"][0], dict)):
            break
    for key, most in (("seconds", 1), ("executions", 5)):
        # A budget is obeyed, however large: it may be odd, not long.
        if isinstance(plan[key], (int, float)) and most < plan[key] < 1e10:
            plan[key] = most
    (run / "journal.jsonl").write_bytes(values.as_json(rng, {**entry, "plan": plan}).replace(b"\n", b" "))


def _spoil_folder(rng: random.Random, box: Box, run: Path, samples: Samples) -> None:
    what = rng.choice(("run", "run", "journal", "journal", "finding", "finding", "gone", "extra", "time"))
    findings = sorted((run / "findings").glob("*.json")) if (run / "findings").is_dir() else []
    if what == "run":
        _spoil_json(rng, run / "run.json", samples.run["run.json"])
    elif what == "journal":
        _spoil_journal(rng, box, run / "journal.jsonl", samples.run["journal.jsonl"])
    elif what == "finding" and findings:
        rng.choice(findings).write_bytes(bad_finding(rng, box, samples))
    elif what == "gone":
        (run / rng.choice(("run.json", "journal.jsonl"))).unlink(missing_ok=True)
    elif what == "extra" and (run / "findings").is_dir():
        name = rng.choice(
            ("0000", "9999999999", "\u0663", "-1", "1e5", "..", "a\nb", "\x1b[31m", "0001.json")
        )
        (run / "findings" / f"{name}.json").write_bytes(
            rng.choice((b"", b"{}", json.dumps(samples.findings[0]).encode()))
        )
    elif what == "time" and (run / "run.json").exists():
        at = rng.choice((0, -1, 2**31, 2**33, 10**12, -(10**10)))
        os.utime(run / "run.json", (at, at))


def _spoil_json(rng: random.Random, path: Path, good: bytes) -> None:
    if rng.random() < 0.2:
        path.write_bytes(values.torn(rng, good))
    elif rng.random() < 0.3:
        tree = values.renamed(rng, json.loads(good), rng.choice((0.01, 0.1, 0.5)))
        path.write_bytes(values.as_json(rng, {**tree, "schema": 1}))
    else:
        tree = json.loads(good)
        part = rng.choice((tree, tree, tree["cells"][0], tree["cells"][-1]))
        if part is not tree:
            cells = tree["cells"]
            cells[cells.index(part)] = values.spoilt(rng, part, times(rng))
        else:
            tree = values.spoilt(rng, tree, times(rng))
        path.write_bytes(values.as_json(rng, tree))


def _spoil_journal(rng: random.Random, box: Box, path: Path, good: bytes) -> None:
    """Lines spoilt, doubled or lost; names of findings that lead elsewhere."""
    if rng.random() < 0.2:
        path.write_bytes(values.torn(rng, good))
        return
    lines = good.splitlines()
    for _ in range(times(rng)):
        at = rng.randrange(len(lines))
        what = rng.randrange(5)
        if what == 0:
            lines[at] = values.torn(rng, lines[at])
            continue
        if what == 1 and len(lines) > 1:
            del lines[at]
            continue
        try:
            entry = json.loads(lines[at])
        except (ValueError, RecursionError):
            entry = {"schema": 1}
        if what == 2 and "finding" in entry:
            entry["finding"] = rng.choice(
                (
                    "../../outside/secret.json",
                    str(box.outside / "secret.json"),
                    "findings/../run.json",
                    "findings/0001.json/..",
                    "findings/",
                    "",
                    "findings/0001.json\n",
                    "findings/9999999999.json",
                )
            )
        elif what == 3 and isinstance(entry.get("plan"), dict) and entry["plan"].get("cells"):
            code = rng.choice(
                (str(box.work / "planted.py"), "planted.py", "\x00.toml", "/dev/zero", "../x.py")
            )
            for row in entry["plan"]["cells"]:
                row[rng.choice(("file", "scenario", "protocol"))] = rng.choice((code, f"{code}:X"))
        else:
            entry = values.spoilt(rng, entry, 1)
        lines[at] = values.as_json(rng, entry).replace(b"\n", b" ")
    path.write_bytes(b"\n".join(lines) + rng.choice((b"", b"\n")))


def read_it(rng: random.Random, box: Box, run: Path) -> list[str]:
    verb = rng.choice(("explain", "report", "report", "report", "compare", "resume", "resume"))
    if verb == "explain":
        return [verb, str(run)]
    if verb == "report":
        formats = rng.sample(FORMATS, rng.randrange(1, len(FORMATS) + 1))
        return [verb, str(run), *(part for f in formats for part in (f"--{f}", str(box.out / f"out.{f}")))]
    if verb == "compare":
        pair = [str(run), str(run)] if rng.random() < 0.2 else [str(run), str(GOOD)]
        rng.shuffle(pair)
        return [verb, *pair, *rng.choice(([], ["--json", str(box.out / "out.json")], ["--json", "-"]))]
    return ["run", "--resume", str(run), "--time", "50ms", *rng.choice(([], ["--only", "verify"]))]
