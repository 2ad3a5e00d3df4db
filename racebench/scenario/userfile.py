"""Users' Python files: protocols and scenarios.

A file is run only because it, or its folder, was named on the command line.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import RaceBenchError, ScenarioError, described

MAX_BYTES = 1 << 20


def read_text(path: Path) -> str:
    """The text of a scenario or protocol file; ScenarioError if it cannot be read."""
    file = str(path)
    try:
        if not path.exists():
            raise ScenarioError(file, "", "no such file", "Check the path.")
        if not path.is_file():
            raise ScenarioError(file, "", "not a regular file", "Name a .toml or .py file.")
        if path.stat().st_size > MAX_BYTES:
            raise ScenarioError(file, "", "larger than 1 MiB", "A scenario is a page of text.")
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ScenarioError(file, "", f"not UTF-8 at byte {error.start}", "Save it as UTF-8.") from error
    except (OSError, ValueError) as error:
        what = getattr(error, "strerror", None) or str(error)
        raise ScenarioError(file, "", f"cannot be read: {what}", "Check the file.") from error


def run_file(path: Path, text: str | None = None) -> dict[str, Any]:
    """Run a user's Python file and return the names that it defines; ScenarioError if it raises.

    Leaves no bytecode file beside it.  The module is in ``sys.modules`` only
    while it runs (dataclasses look it up there), so two files of one name do
    not interfere.
    """
    module = ModuleType(f"racebench_file_{path.stem}")
    module.__file__ = str(path)
    source = read_text(path) if text is None else text
    sys.modules[module.__name__] = module
    try:
        exec(compile(source, str(path), "exec"), module.__dict__)
    except RaceBenchError:
        raise
    except SyntaxError as error:
        raise ScenarioError(
            str(path), f"line {error.lineno}", f"not Python: {error.msg}", "Mend the syntax."
        ) from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        what = f"raised {described(error).removesuffix(': ')}"
        remedy = "Mend the file."
        if isinstance(error, ModuleNotFoundError):
            remedy = "Install that, or put it into this file: what lies beside it is not imported."
        raise ScenarioError(str(path), _line(error, path), what, remedy) from error
    finally:
        sys.modules.pop(module.__name__, None)
    return module.__dict__


def _line(error: BaseException, path: Path) -> str:
    """The line of ``path`` from which the error came, as ``line 12``; empty if it came from elsewhere."""
    line, tb = 0, error.__traceback__
    while tb is not None:
        if tb.tb_frame.f_code.co_filename == str(path):
            line = tb.tb_lineno
        tb = tb.tb_next
    return f"line {line}" if line else ""
