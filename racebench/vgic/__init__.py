"""The machine under test: Xen's ARM vGIC and its locking protocols.

What the model leaves out, and what a clean cell therefore does not prove:

- Memory is sequentially consistent, except for fields that are declared delayed.  Xen's own
  variables are not: p.desc, handler, _IRQ_GUEST are plain fields on a weakly ordered machine.
  If a compiler may merge two reads, a finding that needs them to differ says so.
- A step is one access of a field, one lock operation, one device register.  A list is one
  field, and its node knows the owner of its list.  p.desc, v.processor and the flags of a
  domain are single words that any thread may read.
- SPIs only: no SGI or PPI with their lists shared with the CPU (so that nothing uses a vCPU's
  private_irqs, freed or not), no LPI and no ITS, no priorities among physical lines, and
  fewer vIRQs than would need the maintenance interrupt.
- Interrupts come where a scenario says: a pCPU that takes one is a thread, and so is a vCPU;
  on the pCPU of a vCPU it comes between two of that thread's operations.  None comes while
  that pCPU is in do_IRQ with desc.lock held: interrupts are on there, as they were until
  3455cd598c, and a rule of its own reports that (lock.irqs_on).  All other locks are taken with
  interrupts off, as in Xen; programs with ``interrupts`` (scenarios/history) show the
  consequences if not.
- Of the toolstack, the scheduler, RCU and the hardware only the parts that touch routing are
  modelled: who holds which lock, which bit is reserved, where a vCPU runs, whether a line is
  active.
- A kick of a vCPU that runs elsewhere is not modelled: a scenario says when it traps.

Other differences are stated with their functions, after the words "Unlike Xen".
"""

from .callers import reach
from .domain import Protocol
from .hammer import Mix, build_hammer
from .language import (
    OPERATIONS,
    Initial,
    LineAtStart,
    Operation,
    domain_table,
    parse_operation,
    placed_twice,
    played_twice,
    usage,
)
from .program import broken_at_start, build_program, written_program
from .protocols import protocol, protocol_ids
from .protocols.baseline import Baseline
from .system import system_states

__all__ = [
    "OPERATIONS",
    "Baseline",
    "Initial",
    "LineAtStart",
    "Mix",
    "Operation",
    "Protocol",
    "broken_at_start",
    "build_hammer",
    "build_program",
    "domain_table",
    "parse_operation",
    "placed_twice",
    "played_twice",
    "protocol",
    "protocol_ids",
    "reach",
    "system_states",
    "usage",
    "written_program",
]
