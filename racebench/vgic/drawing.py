"""Random small scenarios that a machine can really be in, and smaller ones of each.

A thread plays one actor, and does what that actor may: a vCPU writes registers
and ends its own interrupts, the toolstack routes and releases, a pCPU takes a
physical interrupt, the scheduler moves a vCPU.  What hardware rules out is not
drawn: a pIRQ that is not ended yet does not come again, a guest that was never
started has enabled nothing, and the vCPUs of a dying domain do not run.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from .language import Initial, Operation

Threads = Mapping[str, tuple[Operation, ...]]

VIRQS, PIRQS, PCPUS = (40, 41), (64, 65), (2, 3)
STATES = ("creating", "running", "dying")

_STATE_WEIGHTS = (2, 7, 2)
_ROUTED = {40: 0.7, 41: 0.25}
_MOST_OPERATIONS = 3
_GUEST = {
    "isenabler": 4,
    "icenabler": 4,
    "itargetsr": 3,
    "ipriorityr": 1,
    "eoi": 3,
    "restore": 1,
    "cpu_on": 0.3,
}
"""What a vCPU does, and how often: nothing of it before the domain runs."""


def op(name: str, **args: int | tuple[int, ...]) -> Operation:
    """``op("route", virq=40, pirq=64)``."""
    return Operation(name, tuple((k, v if isinstance(v, tuple) else (v,)) for k, v in args.items()))


@dataclass(frozen=True)
class Drawn:
    """A scenario without a name: where it starts, and what its threads do."""

    initial: Initial
    threads: Threads

    def size(self) -> tuple[int, int, int]:
        """Operations, threads, and numbers that they and the state before them name."""
        before = len(self.initial.routed) + len(self.initial.pending)
        before += sum(on for _, _, on in self.initial.routed) + len(self.initial.enabled)
        before += len(self.initial.down)
        ops = [op for ops in self.threads.values() for op in ops]
        return len(ops), len(self.threads), before + sum(len(n) for op in ops for _, n in op.args)

    def key(self) -> tuple[object, ...]:
        """The same for two that differ in nothing but the names of threads."""
        return self.initial, tuple(sorted(tuple(map(str, ops)) for ops in self.threads.values()))


def draw(rng: random.Random, state: str | None = None) -> Drawn:
    """One scenario of two or three threads; ``state`` fixes the domain's."""
    return _Draw(rng, state or rng.choices(STATES, _STATE_WEIGHTS)[0]).drawn()


