"""``racebench``, and ``python -m racebench``.

Importing the rest takes a moment, in which a Ctrl-C is a Ctrl-C too; and once
all is done it must not spoil the interpreter's end.
"""

import signal
import sys


def main() -> int:
    """The command line's process; returns its exit status."""
    try:
        from .campaign import nursery

        # Help and version are said without one.
        if sys.argv[1:2] and sys.argv[1] in nursery.RUNS_CODE and not {"-h", "--help"} & {*sys.argv}:
            nursery.start_early()
        from .cli import main

        return main()
    except KeyboardInterrupt:
        return 130
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        from .campaign import nursery

        nursery.end_early()


if __name__ == "__main__":
    sys.exit(main())
