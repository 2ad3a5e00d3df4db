"""Mutated inputs: case N of a seed is always the same command line over the same files."""

from __future__ import annotations

import random
from collections.abc import Callable

from .box import Box, Case, stored
from .folders import run_folder
from .inputs import finding, scenario
from .lines import command_line
from .samples import Samples
from .special import EACH, one_of_each, special


def build(seed: int, number: int, box: Box, samples: Samples) -> Case:
    """Case ``number`` of ``seed``, with its files in ``box``."""
    rng = random.Random(f"{seed}/{number}")
    stored(box, "good", samples)
    if number < EACH:
        return one_of_each(number, rng, box, samples)
    family: Callable[[random.Random, Box, Samples], Case] = rng.choices(
        (scenario, finding, run_folder, command_line, special), (7, 6, 6, 4, 2)
    )[0]
    return family(rng, box, samples)