class _Draw:
    def __init__(self, rng: random.Random, state: str) -> None:
        self.rng, self.state = rng, state
        self.initial = Initial(state=state)
        self.fires = set(PIRQS)
        self.ends: set[int] = set()

    def drawn(self) -> Drawn:
        self._initial()
        rng = self.rng
        roles = dict(self._roles())
        names, weights = list(roles), [weight for weight, _ in roles.values()]
        threads: dict[str, tuple[Operation, ...]] = {}
        wanted = 3 if rng.random() < 0.3 else 2
        while len(threads) < wanted:
            name = rng.choices(names, weights)[0]
            if name not in threads:
                made = roles[name][1](name)
                weights[names.index(name)] = 0
                if made:
                    threads[name] = made
                elif not any(weights):
                    break
        return Drawn(replace(self.initial, down=self._down(threads)), threads)

    def _down(self, threads: Threads) -> tuple[int, ...]:
        """vCPUs that are switched on, and do nothing before that."""
        asked = {one.value("vcpu") for ops in threads.values() for one in ops if one.name == "cpu_on"}
        busy = {0} if self.initial.pending else set()
        return tuple(sorted(n for n in asked - busy if f"vcpu{n}" not in threads))

    def _initial(self) -> None:
        rng, routed, pending = self.rng, [], []
        for virq, pirq in zip(VIRQS, PIRQS, strict=True):
            if rng.random() >= _ROUTED[virq]:
                continue
            enabled = self.state != "creating" and rng.random() < 0.5
            routed.append((virq, pirq, enabled))
            if self.state == "running" and rng.random() < 0.25:
                on = rng.choice(("lr_pending", "lr") if enabled else ("inflight", "lr"))
                pending.append((virq, on))
                self.fires.discard(pirq)
                if on == "lr":
                    self.ends.add(virq)
        self.initial = replace(self.initial, routed=tuple(routed), pending=tuple(pending))

    def _roles(self) -> Iterator[tuple[str, tuple[float, Callable[[str], tuple[Operation, ...]]]]]:
        yield "toolstack0", (3, self._toolstack)
        yield "toolstack1", (2, self._toolstack)
        yield "pcpu1", (2, self._pcpu)
        yield "pcpu2", (1, self._pcpu)
        yield "xen", (0.3, self._xen)
        if self.state != "dying":
            yield "vcpu0", (4, self._vcpu)
        if self.state == "running":
            yield "vcpu1", (2, self._vcpu)
            yield "scheduler", (1, self._scheduler)

    def _some(self, draw: Callable[[], Operation | None]) -> tuple[Operation, ...]:
        count = self.rng.choices(range(1, _MOST_OPERATIONS + 1), (6, 3, 1))[0]
        return tuple(made for made in (draw() for _ in range(count)) if made is not None)

    def _toolstack(self, name: str) -> tuple[Operation, ...]:
        if self.state == "dying":
            return self._some(
                lambda: op("destroy") if self.rng.random() < 0.2 else op("release", virq=self._virq())
            )
        return self._some(self._route_or_release)

    def _route_or_release(self) -> Operation:
        virq = self._virq()
        routed = {v for v, _, _ in self.initial.routed}
        if self.rng.random() < (0.7 if virq in routed else 0.2):
            return op("release", virq=virq)
        return op("route", virq=virq, pirq=self.rng.choice(PIRQS))

    def _pcpu(self, name: str) -> tuple[Operation, ...]:
        if not self.fires:
            return ()
        pirq = self.rng.choice(sorted(self.fires))
        self.fires.discard(pirq)
        on = any(p == pirq and enabled for _, p, enabled in self.initial.routed)
        return (op("irq" if on and self.rng.random() < 0.7 else "late_irq", pirq=pirq),)

    def _xen(self, name: str) -> tuple[Operation, ...]:
        return (op("setup_irq", pirq=self.rng.choice(PIRQS)),)

    def _scheduler(self, name: str) -> tuple[Operation, ...]:
        return (op("move", vcpu=self.rng.randrange(2), pcpu=self.rng.choice(PCPUS)),)

    def _vcpu(self, name: str) -> tuple[Operation, ...]:
        me = int(name[-1])
        made = self._some(lambda: self._guest(me))
        # The guest of a domain that is still made runs once it is let go.
        return (op("unpause"), *made) if self.state == "creating" else made

    def _guest(self, me: int) -> Operation | None:
        rng, virq = self.rng, self._virq()
        what = rng.choices(list(_GUEST), list(_GUEST.values()))[0]
        if what in ("isenabler", "icenabler"):
            return op(what, virq=VIRQS if rng.random() < 0.1 else (virq,))
        if what == "itargetsr":
            return op("itargetsr", virq=virq, vcpu=rng.randrange(2))
        if what == "ipriorityr":
            return op("ipriorityr", virq=virq, priority=rng.choice((0, 255)))
        if what == "restore":
            return op("restore", vcpu=me)
        if what == "cpu_on":
            return op("cpu_on", vcpu=1 - me)
        if me or not self.ends:
            return None
        ended = rng.choice(sorted(self.ends))
        self.ends.discard(ended)
        return op("eoi", virq=ended)

    def _virq(self) -> int:
        return self.rng.choices(VIRQS, (4, 1))[0]


def smaller(drawn: Drawn) -> Iterator[Drawn]:
    """What is left of ``drawn`` without one thing, the largest things first.

    Nothing that the machine cannot be in: no guest runs before its unpause.
    """
    if drawn.initial.state == "creating":
        rest = {
            name: tuple(one for one in ops if one.name != "unpause") for name, ops in drawn.threads.items()
        }
        if rest != dict(drawn.threads) and all(rest.values()):
            yield Drawn(replace(drawn.initial, state="running"), rest)
    yield from filter(_possible, _less(drawn))


