"""The state of the machine: what Xen keeps for each interrupt, vCPU and domain.

A field declared with ``atomic=True`` is one that Xen changes by atomic bit
operations or ``read_atomic``, or a hardware register; the others rely on
a lock.  Each bit of Xen's status words is a boolean field of its own.
Objects that no scenario names are made on first use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, ClassVar, NamedTuple, cast

from ..primitives import Lock, State, shared
from .action import Freed
from .desc import NULL as NULL
from .desc import IrqDesc as IrqDesc
from .desc import IrqType as IrqType
from .faults import Faults
from .hardware import Arrival, ListRegister
from .host import AllocatedIrq, Host, Sched
from .tables import OnDemand

NR_LOCAL_IRQS = 32
NR_INTERRUPT_PER_RANK = 32
INTERRUPT_RANK_MASK = NR_INTERRUPT_PER_RANK - 1
MAX_SPIS = 1020 - NR_LOCAL_IRQS
FIRST_PIRQ, LAST_PIRQ = NR_LOCAL_IRQS, 1019
ESPI_BASE_INTID, NR_ESPI_IRQS = 4096, 1024
NR_LRS = 4
GIC_INVALID_LR = 0xFF


class PendingIrq(State):
    """One virtual SPI, ``struct pending_irq``.

    Unlike Xen, a list node knows the vCPU whose list it is on (NULL: none) instead of its neighbours.
    """

    # Unlike Xen, declared atomic: one aligned pointer, which ARM reads and writes
    # whole.  Xen reads it without a lock on purpose (release_guest_irq, moves), and the
    # consequences have rules of their own: mapping.*, crash.*, data_race on the object
    # to which it points.
    desc: IrqDesc = shared(NULL, atomic=True)
    QUEUED: bool = shared(False, atomic=True)
    ACTIVE: bool = shared(False, atomic=True)
    VISIBLE: bool = shared(False, atomic=True)
    ENABLED: bool = shared(False, atomic=True)
    MIGRATING: bool = shared(False, atomic=True)
    priority: int = shared(0)
    lr: int = shared(0)
    inflight_on: Vcpu = shared(NULL)
    lr_queue_on: Vcpu = shared(NULL)

    def __init__(self, domain: Domain, irq: int) -> None:
        self.irq, self.domain = irq, domain

    def label(self) -> str:
        return f"p[{self.domain.index(self.irq)}]"


class LockedPendingIrq(PendingIrq):
    """A pending_irq with a lock of its own, for the protocols that have one."""

    def __init__(self, domain: Domain, irq: int) -> None:
        super().__init__(domain, irq)
        self.lock = Lock("p", domain.index(irq))


class RankIrq(State):
    """A rank's data for one of its vIRQs: ``priority[i]`` and ``vcpu[i]``."""

    priority: int = shared(0)
    vcpu: int = shared(0, atomic=True)

    def __init__(self, domain: Domain, virq: int) -> None:
        self.domain, self.virq = domain, virq

    def label(self) -> str:
        rank, offset = divmod(self.virq, NR_INTERRUPT_PER_RANK)
        return f"rank[{self.domain.index(rank)}].irq[{offset}]"


class AccessOnceRankIrq(RankIrq):
    """The same since 43208a9cb4: the priority is read and written in one access."""

    priority: int = shared(0, atomic=True)


class VgicIrqRank(State):
    """32 vIRQs that share their registers, ``struct vgic_irq_rank``.

    ``lock`` guards every member but the targets.
    """

    ienable: int = shared(0)
    icfg: int = shared(0)

    def __init__(self, domain: Domain, index: int) -> None:
        self.domain, self.index = domain, index
        self.lock = Lock("rank", domain.index(index))
        self.irq: OnDemand[RankIrq] = OnDemand(self._make_irq)

    def _make_irq(self, offset: int) -> RankIrq:
        return self.domain.machine.rank_irq(self.domain, self.index * NR_INTERRUPT_PER_RANK + offset)

    def label(self) -> str:
        return f"rank[{self.domain.index(self.index)}]"


