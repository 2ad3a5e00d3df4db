"""What hypercalls and the scheduler keep beside the vGIC, for the scenarios that use it.

Lock order: domctl, overlay, dt_host, caps come before all of the vGIC's; a
vCPU's sched lock comes after all of them.
"""

from __future__ import annotations

from typing import Any

from ..primitives import Lock, RWLock, State, shared


class Host(State):
    """The locks of the toolstack's hypercalls.

    ``caps_lock`` is that of the caller's domain, which owns the permissions.
    """

    def __init__(self) -> None:
        self.domctl_lock = Lock("domctl")
        self.overlay_lock = Lock("overlay")
        self.dt_host_lock = RWLock("dt_host")
        self.caps_lock = RWLock("caps")

    def label(self) -> str:
        return "host"


class AllocatedIrq(State):
    """One bit of a domain's ``allocated_irqs``.  ``device``: a virtual device has it from the start.

    Unlike Xen, which has an atomic instruction for each access, a lock of the
    bit stands around those that write; nothing is taken with it held.
    """

    taken: bool = shared(False, atomic=True)

    def __init__(self, name: Any, device: bool) -> None:
        self.name, self.device = name, device
        self.lock = Lock("allocated_irqs", name)

    def label(self) -> str:
        return f"allocated_irqs[{self.name}]"

    def test_and_set(self) -> bool:
        """Set it; whether it was set."""
        return self._write(True)

    def test_and_clear(self) -> bool:
        """Clear it; whether it was set."""
        return self._write(False)

    def _write(self, taken: bool) -> bool:
        with self.lock:
            was = self.taken
            self.taken = taken
        return was


class Sched(State):
    """A vCPU as the scheduler has it.  ``unit`` is gone once the domain's vCPUs are destroyed."""

    VPF_blocked: bool = shared(False, atomic=True)
    unit: bool = shared(True, atomic=True)

    def __init__(self, name: Any) -> None:
        self.name = name
        self.lock = Lock("sched", name)

    def label(self) -> str:
        return f"sched[{self.name}]"

    def clear_blocked(self) -> bool:
        """``test_and_clear_bit``; no other thread sets it, so that two steps are as good."""
        if not self.VPF_blocked:
            return False
        self.VPF_blocked = False
        return True
