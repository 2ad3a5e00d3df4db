"""The state of the machine: what Xen keeps for each interrupt, vCPU and domain.

A field declared with ``atomic=True`` is one that Xen changes by atomic bit
operations or ``read_atomic``, or a hardware register; the others rely on
a lock.  Each bit of Xen's status words is a boolean field of its own.
Only objects that a scenario names are made beforehand; the others are made on first use.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar, cast

from ..primitives import Lock, State, shared
from .action import Freed, IrqAction
from .faults import Faults
from .hardware import Arrival, Line, ListRegister
from .host import AllocatedIrq, Host, Sched

T = TypeVar("T")

NR_LOCAL_IRQS = 32
NR_INTERRUPT_PER_RANK = 32
INTERRUPT_RANK_MASK = NR_INTERRUPT_PER_RANK - 1
MAX_SPIS = 1020 - NR_LOCAL_IRQS
FIRST_PIRQ, LAST_PIRQ = NR_LOCAL_IRQS, 1019
ESPI_BASE_INTID, NR_ESPI_IRQS = 4096, 1024
NR_LRS = 4
GIC_INVALID_LR = 0xFF

NULL: Any = None
"""A NULL pointer.  Pointers are typed as in C: the type does not say NULL."""


class IrqType(enum.Enum):
    """How a line signals; Xen refuses to route a line whose type is unknown."""

    INVALID = "invalid"
    LEVEL_HIGH = "level"
    EDGE_RISING = "edge"

    # Each is one object.  An enum's own hash is a call of Python, for each state that is looked up.
    __hash__ = object.__hash__


class OnDemand(dict[int, T]):
    """A table whose entries are made on first use."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[[int], T]) -> None:
        self._make = make

    def __missing__(self, key: int) -> T:
        # setdefault, because two threads may ask at once: both get one object.
        return self.setdefault(key, self._make(key))


class HwIrqController:
    """The callbacks of a pIRQ; this one is the none handler, ``no_irq_type``, of a desc without an owner.

    Every callback does nothing; those of Xen's own and of guests' lines are in handlers.py.
    It has no ``set_affinity`` at all: a call goes through NULL.
    Xen: irq.c, no_irq_type @ baf2950213.
    """

    # No instance has state of its own; a desc only changes which instance it has.
    __slots__ = ()

    typename = "none"
    set_affinity: Callable[[IrqDesc, int], None] | None = None

    def startup(self, desc: IrqDesc) -> None:
        """Nothing to start."""

    def shutdown(self, desc: IrqDesc) -> None:
        """Nothing to stop."""

    def enable(self, desc: IrqDesc) -> None:
        """Nothing to enable."""

    def disable(self, desc: IrqDesc) -> None:
        """Nothing to disable."""

    def ack(self, desc: IrqDesc) -> None:
        """Nothing to do: reading the interrupt acknowledge register was the acknowledgement."""

    def end(self, desc: IrqDesc) -> None:
        """No priority drop: the pCPU never again takes an IRQ of this priority.

        Unlike Xen, the loss is recorded for the audit.
        """
        desc.lost_eoi = True

    def __repr__(self) -> str:
        return self.typename


NO_IRQ_TYPE = HwIrqController()


def deactivate(desc: IrqDesc) -> None:
    """The line may fire again.  Xen: gic-v2.c, gicv2_dir_irq @ baf2950213."""
    if desc.line is not NULL:
        desc.line.active = False


class _EndingIrqType(HwIrqController):
    """The none handler since 8aa276235b (2019): it ends IRQs without an owner as the host handler does.

    Xen: irq.c, no_irq_type @ 8aa276235b.
    """

    __slots__ = ()

    def end(self, desc: IrqDesc) -> None:
        """The priority drops, and the line is deactivated."""
        deactivate(desc)


ENDING_NO_IRQ_TYPE = _EndingIrqType()