class Vcpu(State):
    """One virtual CPU.  ``lock`` (its vgic.lock) guards both lists and its LRs.

    A list is a tuple of pending_irqs, best priority first.  ``lr_mask`` says
    which of the list registers ``lrs`` Xen uses.
    """

    VPF_down: bool = shared(False, atomic=True)
    # Unlike Xen, declared atomic: one aligned word, read by any thread that sets an affinity.
    processor: int = shared(0, atomic=True)
    inflight_irqs: tuple[PendingIrq, ...] = shared(())
    lr_pending: tuple[PendingIrq, ...] = shared(())
    lr_mask: int = shared(0)
    lrs: tuple[ListRegister | None, ...] = shared((None,) * NR_LRS, atomic=True)

    def __init__(self, domain: Domain, vcpu_id: int) -> None:
        self.domain, self.vcpu_id = domain, vcpu_id
        self.lock = Lock("vcpu", domain.index(vcpu_id))
        # NULL in a scenario in which no vCPU sleeps.
        self.sched: Sched = NULL

    def label(self) -> str:
        return f"vcpu[{self.domain.index(self.vcpu_id)}]"


class VirqRow(NamedTuple):
    """One vIRQ at rest, in terms that hold for either vGIC.

    ``desc`` is the desc to which it points, NULL if it is not routed.  ``enabled`` is
    the bit that the vGIC obeys, ``ienable`` the one that the guest reads.  ``on`` is the vCPU
    on whose list it is, ``target`` the one that should get it; NULL if there is
    none.  ``displaced``: it is on another list than its target's, and nothing
    will move it.  ``settled``: its line's affinity is final, so it should
    be that of ``target``.  ``stranded``: it should be delivered, and nothing will do that.
    """

    d: Domain
    virq: int
    desc: IrqDesc
    enabled: bool
    ienable: bool
    on: Vcpu
    target: Vcpu
    displaced: bool
    settled: bool
    stranded: bool


