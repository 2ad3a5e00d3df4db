"""A scenario or a finding that is wrong, and a command that reads it."""

from __future__ import annotations

import json
import random
from typing import Any

from . import toml, values
from .box import Box, Case, times
from .samples import Samples
from .values import NAMES


def scenario(rng: random.Random, box: Box, samples: Samples) -> Case:
    text = rng.choice(list(samples.scenarios.values()))
    if rng.random() < 0.25:
        data = values.torn(rng, text.encode())
    else:
        data = toml.spoilt(rng, text, times(rng)).encode("utf-8", "surrogatepass")
    path = box.input / f"{_file_name(rng)}.toml"
    path.write_bytes(data)
    return Case(run_it(rng, str(path), box), str(path))


def _file_name(rng: random.Random) -> str:
    """A name that a file can have, seldom a nice one."""
    if rng.random() < 0.7:
        return "case"
    name = rng.choice(NAMES).replace("/", "_").replace("\0", "_")
    return name.encode("utf-8", "replace")[:200].decode("utf-8", "ignore")


def run_it(rng: random.Random, scenario: str, box: Box) -> list[str]:
    out = ["--out", str(box.out / "run")]
    protocol = ["--protocol", rng.choice(("baseline", "no_rank_lock", "new_vgic"))]
    verb = rng.choice(("verify", "verify", "run", "explore", "ablate"))
    if verb == "explore":
        return [verb, scenario, *protocol, "--executions", "5", *out]
    if verb == "ablate":
        return [verb, "baseline", scenario, "--time", "50ms", *out]
    if verb == "verify" and rng.random() < 0.1:
        protocol = []
    return [verb, scenario, *protocol, "--time", "50ms", *out]


def finding(rng: random.Random, box: Box, samples: Samples) -> Case:
    path = box.input / f"{_file_name(rng)}.json"
    path.write_bytes(bad_finding(rng, box, samples))
    verb = rng.choice((["explain"], ["explain", "--full"], ["replay"], ["replay", "--trace"]))
    if verb[0] == "replay" and rng.random() < 0.1:
        verb = [*verb, "--protocol", rng.choice(("baseline", "no_rank_lock", "../../x.py:Name"))]
    return Case([*verb, str(path)], "" if "--protocol" in verb else str(path))


def bad_finding(rng: random.Random, box: Box, samples: Samples) -> bytes:
    finding: dict[str, Any] = dict(rng.choice(samples.findings))
    how = rng.random()
    if how < 0.2:
        return values.torn(rng, json.dumps(finding).encode())
    if how < 0.35 and finding.get("source"):
        finding["source"] = toml.spoilt(rng, finding["source"], times(rng))
    elif how < 0.45:
        code = str(box.work / "planted.py")
        finding |= {
            "scenario_file": code,
            "replay_args": ["--scenario", code],
            "source": rng.choice(("", code)),
        }
        finding |= {"protocol": f"{code}:X", "scenario": code}
    elif how < 0.55:
        finding["evidence"] = values.spoilt(rng, finding["evidence"], times(rng))
    elif how < 0.75:
        finding = values.renamed(rng, finding, rng.choice((0.01, 0.1, 0.5)))
    elif how < 0.8 and "ablation" in finding:
        finding["ablation"] = values.spoilt(rng, finding["ablation"], times(rng))
    else:
        finding = values.spoilt(rng, finding, times(rng))
    return values.as_json(rng, finding)
