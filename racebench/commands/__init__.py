"""The verbs of the command line: each file here is a verb, found by its name.

A verb has ``ABOUT`` and ``EXAMPLE`` for its help, ``declare(add)``, which declares
its arguments, and ``act(args, stop)``, which does it and returns the exit status.
Code that several verbs share is in ``shared``.  Only the verb that was asked for is
imported, because rich and the engines take a moment to load.
"""

from __future__ import annotations

import argparse
import pkgutil
import shlex
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from ..errors import UsageError

# No builtin named as a verb is used below: once imported, ``list`` is a module here.


class _Unsized(argparse.HelpFormatter):
    """Asks nobody how wide the terminal is: argparse makes a formatter to check each option, too."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=80)


class _Parser(argparse.ArgumentParser):
    """Bad usage is a UsageError, like every other bad input."""

    def __init__(self, **how: Any) -> None:
        super().__init__(formatter_class=_Unsized, **how)

    def format_help(self) -> str:
        self.formatter_class = argparse.HelpFormatter
        return super().format_help()

    def error(self, message: str) -> Any:
        raise UsageError(f"{message}. See `{self.prog} --help`.")


def names() -> tuple[str, ...]:
    """The names of the verbs."""
    return tuple(module.name for module in pkgutil.iter_modules(__path__) if not module.ispkg)


def parse(argv: Sequence[str], version: str) -> argparse.Namespace:
    """Parse a command line; ``act`` is the verb's function.  UsageError if it is not valid."""
    top = _Parser(
        prog="racebench",
        description="Stress, replay, explain and prove locking in interrupt routing, on real threads.",
        epilog="example: racebench run      (the xen-devel thread of May 2017, claim by claim, in 30 s)",
    )
    top.add_argument("--version", action="version", version=f"racebench {version}")
    verbs = top.add_subparsers(prog="racebench", dest="verb", metavar="VERB", required=True)
    first = argv[0] if argv else ""
    known = names()
    # The other verbs are only needed by name, for help and errors: importing each takes a moment.
    for name in [first] if first in known else known:
        if name == first or first.startswith(("-h", "--h")):
            _add(verbs, name)
        else:
            verbs.add_parser(name)
    return top.parse_args(argv, argparse.Namespace(command=_line(argv)))


def _add(verbs: Any, name: str) -> None:
    verb = import_module(f"{__name__}.{name}")
    description = f"{verb.ABOUT[0].upper()}{verb.ABOUT[1:]}."
    sub = verbs.add_parser(
        name, help=verb.ABOUT, description=description, epilog=f"example: racebench {verb.EXAMPLE}"
    )
    verb.declare(sub.add_argument)
    sub.set_defaults(act=verb.act)


def _line(argv: Sequence[str]) -> str:
    """The command line as it was given."""
    return shlex.join(["racebench", *argv])
