"""The state of hypercalls and the scheduler beside the vGIC, for the scenarios that use it.

Lock order: domctl, overlay, dt_host, caps come before all of the vGIC's; a
vCPU's sched lock comes after all of them.
"""

from __future__ import annotations

from typing import Any

from ..primitives import Lock, RWLock, State, runtime, shared


class Host(State):
    """The locks of the toolstack's hypercalls.

    ``caps_lock`` is that of the calling domain, which owns the permissions.
    """

    def __init__(self) -> None:
        self.domctl_lock = Lock("domctl")
        self.overlay_lock = Lock("overlay")
        self.dt_host_lock = RWLock("dt_host")
        self.caps_lock = RWLock("caps")

    def label(self) -> str:
        return "host"


def _caller() -> str:
    """The name of the calling thread, "nobody" outside a run."""
    me = None if runtime.current is None else runtime.current.running()
    return "nobody" if me is None else str(me.name)


class AllocatedIrq(State):
    """One bit of a domain's ``allocated_irqs``.  ``device``: it belongs to a virtual device from the start.

    Unlike Xen, which has an atomic instruction for each access, a lock of the bit's own
    surrounds each write access; no other lock is taken while it is held.
    ``taken`` is the name of the thread that set it, or True if it was set before the start.
    If one thread may clear what another has set, ``released`` has each thread that
    released the vIRQ, and the value of ``taken`` then.
    """

    taken: bool | str = shared(False, atomic=True)
    released: tuple[tuple[str, bool | str], ...] = shared((), atomic=True)

    def __init__(self, name: Any, device: bool) -> None:
        self.name, self.device = name, device
        self.lock = Lock("allocated_irqs", name)

    def label(self) -> str:
        return f"allocated_irqs[{self.name}]"

    def test_and_set(self) -> bool:
        """Set it; return whether it was set."""
        with self.lock:
            was = self.taken
            # Keep the first owner: a thread that did not get the bit must not clear it (Xen sets it again).
            self.taken = was or _caller()
        return bool(was)

    def test_and_clear(self) -> bool | str:
        """Clear it; return the old value."""
        with self.lock:
            was = self.taken
            self.taken = False
        return was

    def release(self) -> None:
        """Note that the calling thread has released the vIRQ.  Enter with the desc.lock of its pIRQ held."""
        self.released = (*self.released, (_caller(), self.taken))

    def is_mine(self, was: bool | str) -> bool:
        """Whether the calling thread may clear the bit, whose value ``was`` this.

        It has set the bit itself, or released the vIRQ for which the bit was set.
        """
        me = _caller()
        return was in (True, me) or (me, was) in self.released


class Sched(State):
    """The scheduler's part of a vCPU.  ``unit`` is gone once the domain's vCPUs are destroyed."""

    VPF_blocked: bool = shared(False, atomic=True)
    unit: bool = shared(True, atomic=True)

    def __init__(self, name: Any) -> None:
        self.name = name
        self.lock = Lock("sched", name)

    def label(self) -> str:
        return f"sched[{self.name}]"

    def clear_blocked(self) -> bool:
        """``test_and_clear_bit``; no other thread sets the bit, so two steps are equivalent."""
        if not self.VPF_blocked:
            return False
        self.VPF_blocked = False
        return True
