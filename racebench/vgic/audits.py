"""Find what is wrong with a machine when all threads have ended.

The audits are defined beside the rules that they check, in
``racebench.findings.rules``.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..findings import Broken, broken
from ..findings.rules import Audit, audits
from .language import Operation
from .state import Machine

Results = Mapping[str, list[int | None] | None]
AUDITS: tuple[Audit, ...] = audits()


def audit(machine: Machine) -> list[Broken]:
    """The rules that ``machine`` breaks at rest, and those that were broken on the way there."""
    rows = [row for d in machine.domains.values() for row in d.rows()]
    return [*machine.faults.found, *(rule for check in AUDITS for rule in check(machine, rows))]


class DoubleSuccess:
    """Checks that two routes of one vIRQ to different pIRQs did not both return 0 without a release between.

    Made once for a program, from its operations.  If a release of that vIRQ
    succeeded anywhere, the return codes do not show the order, and
    nothing is reported.
    """

    def __init__(self, threads: Mapping[str, tuple[Operation, ...]]) -> None:
        routes: dict[tuple[int, int], list[tuple[str, int, int]]] = {}
        self._releases: list[tuple[str, int, int | None]] = []
        for name, operations in threads.items():
            for i, op in enumerate(operations):
                if op.name == "route":
                    key = (op.value("dom"), op.value("virq"))
                    routes.setdefault(key, []).append((name, i, op.value("pirq")))
                elif op.name in ("release", "destroy"):
                    virq = op.value("virq") if op.name == "release" else None
                    self._releases.append((name, i, virq))
        self._routes = [
            (virq, asked) for (_, virq), asked in routes.items() if len({pirq for _, _, pirq in asked}) > 1
        ]

    def audit(self, results: Results) -> list[Broken]:
        told = []
        for virq, asked in self._routes:
            pirqs = {pirq for name, i, pirq in asked if _code(results, name, i) == 0}
            if len(pirqs) > 1 and not self._released(virq, results):
                both = " and ".join(str(p) for p in sorted(pirqs))
                message = f"routing vIRQ {virq} to pIRQs {both} succeeded both times"
                told.append(broken("mapping.double_success", message, ("route", "route")))
        return told

    def _released(self, virq: int, results: Results) -> bool:
        return any(
            which in (virq, None) and _code(results, name, i) in (0, None)
            for name, i, which in self._releases
        )


def _code(results: Results, name: str, i: int) -> int | None:
    """The return code of operation ``i`` of thread ``name``; -1 if it did not end."""
    codes = results.get(name)
    return codes[i] if codes is not None and i < len(codes) else -1