class IrqDesc(State):
    """One physical interrupt, ``struct irq_desc``.

    ``lock`` guards handler, action and type.  ``GUEST`` implies an action that
    names the vIRQ; an action without ``GUEST`` is Xen's own.
    """

    no_irq_type: ClassVar[HwIrqController] = NO_IRQ_TYPE

    INPROGRESS: bool = shared(False, atomic=True)
    DISABLED: bool = shared(True, atomic=True)
    PENDING: bool = shared(False, atomic=True)
    GUEST: bool = shared(False, atomic=True)
    handler: HwIrqController = shared(NO_IRQ_TYPE)
    action: IrqAction = shared(NULL)
    type: IrqType = shared(IrqType.LEVEL_HIGH)
    priority: int = shared(0)
    affinity: int = shared(0, atomic=True)
    # Evidence, not Xen's: a pCPU ended this IRQ through the none handler.
    lost_eoi: bool = shared(False, atomic=True)
    # Evidence too: do_IRQ held the lock with interrupts on.
    irqs_on: bool = shared(False, atomic=True)

    def __init__(self, irq: int) -> None:
        self.irq = irq
        self.lock = Lock("desc", irq)
        # NULL in a scenario in which the line cannot become active.
        self.line: Line = NULL

    def label(self) -> str:
        return f"desc[{self.irq}]"


class EndingIrqDesc(IrqDesc):
    """The same since 8aa276235b: IRQs without an owner are ended."""

    no_irq_type = ENDING_NO_IRQ_TYPE
    handler: HwIrqController = shared(ENDING_NO_IRQ_TYPE)


class PendingIrq(State):
    """One virtual SPI, ``struct pending_irq``.

    Unlike Xen, a list node knows the vCPU whose list it is on (NULL: unlinked)
    instead of its neighbours.
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
        return self.domain.make_rank_irq(self.domain, self.index * NR_INTERRUPT_PER_RANK + offset)

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


class Domain(State):
    """One guest.  ``lock`` is its vgic.lock, to be taken before any rank lock; ``domain_lock`` is d->lock.

    ``structures`` are those of the domain's vGIC: a ``Structures``
    of structures.py, which imports this file.
    """

    structures: Any
    domain_lock: Lock = NULL
    """Only in a scenario that switches a vCPU on, as nothing else here takes it."""

    # Unlike Xen, declared atomic: single words that any thread reads without a lock.
    creation_finished: bool = shared(False, atomic=True)
    is_dying: bool = shared(False, atomic=True)
    # Not in Xen, which frees the domain: for the audits.
    destroyed: bool = shared(False, atomic=True)

    def __init__(
        self,
        domain_id: int,
        vcpus: int,
        nr_spis: int,
        make_pending_irq: type[PendingIrq] = PendingIrq,
        make_rank_irq: type[RankIrq] = RankIrq,
    ) -> None:
        self.domain_id, self.nr_spis = domain_id, nr_spis
        self.vgic_num_irqs = nr_spis + NR_LOCAL_IRQS
        self.nr_espis = 0
        self.is_hardware_domain = False
        # For scenarios with reservations; a bit that is set at the start belongs to no thread.
        self.allocated_irqs: OnDemand[AllocatedIrq] = OnDemand(self._make_allocated)
        self.make_pending_irq, self.make_rank_irq = make_pending_irq, make_rank_irq
        self.lock = Lock("dom", domain_id)
        self.vcpu = [self.make_vcpu(i) for i in range(vcpus)]
        self.pending_irqs: OnDemand[PendingIrq] = OnDemand(self._make_pending_irq)
        self.ranks: OnDemand[VgicIrqRank] = OnDemand(self._make_rank)

    def make_vcpu(self, vcpu_id: int) -> Vcpu:
        return Vcpu(self, vcpu_id)

    def _make_pending_irq(self, virq: int) -> PendingIrq:
        return self.make_pending_irq(self, virq)

    def _make_rank(self, index: int) -> VgicIrqRank:
        return VgicIrqRank(self, index)

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


class Machine:
    """One host: its pIRQs, its domains, and the ``faults`` found on the way."""

    __slots__ = (
        "arrivals",
        "descs",
        "destroys",
        "domains",
        "draws",
        "faults",
        "freed",
        "host",
        "shares_bits",
    )

    def __init__(self, irq_desc: type[IrqDesc] = IrqDesc) -> None:
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

    A compiler may merge the two; reads with a lock operation or an opaque call
    between them are real, and are written as they are.  A check that fails
    because the two differ has ``SOURCE_ONLY`` in its message.
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
