"""``racebench``, and ``python -m racebench``.

Importing the rest takes a moment, in which a Ctrl-C is a Ctrl-C too; and once
all is done it must not spoil the interpreter's end.
"""

import signal
import sys


def main() -> int:
    """The command line's process; returns its exit status."""
    try:
        from .cli import main

        return main()
    except KeyboardInterrupt:
        return 130
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


if __name__ == "__main__":
    sys.exit(main())
