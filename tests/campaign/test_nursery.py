"""A child that is started before it is known who will use it."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys

from racebench.campaign import nursery
from racebench.campaign.child import Call
from racebench.campaign.pool import Pool
from racebench.campaign.stop import Stop

from .test_pool import answer


def test_the_first_child_of_a_pool_is_the_one_that_was_started_early() -> None:
    nursery.start_early()
    [early] = multiprocessing.active_children()
    with Pool(1, Stop()) as pool:
        assert multiprocessing.active_children() == [early]
        assert pool.call(Call(answer, (7,))) == 7
    assert not multiprocessing.active_children()


def test_one_that_nobody_takes_is_let_go() -> None:
    nursery.start_early()
    nursery.end_early()
    assert not multiprocessing.active_children()


def test_starting_it_loads_no_engine() -> None:
    code = """
import sys
from racebench.campaign import nursery
print([name for name in sys.modules if name.startswith(("racebench.engine", "racebench.vgic", "rich"))])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
