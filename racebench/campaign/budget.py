"""The meaning of budgets.

Where an answer depends on work, the work is counted and no clock ends it: a busy
machine gives the same answers as an idle one, only later.

- A proof may always run ``FEW`` executions.  A proof that fits in them is finished,
  whatever ``--time`` says; a larger one goes on until its seconds are over.  The same
  holds for the searches that decide on a finding: the proof that a predicted inversion
  never happens, and the search for a schedule.
- Stress counts its collisions: ``findings.FEWEST_COLLISIONS`` at least.  A cell with
  fewer collisions and without a proof has no answer (``Cell.judged``).
- ``--time`` is for the whole command.  Each cell has the same share of it, wherever it
  stands in the order.  The proof of a cell takes what it needs of the share, and may
  exceed it by its counted executions; stress has ``HAMMER_SHARE`` of the share in any
  case.  Where there is no stress, the time that cells leave unused goes to the cells
  after them, because the large ones need it.

So a command may take longer than ``--time``, by the work that is counted.  A program
that hangs is not ended by a budget but by ``allowed_s``: the time within which it has to
send a message.  Time in which it only waits for a processor does not count.
"""

from __future__ import annotations

FEW = 3_000
"""Executions that a proof may always run, whatever the clock says."""

FEW_TRIES = 200
"""Executions that a short search for a known finding may always run, whatever the clock says."""

HAMMER_SHARE = 0.5

_SLACK_S = 30.0


def allowed_s(seconds: float) -> float:
    """How many seconds a call with a budget of ``seconds`` may go on without a message."""
    return _SLACK_S + 3 * seconds
