"""How much of a search tree is left, from what of it is finished.

A depth-first search knows of each state on its path how many branches it has
tried and how many it will try as far as it knows; a reduced search learns of
more as it goes.  Two things are learned from states that are finished.  How many
branches a state with so many candidates has in the end, which says how many are
still to come.  And how much smaller each branch is than the one before it: what
sleeps in it need not be tried again.

The share that is explored is then the sum, over the states on the path, of the
weight of the branches done.
"""

from __future__ import annotations

from collections.abc import Iterable


class Estimate:
    """What finished states say of those that are not.

    ``_path`` has, for each state, after how many executions each of its branches
    ended, the first entry being when it was entered.
    """

    def __init__(self) -> None:
        self._path: list[list[int]] = []
        self._by_candidates: dict[int, list[int]] = {}
        self._branches = [0, 0]
        self._sizes = [0, 0]

    def entered(self, depth: int, executions: int) -> None:
        """The path has ``depth`` states now, in the last of ``executions``."""
        self._path += [[executions - 1] for _ in range(depth - len(self._path))]

    def passed(self, candidates: int) -> None:
        """The last state is finished with the one branch that it was entered for, as most are."""
        self._path.pop()
        if candidates > 1:
            self._branches[1] += candidates - 1
            known = self._by_candidates.setdefault(candidates, [0, 0])
            known[0] += 1
            known[1] += 1

    def explored(self, executions: int) -> None:
        """The last state's branch is done, with the last of ``executions``."""
        self._path[-1].append(executions)

    def left(self, candidates: int) -> None:
        """The last state is finished; so many steps could have been tried from it."""
        ends = self._path.pop()
        branches = len(ends) - 1
        if candidates > 1:
            known = self._by_candidates.setdefault(candidates, [0, 0])
            known[0] += branches
            known[1] += 1
            self._branches[0] += branches - 1
            self._branches[1] += candidates - 1
        if branches > 1:
            self._sizes[0] += ends[-1] - ends[1]
            self._sizes[1] += ends[-2] - ends[0]

    def share(self, path: Iterable[tuple[int, int, int]]) -> float:
        """About the share that is explored, 0..1: for each state its branches done, known and candidates."""
        later, earlier = self._sizes
        shrink = min(1.0, later / earlier) if earlier else 1.0
        share, weight = 0.0, 1.0
        for done, known, candidates in path:
            sizes = _falling(max(known, self._expected(candidates)), shrink)
            total = sum(sizes)
            share += weight * sum(sizes[:done]) / total
            weight *= sizes[done] / total
        return share

    def _expected(self, candidates: int) -> float:
        """How many branches a state has in the end, on average."""
        known = self._by_candidates.get(candidates)
        if known is not None:
            return known[0] / known[1]
        met, most = self._branches
        return 1 + (met / most if most else 1.0) * (candidates - 1)


def _falling(branches: float, shrink: float) -> list[float]:
    """Relative sizes of ``branches``, each ``shrink`` times the one before; the last may be a part of one."""
    sizes, size = [], 1.0
    while branches > 0:
        sizes.append(size * min(1.0, branches))
        branches -= 1
        size *= shrink
    return sizes