class Domain(State):
    """One guest.  ``lock`` is its vgic.lock, to be taken before any rank lock; ``domain_lock`` is d->lock.

    Another vGIC has a class of its own for a domain, which overrides the functions at the end: the
    builder, the audits and reports use a vGIC's structures only through these.
    """

    bits: ClassVar[tuple[str, ...]] = ("ENABLED", "QUEUED", "VISIBLE", "MIGRATING")
    domain_lock: Lock = NULL
    """Only in a scenario that switches a vCPU on, as nothing else here takes it."""

    # Unlike Xen, declared atomic: single words that any thread reads without a lock.
    creation_finished: bool = shared(False, atomic=True)
    is_dying: bool = shared(False, atomic=True)
    # Not in Xen, which frees the domain: for the audits.
    destroyed: bool = shared(False, atomic=True)

    def __init__(self, machine: Machine, domain_id: int, vcpus: int, nr_spis: int) -> None:
        self.machine, self.domain_id, self.nr_spis = machine, domain_id, nr_spis
        self.vgic_num_irqs = nr_spis + NR_LOCAL_IRQS
        self.nr_espis = 0
        self.is_hardware_domain = False
        # For scenarios with reservations; a bit that is set at the start belongs to no thread.
        self.allocated_irqs: OnDemand[AllocatedIrq] = OnDemand(self._make_allocated)
        self.lock = Lock("dom", domain_id)
        self.vcpu = [self.make_vcpu(i) for i in range(vcpus)]
        self.pending_irqs: OnDemand[PendingIrq] = OnDemand(partial(machine.pending_irq, self))
        self.ranks: OnDemand[VgicIrqRank] = OnDemand(partial(VgicIrqRank, self))

    def make_vcpu(self, vcpu_id: int) -> Vcpu:
        return Vcpu(self, vcpu_id)

    def allocated_index(self, virq: int) -> int:
        """The index of ``virq``'s bit in allocated_irqs: the bits of eSPIs come after all others.

        Xen: vgic.c, in vgic_reserve_virq @ bdde400c6e.
        """
        return virq if virq < ESPI_BASE_INTID else self.vgic_num_irqs + virq - ESPI_BASE_INTID

    def _make_allocated(self, index: int) -> AllocatedIrq:
        return AllocatedIrq(self.index(index), device=False)

    def index(self, number: int) -> int | str:
        """``number`` as a lock's index; without a prefix for domain 1, the scenario's own."""
        return number if self.domain_id == 1 else f"d{self.domain_id}.{number}"

    def label(self) -> str:
        return f"dom{self.domain_id}"

    # -- at rest, for the builder, the audits and reports: no lock is taken

    def name_virq(self, virq: int) -> None:
        """Make the objects for ``virq``, once the flags of the domain are set."""
        self.pending_irqs[virq]
        self.ranks[virq // NR_INTERRUPT_PER_RANK].irq[virq & INTERRUPT_RANK_MASK]

    def route_at_start(self, virq: int, desc: IrqDesc, enabled: bool) -> None:
        """Set the state that route, and ISENABLER if ``enabled``, would leave in the vGIC."""
        self.pending_irqs[virq].desc = desc
        if enabled:
            self.enable_at_start(virq)

    def enable_at_start(self, virq: int) -> None:
        """Set the state that ISENABLER would leave in the vGIC."""
        self.ranks[virq // NR_INTERRUPT_PER_RANK].ienable |= 1 << (virq & INTERRUPT_RANK_MASK)
        self.pending_irqs[virq].ENABLED = True

    def aim_at_start(self, virq: int, v: Vcpu) -> None:
        """Set the state that ITARGETSR would leave in the vGIC, for a vIRQ that is not inflight."""
        self.ranks[virq // NR_INTERRUPT_PER_RANK].irq[virq & INTERRUPT_RANK_MASK].vcpu = v.vcpu_id

    def migrate_at_start(self, virq: int) -> None:
        """Set the state that ITARGETSR would leave for a vIRQ that is in an LR."""
        self.pending_irqs[virq].MIGRATING = True

    def make_pending(self, v: Vcpu, virq: int, where: str, active: bool = False) -> None:
        """Set the state that an interrupt for ``v`` would leave.

        ``where`` is "lr_pending" (waits for an LR), "lr" (is in one) or "inflight" (came while it was
        disabled); ``active``: the guest has taken it from its LR.
        """
        p = self.pending_irqs[virq]
        v.inflight_irqs = (*v.inflight_irqs, p)
        p.inflight_on = v
        if where == "lr":
            lr = v.lr_mask.bit_length()
            v.lr_mask |= 1 << lr
            pirq = None if p.desc is NULL else p.desc.irq
            v.lrs = (*v.lrs[:lr], ListRegister(virq, pirq, not active, active), *v.lrs[lr + 1 :])
            p.ACTIVE = active
            p.VISIBLE = True
            p.lr = lr
            return
        p.QUEUED = True
        if where == "lr_pending":
            v.lr_pending = (*v.lr_pending, p)
            p.lr_queue_on = v

    def states(self) -> Iterator[State]:
        """Every object of the domain whose fields threads can change."""
        yield self
        yield from self.vcpu
        for table in self.tables():
            yield from table.values()

    def tables(self) -> list[dict[int, Any]]:
        """The tables that grow when a thread makes another object of ``states``; that of the vIRQs first."""
        ranks = self.ranks.values()
        return [self.pending_irqs, self.ranks, *(rank.irq for rank in ranks), self.allocated_irqs]

    def desc_of(self, virq: int) -> IrqDesc:
        """The desc to which ``virq`` points, NULL if it is not routed."""
        return self.pending_irqs[virq].desc

    def row(self, virq: int) -> VirqRow:
        """The present state of ``virq``."""
        p = self.pending_irqs[virq]
        rank, offset = self.ranks[virq // NR_INTERRUPT_PER_RANK], virq & INTERRUPT_RANK_MASK
        target = self.vcpu[rank.irq[offset].vcpu]
        on = p.inflight_on
        return VirqRow(
            self,
            virq,
            p.desc,
            enabled=p.ENABLED,
            ienable=bool(rank.ienable >> offset & 1),
            on=on,
            target=target,
            # The EOI of a vIRQ that is MIGRATING moves list and line to the target.
            displaced=on is not NULL and on is not target and not p.MIGRATING,
            settled=not p.MIGRATING,
            stranded=not p.VISIBLE and (p.QUEUED if on is NULL else p.ENABLED and p.lr_queue_on is NULL),
        )

    def rows(self) -> list[VirqRow]:
        """One row for each vIRQ that was ever used, in no order."""
        return [self.row(virq) for virq in self.tables()[0]]

    def gone(self, virq: int) -> bool:
        """Whether ``virq`` is in no place in which it could still be ended."""
        # VISIBLE is not used here: CPU_ON leaves it set, and another vIRQ may then take the LR.
        in_lr = any(lr is not None and lr.virq == virq for v in self.vcpu for lr in v.lrs)
        return self.pending_irqs[virq].inflight_on is NULL and not in_lr

    def waits(self, virq: int) -> bool:
        """Whether ``virq`` is in no LR, but will be put into one."""
        p = self.pending_irqs[virq]
        return p.inflight_on is not NULL and not p.VISIBLE

    def disagreement(self, virq: int) -> str:
        """Where lists and links disagree about ``virq``; empty if nowhere."""
        p = self.pending_irqs[virq]
        on, queued = p.inflight_on, p.lr_queue_on
        if on is NULL and queued is NULL and not any(v.inflight_irqs or v.lr_pending for v in self.vcpu):
            return ""
        lists = [(v, v.inflight_irqs.count(p), v.lr_pending.count(p)) for v in self.vcpu]
        wrong = any(
            inflight != (1 if v is on else 0) or pending != (1 if v is queued else 0)
            for v, inflight, pending in lists
        )
        if wrong or (queued is not NULL and on is not queued):
            return ", ".join(f"vCPU {v.vcpu_id}: {i} inflight, {q} lr_pending" for v, i, q in lists)
        return ""

    def status(self, virq: int) -> list[str]:
        """The bits of ``virq`` that are set, by name."""
        return [bit for bit in self.bits if getattr(self.tables()[0][virq], bit)]

    def queues(self, v: Vcpu) -> dict[str, list[Any]]:
        """The vIRQs of each of ``v``'s lists, and of its LRs, by the list's name."""
        return {
            "inflight": [p.irq for p in v.inflight_irqs],
            "lr_pending": [p.irq for p in v.lr_pending],
            "lrs": [entry.virq for entry in v.lrs if entry is not None],
        }


class Machine:
    """One host: its pIRQs, its domains, and the ``faults`` found on the way.

    ``irq_desc``, ``pending_irq`` and ``rank_irq`` are the protocol's own State classes.
    """

    def __init__(
        self, irq_desc: type[IrqDesc], pending_irq: type[PendingIrq], rank_irq: type[RankIrq]
    ) -> None:
        self.pending_irq, self.rank_irq = pending_irq, rank_irq
        self.descs: OnDemand[IrqDesc] = OnDemand(cast("Callable[[int], IrqDesc]", irq_desc))
        self.domains: dict[int, Domain] = {}
        self.faults = Faults()
        # Whether a thread frees a domain, so that each use has to check for that.
        self.destroys = False
        # Whether the threads draw their operations: a late interrupt is then acknowledged when drawn.
        self.draws = False
        # The interrupts with ``either``, by the name of their thread.
        self.arrivals: dict[str, Arrival] = {}
        # Whether one thread may give back what another has reserved.
        self.shares_bits = False
        # NULL in a scenario without hypercalls.
        self.host: Host = NULL
        # NULL if no freed action can be used.
        self.freed: Freed = NULL


SOURCE_ONLY = "true of the source only: a compiler may merge the two reads of p->desc"


def reread(p: PendingIrq) -> IrqDesc:
    """Read ``p.desc`` again, as the source does, with nothing between this read and the last.

    A compiler may merge the two; reads with a lock operation or an opaque call between them are real, and
    are written as they are.  A check that fails because they differ has ``SOURCE_ONLY`` in its message.
    """
    return p.desc


def irq_to_pending(v: Vcpu, virq: int) -> PendingIrq:
    """The pending_irq of SPI ``virq``: an address, not a step.

    Xen: vgic.c, irq_to_pending @ baf2950213.
    """
    return v.domain.pending_irqs[virq]


def spi_to_pending(d: Domain, virq: int) -> PendingIrq:
    """The same from the domain.

    Xen: vgic.c, spi_to_pending @ baf2950213.
    """
    return d.pending_irqs[virq]


def vgic_rank_irq(v: Vcpu, virq: int) -> VgicIrqRank:
    """The rank of SPI ``virq``: an address, not a step.

    Xen: vgic.c, vgic_rank_irq @ baf2950213.
    """
    return v.domain.ranks[virq // NR_INTERRUPT_PER_RANK]
