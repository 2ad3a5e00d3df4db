"""``racebench``, and ``python -m racebench``.

Importing the rest takes a moment, in which a Ctrl-C is a Ctrl-C too; and once
all is done it must not spoil the interpreter's end.
"""

import atexit
import gc
import os
import signal
import sys
from contextlib import suppress

_LOADED = 100_000
"""More objects than all our modules make: what is loaded stays, so looking for garbage in it is lost time."""


def main() -> int:
    """The command line's process; its exit status."""
    gc.set_threshold(_LOADED)
    status = 1
    # The function registered first is called last: after all functions that others register.
    atexit.register(lambda: _end(status))
    try:
        status = _run()
    except KeyboardInterrupt:
        status = 130
    except SystemExit as error:
        # Help and version are all that was asked for.
        status = error.code if isinstance(error.code, int) else 0
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        from .campaign import nursery

        nursery.end_early()
    return status


def _run() -> int:
    from .campaign import nursery

    # Help and version are said without one.
    if sys.argv[1:2] and sys.argv[1] in nursery.RUNS_CODE and not {"-h", "--help"} & {*sys.argv}:
        nursery.start_early()
    from .cli import main

    return main()


def _end(status: int) -> None:
    """Nothing is left to do: that Python takes all modules apart would be a tenth of a short command."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):
            stream.flush()
    os._exit(status)


if __name__ == "__main__":
    sys.exit(main())
