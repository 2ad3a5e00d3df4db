"""The command line's front door: each verb is a file in ``commands``.

Exit status: 0 as expected, 1 not, 2 bad usage or input, 3 RaceBench failed,
130 interrupted.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence

from . import __version__, commands
from .campaign.stop import Stop
from .errors import HarnessBug, RaceBenchError
from .records.encoding import has_gil


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    # A stream that was closed when we were started is None.
    sys.stdout, sys.stderr = sys.stdout or io.StringIO(), sys.stderr or io.StringIO()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    stop = Stop()
    try:
        with stop.on_signals():
            args = commands.parse(sys.argv[1:] if argv is None else argv, _version())
            status: int = args.act(args, stop)
            sys.stdout.flush()
            return status
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except HarnessBug as error:
        return _failed(error)
    except RaceBenchError as error:
        return _complain(2, str(error))
    except OSError as error:
        where = f"{error.filename}: " if error.filename is not None else ""
        return _complain(2, f"{where}{error.strerror or error}. Check the path and the disk.")
    except Exception as error:
        return _failed(error)


def _version() -> str:
    """The version of RaceBench and of Python; with or without the GIL, because that makes a difference."""
    lock = "with the GIL" if has_gil() else "free-threaded, without the GIL"
    return f"{__version__} (Python {sys.version.split()[0]}, {lock})"


def _failed(error: Exception) -> int:
    if os.environ.get("RACEBENCH_DEBUG") == "1":
        sys.__excepthook__(type(error), error, error.__traceback__)
    what = f"RaceBench itself failed: {type(error).__name__}: {error}"
    return _complain(3, f"{what}. Please report it, with the traceback that RACEBENCH_DEBUG=1 shows.")


def _complain(status: int, text: str) -> int:
    # Imported only here, because it loads rich.
    from .commands.shared.output import complain

    complain(text)
    return status
