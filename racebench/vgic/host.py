"""What hypercalls and the scheduler keep beside the vGIC, for the scenarios that use it.

Lock order: domctl, overlay, dt_host, caps come before all of the vGIC's; a
vCPU's sched lock comes after all of them.
"""

from __future__ import annotations

from typing import Any

from ..primitives import Lock, RWLock, State, runtime, shared


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


def _caller() -> str:
    """The name of the calling thread, "nobody" outside a run."""
    me = None if runtime.current is None else runtime.current.running()
    return "nobody" if me is None else str(me.name)


class AllocatedIrq(State):
    """One bit of a domain's ``allocated_irqs``.  ``device``: a virtual device has it from the start.

    Unlike Xen, which has an atomic instruction for each access, a lock of the
    bit stands around those that write; nothing is taken with it held.
    ``taken`` has the name of the thread that set it, True if that was before the start.
    Where one thread may clear what another has set, ``released`` has each thread that
    released the vIRQ, and what was in ``taken`` then.
    """

    taken: bool | str = shared(False, atomic=True)
    released: tuple[tuple[str, bool | str], ...] = shared((), atomic=True)

    def __init__(self, name: Any, device: bool) -> None:
        self.name, self.device = name, device
        self.lock = Lock("allocated_irqs", name)

    def label(self) -> str:
        return f"allocated_irqs[{self.name}]"

    def test_and_set(self) -> bool:
        """Set it; whether it was set."""
        with self.lock:
            was = self.taken
            # Whoever does not get it must not clear it, though Xen's bit is written all the same.
            self.taken = was or _caller()
        return bool(was)

    def test_and_clear(self) -> bool | str:
        """Clear it; what was in it."""
        with self.lock:
            was = self.taken
            self.taken = False
        return was

    def release(self) -> None:
        """The calling thread has released the vIRQ.  Enter with the desc.lock of its pIRQ held."""
        self.released = (*self.released, (_caller(), self.taken))

    def is_mine(self, was: bool | str) -> bool:
        """Whether the calling thread might clear what ``was`` there.

        It has set that itself, or released what that was set for.
        """
        me = _caller()
        return was in (True, me) or (me, was) in self.released


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
