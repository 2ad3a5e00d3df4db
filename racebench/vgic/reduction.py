"""Reduce a drawn scenario to a smaller one that shows the same finding.

Only scenarios are tried in which the machine can be: no guest runs before its unpause, each
vCPU enters and leaves the guest as in Xen, and what is queued on a vCPU has it as its target.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .drawing import ESPIS, PIRQS, VIRQS, Drawn, op, played
from .language import Initial, Operation

_BY_VIRQ = ("routed", "targets", "pending", "elsewhere", "active", "migrating", "enabled", "reserved")
_QUEUED = ("pending", "elsewhere", "active", "migrating")
_AWAY = ("targets", "elsewhere", "migrating")
_ALONE = ("lines", "down", "blocked")
_NUMBERS = frozenset(("virq", "pirq", "irq"))


def smallest(drawn: Drawn, shows: Callable[[Drawn], bool]) -> Drawn:
    """Reduce ``drawn`` as long as it ``shows`` the finding; return the smallest scenario."""
    while True:
        for candidate in smaller(drawn):
            if shows(candidate):
                drawn = candidate
                break
        else:
            return drawn


def smaller(drawn: Drawn) -> Iterator[Drawn]:
    """``drawn`` with one thing left out, the largest things first."""
    if drawn.initial.state == "creating":
        rest = {
            name: tuple(one for one in ops if one.name != "unpause") for name, ops in drawn.threads.items()
        }
        if rest != dict(drawn.threads) and all(rest.values()):
            yield Drawn(drawn.initial._replace(state="running"), rest)
    # A round of a hammered domain does not follow these rules from the start.
    possible = _possible if _possible(drawn) else bool
    yield from filter(possible, _less(drawn))


def _possible(drawn: Drawn) -> bool:
    """Whether a machine can be in this state, and its vCPUs can make these operations."""
    initial, elsewhere, targets = drawn.initial, dict(drawn.initial.elsewhere), dict(drawn.initial.targets)
    for virq, _ in initial.pending:
        if (elsewhere.get(virq, 0) != targets.get(virq, 0)) != (virq in initial.migrating):
            return False
    for name, ops in drawn.threads.items():
        if name.startswith("vcpu") and name[4:].isdecimal():
            if initial.state == "creating" and ops[0] != op("unpause"):
                return False
            if played(initial, int(name[4:]), ops) != ops:
                return False
    return True


def _less(drawn: Drawn) -> Iterator[Drawn]:
    initial, threads = drawn.initial, drawn.threads
    for name in threads:
        if len(threads) > 1:
            yield Drawn(initial, {n: ops for n, ops in threads.items() if n != name})
    for less in _earlier(initial):
        yield Drawn(less, threads)
    for name, ops in threads.items():
        for i in range(len(ops)):
            # Also drop an entry into the guest, or an exit, together with the operation that needs it.
            for more in (1, 2):
                if len(ops) > more:
                    yield Drawn(initial, {**threads, name: ops[:i] + ops[i + more :]})
        before, rest = _done_before(initial, ops[0]), {**threads, name: ops[1:]}
        rest = {n: left for n, left in rest.items() if left}
        if before is not None and rest:
            yield Drawn(before, rest)
        for i, one in enumerate(ops):
            for alone in _fewer_numbers(one):
                yield Drawn(initial, {**threads, name: (*ops[:i], alone, *ops[i + 1 :])})
    if initial.espis:
        yield _plain(drawn)
    if initial.hardware_domain:
        yield Drawn(initial._replace(hardware_domain=False), threads)
    renamed = _renamed(drawn)
    if renamed is not None:
        yield renamed


def _earlier(initial: Initial) -> Iterator[Initial]:
    """``initial`` with one earlier action left out."""
    virqs = dict.fromkeys(_virq(row) for key in _BY_VIRQ for row in getattr(initial, key))
    for keys in (_BY_VIRQ, _QUEUED, _AWAY, ("active",)):
        for virq in virqs:
            less = _without(initial, keys, virq)
            if less != initial:
                yield less
    for key in _ALONE:
        rows = getattr(initial, key)
        for i in range(len(rows)):
            yield initial._replace(**{key: rows[:i] + rows[i + 1 :]})
    queued = {virq for virq, _ in initial.pending}
    for i, (virq, pirq, enabled) in enumerate(initial.routed):
        if enabled and virq not in queued:
            routed = (*initial.routed[:i], (virq, pirq, False), *initial.routed[i + 1 :])
            yield initial._replace(routed=routed)


def _done_before(initial: Initial, first: Operation) -> Initial | None:
    """``initial`` after the route or bind ``first``; None for other operations, or if it is too late."""
    named = dict(first.args)
    if first.name not in ("route", "bind") or "dom" in named:
        return None
    [virq], [pirq] = named.get("virq", named.get("irq", ())), named.get("pirq", named.get("irq", ()))
    if virq in initial.enabled or any(virq == v or pirq == p for v, p, _ in initial.routed):
        return None
    reserved = (virq,) if first.name == "bind" and virq not in initial.reserved else ()
    return initial._replace(
        routed=(*initial.routed, (virq, pirq, False)), reserved=(*initial.reserved, *reserved)
    )


def _virq(row: Any) -> int:
    """The vIRQ of a row of one of ``_BY_VIRQ``."""
    number: int = row[0] if isinstance(row, tuple) else row
    return number


def _without(initial: Initial, keys: tuple[str, ...], virq: int) -> Initial:
    kept: Mapping[str, Any] = {
        key: tuple(row for row in getattr(initial, key) if _virq(row) != virq) for key in keys
    }
    return initial._replace(**kept)


def _fewer_numbers(one: Operation) -> Iterator[Operation]:
    for i, (key, numbers) in enumerate(one.args):
        if key == "either":
            yield Operation(one.name, one.args[:i])
        if len(numbers) > 1:
            for kept in numbers:
                yield Operation(one.name, (*one.args[:i], (key, (kept,)), *one.args[i + 1 :]))


def _renamed(drawn: Drawn) -> Drawn | None:
    """The same with the first vIRQ and pIRQ in place of the second, if the first ones are free."""
    used = set(_used(drawn))
    pairs = (VIRQS, PIRQS, ESPIS)
    names = {second: first for first, second in pairs if second in used and first not in used}
    return _with_names(drawn, names) if names else None


def _plain(drawn: Drawn) -> Drawn:
    """The same with SPIs in place of extended SPIs."""
    less = Drawn(drawn.initial._replace(espis=0), drawn.threads)
    return _with_names(less, dict(zip(ESPIS, PIRQS, strict=True)))


def _with_names(drawn: Drawn, names: Mapping[int, int]) -> Drawn:
    """The same with numbers replaced as in ``names``."""

    def named(row: Any) -> Any:
        """``row``, whose first numbers are a vIRQ or pIRQ, or both."""
        if isinstance(row, tuple):
            return tuple(names.get(n, n) if type(n) is int else n for n in row)
        return names.get(row, row)

    before: Mapping[str, Any] = {
        **{key: tuple(map(named, getattr(drawn.initial, key))) for key in _BY_VIRQ},
        "lines": tuple(line._replace(pirq=named(line.pirq)) for line in drawn.initial.lines),
    }
    threads = {
        name: tuple(
            Operation(
                one.name,
                tuple((k, tuple(sorted(map(named, n))) if k in _NUMBERS else n) for k, n in one.args),
            )
            for one in ops
        )
        for name, ops in drawn.threads.items()
    }
    return Drawn(drawn.initial._replace(**before), threads)


def _used(drawn: Drawn) -> Iterator[int]:
    """Every vIRQ and pIRQ that is named."""
    for key in _BY_VIRQ:
        yield from map(_virq, getattr(drawn.initial, key))
    yield from (pirq for _, pirq, _ in drawn.initial.routed)
    yield from (line.pirq for line in drawn.initial.lines)
    for ops in drawn.threads.values():
        for one in ops:
            yield from (n for key, numbers in one.args if key in _NUMBERS for n in numbers)