def _possible(drawn: Drawn) -> bool:
    """Whether every vCPU of a domain that is still made lets it go first."""
    if drawn.initial.state != "creating":
        return True
    return all(ops[0].name == "unpause" for ops in drawn.threads.values() if any(map(_guests, ops)))


def _guests(one: Operation) -> bool:
    return one.name in _GUEST


def _less(drawn: Drawn) -> Iterator[Drawn]:
    initial, threads = drawn.initial, drawn.threads
    for name in threads:
        if len(threads) > 1:
            yield Drawn(initial, {n: ops for n, ops in threads.items() if n != name})
    for virq, _, _ in initial.routed:
        routed = tuple(r for r in initial.routed if r[0] != virq)
        pending = tuple(p for p in initial.pending if p[0] != virq)
        yield Drawn(replace(initial, routed=routed, pending=pending), threads)
    for virq in initial.enabled:
        yield Drawn(replace(initial, enabled=tuple(v for v in initial.enabled if v != virq)), threads)
    if initial.down:
        yield Drawn(replace(initial, down=()), threads)
    for virq, _ in initial.pending:
        yield Drawn(replace(initial, pending=tuple(p for p in initial.pending if p[0] != virq)), threads)
    for name, ops in threads.items():
        for i in range(len(ops)):
            if len(ops) > 1:
                yield Drawn(initial, {**threads, name: ops[:i] + ops[i + 1 :]})
    for name, ops in threads.items():
        for i, one in enumerate(ops):
            if len(one.args) == 1 and len(one.args[0][1]) > 1:
                for kept in one.args[0][1]:
                    alone = Operation(one.name, ((one.args[0][0], (kept,)),))
                    yield Drawn(initial, {**threads, name: (*ops[:i], alone, *ops[i + 1 :])})
    queued = {virq for virq, _ in initial.pending}
    for i, (virq, pirq, enabled) in enumerate(initial.routed):
        if enabled and virq not in queued:
            routed = (*initial.routed[:i], (virq, pirq, False), *initial.routed[i + 1 :])
            yield Drawn(replace(initial, routed=routed), threads)
    renamed = _renamed(drawn)
    if renamed is not None:
        yield renamed


def smallest(drawn: Drawn, shows: Callable[[Drawn], bool]) -> Drawn:
    """What is left of ``drawn`` when everything is gone without which it ``shows`` the same."""
    while True:
        for candidate in smaller(drawn):
            if shows(candidate):
                drawn = candidate
                break
        else:
            return drawn


def _renamed(drawn: Drawn) -> Drawn | None:
    """The same with the first vIRQ and pIRQ in the place of the second, if they are free."""
    names: dict[str, dict[int, int]] = {}
    for key, (first, second) in (("virq", VIRQS), ("pirq", PIRQS)):
        used = _used(drawn, key)
        if second in used and first not in used:
            names[key] = {second: first}
    if not names:
        return None
    virq, pirq = names.get("virq", {}), names.get("pirq", {})
    initial = replace(
        drawn.initial,
        routed=tuple((virq.get(v, v), pirq.get(p, p), on) for v, p, on in drawn.initial.routed),
        pending=tuple((virq.get(v, v), on) for v, on in drawn.initial.pending),
        enabled=tuple(virq.get(v, v) for v in drawn.initial.enabled),
    )
    threads = {
        name: tuple(
            Operation(
                one.name,
                tuple(
                    (k, tuple(sorted(names[k].get(n, n) for n in numbers)) if k in names else numbers)
                    for k, numbers in one.args
                ),
            )
            for one in ops
        )
        for name, ops in drawn.threads.items()
    }
    return Drawn(initial, threads)


def _used(drawn: Drawn, key: str) -> set[int]:
    column = 0 if key == "virq" else 1
    used = {routed[column] for routed in drawn.initial.routed}
    if key == "virq":
        used |= {virq for virq, _ in drawn.initial.pending} | set(drawn.initial.enabled)
    for ops in drawn.threads.values():
        for one in ops:
            used.update(dict(one.args).get(key, ()))
    return used
