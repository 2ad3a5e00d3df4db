"""What a budget means.

Where an answer depends on work, the work is counted, and no clock ends it: a busy
machine gives the same answers as an idle one, only later.

- A proof has ``FEW`` executions for nothing.  One that fits in them is finished,
  whatever ``--time`` says; what is larger goes on until its seconds are over.  The
  same holds for whatever decides on a finding: the proof that a predicted inversion
  is never met, the search for a schedule.
- Hammering counts its collisions: ``findings.FEWEST_COLLISIONS`` at least, and what
  came to fewer without a proof has no answer (``Cell.judged``).
- ``--time`` is of the whole command.  Each cell has the same share of it, wherever it
  stands in the order.  The proof of a cell takes what it needs of the share, and may
  take more, by its executions; ``HAMMER_SHARE`` of it are the hammer's in any case.
  Where nothing is hammered, what cells leave of their shares goes on to those after
  them, for it is the large ones that need it.

So a command may take longer than ``--time``, by the work that it counts.  What ends a
program that does not go on is no budget, but ``allowed_s``: the time in which it has
to tell something, of which what it waits for a processor is no part.
"""

from __future__ import annotations

FEW = 3_000
"""Executions that a proof may run, whatever the clock says."""

FEW_TRIES = 200
"""Executions of a short search that is to find something again, whatever the clock says."""

HAMMER_SHARE = 0.5

_SLACK_S = 30.0


def allowed_s(seconds: float) -> float:
    """How long what has a budget of ``seconds`` may go on without a word, whatever happens in it."""
    return _SLACK_S + 3 * seconds
