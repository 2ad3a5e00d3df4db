"""The callers of a scenario's operations, and what keeps two callers from running at once.

The table says what excludes two callers, and in which trees; if a pair is not in the table,
nothing excludes it.  A cell uses the tree for which its protocol stands.
Only what the model leaves out can make a schedule that it ran unreachable: a domain that
is paused, RCU, and for operations that are called naked (route, release) the lock and the
reservation of their caller.  bind, unbind, attach and kill take their locks themselves, and
a protocol has its own guards, whatever a patch makes of them.  A lock lets two callers run
one after the other: it excludes only a schedule in which they overlap.
Xen: the callers as they are at c447b7308b, and the commits that are named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import combinations, product
from typing import NamedTuple

from .language import Initial, Operation

TREES = (*("baf2950213", "b857754723", "228ab9992f", "d0887cc6b1", "1c77496bc8", "e263eeaf71", "c447b7308b"),)
"""The commits at which the answers change, the oldest first."""

MADE_BY: Mapping[str, str] = {
    **dict.fromkeys(("route", "bind"), "bind"),
    **dict.fromkeys(("release", "unbind"), "unbind"),
    "attach": "attach",
    "kill": "kill",
    "destroy": "domain_vgic_free",
    **dict.fromkeys(("isenabler", "icenabler", "itargetsr", "irouter", "ipriorityr"), "a register write"),
    **dict.fromkeys(("ispendr", "icpendr"), "a register write"),
    **dict.fromkeys(("eoi", "hweoi", "trap", "restore"), "a trap of the guest"),
    "cpu_on": "CPU_ON",
    **dict.fromkeys(("irq", "late_irq", "fire"), "do_IRQ"),
    **dict.fromkeys(("move", "steal"), "a move of a vCPU"),
    "level": "set_irq_level",
}
"""The caller of each operation; operations without one (unpause, setup_irq) get no sentence."""

NAKED = frozenset(("route", "release"))
"""Operations that are called without the locks and reservations of their callers."""

GUEST = ("a register write", "a trap of the guest", "CPU_ON")
_HOLDS_A_REFERENCE = ("bind", "unbind", "attach", "a move of a vCPU", "set_irq_level")


class Exclusion(NamedTuple):
    """What keeps two callers apart, in the trees from ``since`` on, and up to but without ``until``.

    ``lock``: they may run one after the other.  ``guard``: it is part of the protocol, and only mentioned.
    """

    by: str
    since: str = TREES[0]
    until: str = ""
    lock: bool = False
    guard: bool = False

    def holds(self, tree: str) -> bool:
        at = TREES.index(tree)
        return TREES.index(self.since) <= at and (not self.until or at < TREES.index(self.until))


_DOMCTL = "domctl_lock lets one of them run at a time"
_UNTIL_XSA_492 = (Exclusion(_DOMCTL, until="e263eeaf71", lock=True),)
_KILL_UNTIL_XSA_492 = (
    Exclusion(_DOMCTL, until="228ab9992f", lock=True),
    Exclusion(_DOMCTL, "d0887cc6b1", "e263eeaf71", lock=True),
)
_FOR_EVER = (Exclusion(_DOMCTL, lock=True),)
_RCU = (Exclusion("RCU frees the domain when nobody looks at it any more"),)
_ORDER = (Exclusion("one comes after the other"),)
_PAUSED = (Exclusion("the domain is paused, and none of its vCPUs runs"),)
_REFUSED = (
    Exclusion(
        "release_guest_irq returns -EBUSY unless the domain is dying, and then it is paused",
        TREES[1],
        guard=True,
    ),
)
_GUARDED = (Exclusion("routing returns -EBUSY once the domain runs", "b857754723", "1c77496bc8", guard=True),)

_EXCLUDED: Mapping[frozenset[str], tuple[Exclusion, ...]] = {
    **{frozenset(("bind", other)): _UNTIL_XSA_492 for other in ("bind", "unbind", "attach")},
    **{frozenset(("unbind", other)): _UNTIL_XSA_492 for other in ("unbind", "attach")},
    **{frozenset((one, "kill")): _KILL_UNTIL_XSA_492 for one in ("bind", "unbind")},
    **{frozenset(("attach", other)): _FOR_EVER for other in ("attach", "kill")},
    frozenset(("kill",)): _FOR_EVER,
    **{frozenset((one, "domain_vgic_free")): _RCU for one in _HOLDS_A_REFERENCE},
    **{frozenset((one, "domain_vgic_free")): _ORDER for one in ("kill", "domain_vgic_free")},
    **{frozenset((one, other)): _PAUSED for one in ("kill", "domain_vgic_free") for other in GUEST},
    **{frozenset(("unbind", other)): _REFUSED for other in GUEST},
    **{frozenset(("bind", other)): _GUARDED for other in GUEST},
}
_SAME_BIT = Exclusion("the second finds the vIRQ's bit in allocated_irqs set, and returns -EBUSY")
_IN_TREE: Mapping[str, str] = {
    "bind": "in-tree toolstacks bind at creation only",
    "unbind": "in-tree toolstacks never unbind",
    "attach": "only a direct-mapped domain has devices attached",
}


class Reach(NamedTuple):
    """Whether callers can run the threads of a finding at once, and ``why``, in sentences."""

    reachable: bool
    why: tuple[str, ...]


def reach(
    initial: Initial,
    threads: Mapping[str, Sequence[Operation]],
    tree: str,
    apart: Callable[[str, str], bool] = lambda one, other: False,
) -> Reach:
    """Whether real callers make these operations side by side in ``tree``, one of ``TREES``.

    ``apart(one, other)`` says that the two threads ran one after the other.  If everything in one
    thread is excluded by everything in another, the two never run together.  Of several operations
    only some may have overlapped, so a lock excludes two threads only if each has one operation.
    """
    every = [op for ops in threads.values() for op in ops]
    if not _one_to_one(initial, every):
        return Reach(False, ("in no tree: every caller of route_irq_to_guest passes virq == irq",))
    if initial.state == "dying" and any(MADE_BY.get(op.name) in GUEST for op in every):
        return Reach(False, ("in no tree: the vCPUs of a dying domain are paused",))
    reasons: dict[str, None] = {}
    for (name, one), (with_, other) in combinations(threads.items(), 2):
        locks = len(one) == len(other) == 1 and not apart(name, with_)
        pairs = [_together(a, b, tree, locks) for a, b in product(one, other)]
        kept = [why for why in pairs if why is not None]
        never = [why for excluded, why in kept if excluded]
        if never and len(never) == len(pairs):
            return Reach(False, (never[0],))
        reasons.update(dict.fromkeys(why for excluded, why in kept if not excluded))
    callers = dict.fromkeys(MADE_BY[op.name] for op in every if op.name in MADE_BY)
    reasons.update(dict.fromkeys(_IN_TREE[caller] for caller in callers if caller in _IN_TREE))
    return Reach(True, tuple(reasons))


def never_beside(one: str, other: str, tree: str = TREES[-1]) -> bool:
    """Whether caller ``one`` never runs beside ``other`` in ``tree``, whatever the protocol does."""
    exclusions = _EXCLUDED.get(frozenset((one, other)), ())
    return any(e.holds(tree) and not e.lock and not e.guard for e in exclusions)


def _together(one: Operation, other: Operation, tree: str, locks: bool) -> tuple[bool, str] | None:
    """Whether something excludes the callers of two operations, and what; None if one has no known caller.

    ``locks``: in the schedule the two overlap, so a lock of both callers would exclude it.
    """
    callers = [MADE_BY.get(one.name), MADE_BY.get(other.name)]
    if None in callers:
        return None
    a, b = sorted(str(caller) for caller in callers)
    exclusions = _EXCLUDED.get(frozenset((a, b)), ())
    naked = {one.name, other.name} & NAKED
    if one.name == other.name == "route" and _number(one) == _number(other):
        exclusions = (*exclusions, _SAME_BIT)
    for exclusion in exclusions:
        if exclusion.holds(tree) and not exclusion.guard and (not exclusion.lock or (locks and naked)):
            until = f", until {exclusion.until}" if exclusion.until else ""
            return True, f"in this tree: {a} and {b}: {exclusion.by}{until}"
    return False, f"{a} beside {b}: {_since(exclusions, tree)}"


def _since(exclusions: Iterable[Exclusion], tree: str) -> str:
    """A sentence about two callers that nothing excludes in ``tree``, although another tree may."""
    now = [e.by for e in exclusions if e.holds(tree)]
    if now:
        return now[-1]
    before = [e for e in exclusions if e.until and TREES.index(e.until) <= TREES.index(tree)]
    after = [e for e in exclusions if TREES.index(e.since) > TREES.index(tree)]
    said = [f"since {before[-1].until}; before, {before[-1].by}"] if before else []
    said += [f"until {after[0].since}; from then on {after[0].by}"] if after else []
    return "; ".join(said) or "nothing excludes them"


def _number(op: Operation) -> tuple[int, int]:
    """The domain and the vIRQ that ``op`` reserves."""
    return op.value("dom"), op.value("virq")


def _one_to_one(initial: Initial, operations: Iterable[Operation]) -> bool:
    """Whether each vIRQ has one pIRQ and each pIRQ one vIRQ, as if both had the same number."""
    routed = {(virq, pirq) for virq, pirq, _ in initial.routed} | set(_routes(operations))
    return len({virq for virq, _ in routed}) == len(routed) == len({pirq for _, pirq in routed})


def _routes(operations: Iterable[Operation]) -> Iterator[tuple[int, int]]:
    for op in operations:
        if op.name == "route":
            yield op.value("virq"), op.value("pirq")
