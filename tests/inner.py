"""A pytest inside the tests: how it is run, and the scenarios that it is given."""

from __future__ import annotations

import importlib
import importlib.metadata
import pkgutil
from multiprocessing import popen_spawn_posix, resource_tracker
from pathlib import Path

import pytest
from xdist import dsession

import racebench

from .fakes import TWO_ROUTES

ROOT = Path(__file__).resolve().parent.parent
INSTALLED = any(
    e.value == "racebench.pytest_plugin" for e in importlib.metadata.entry_points(group="pytest11")
)
LOAD = () if INSTALLED else ("-p", "racebench.pytest_plugin")
QUICK = ("--race-time", "50ms", "-p", "no:cacheprovider")
# One cell finds what it expects, one finds what nobody expects, one misses what is expected.
THREE = (
    TWO_ROUTES.replace("[threads]", 'tags = ["routing", "two-words"]\n[threads]').partition("[expect]")[0]
    + """\
[expect]
baseline = []
no_rank_lock = ["mapping.corrupted"]
domain_lock = ["deadlock.cycle"]
"""
)
PYTHON = """\
import os, signal, time
import racebench as rb
TITLE, TAGS, EXPECT = "account", ["money"], {"lost": ["account.lost"], "kept": []}

class Account(rb.State):
    balance = rb.shared(0)
    def __init__(self):
        self.lock = rb.Lock("account")

def lost(s):
    with s.lock:
        seen = s.balance
    with s.lock:
        s.balance = seen + 1

def kept(s):
    with s.lock:
        s.balance += 1

def check(s, results):
    return None if s.balance == 2 else rb.broken("account.lost", "a deposit is lost", ("balance",))

def program(function, setup=Account):
    return rb.Program("account", setup=setup, threads={"a": function, "b": function}, check=check)

def variants():
    return {"lost": program(lost), "kept": program(kept)}
"""
# The program's own ``time.sleep`` takes no time.
# Dies once it has told of a finding: the stress that follows the proof never ends.
KILLED = PYTHON.replace(
    'def variants():\n    return {"lost": program(lost), "kept": program(kept)}',
    """\
def setup():
    import sys
    if os.path.basename(os.path.dirname(sys._getframe(3).f_code.co_filename)) == "free":
        DIE
    return Account()

def variants():
    return {"lost": program(lost, setup), "kept": program(kept), "more": program(kept)}
""",
)
KILL = KILLED.replace("DIE", "os.kill(os.getpid(), signal.SIGKILL)")
SEGFAULT = KILLED.replace("DIE", "import ctypes; ctypes.string_at(0)")
RUDE = KILLED.replace(
    "        DIE",
    "        while True:\n"
    "            try: __import__('select').select([], [], [], 60)\n"
    "            except BaseException: pass",
)
POLITE = KILLED.replace("DIE", "__import__('select').select([], [], [], 60)")


# What a pytest in this process loads is forgotten after it, and would be there twice once it is loaded again:
# all of RaceBench is there before, what multiprocessing has one of, and xdist's controller.
LOADED = [
    popen_spawn_posix,
    resource_tracker,
    dsession,
    *(
        importlib.import_module(found.name)
        for found in pkgutil.walk_packages(racebench.__path__, "racebench.")
        if not found.name.startswith(("racebench.__main__", "racebench._scenarios"))
    ),
]


def run(inner: pytest.Pytester, *args: str, apart: bool = False) -> pytest.RunResult:
    """A pytest in this process; in one of its own with xdist, which needs that, or ``apart``."""
    runs = inner.runpytest_subprocess if apart or {"-n", "-d"} & {*args} else inner.runpytest_inprocess
    return runs(*LOAD, *QUICK, *args)


def write(inner: pytest.Pytester, **files: str) -> None:
    for name, text in files.items():
        path = inner.path / "scenarios" / name.replace("__", ".")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
