"""Routing and removal beside a running guest: forbidden, half allowed again (Xen b857754723, 1c77496bc8).

A toolstack thread routes vIRQ 40 and takes vIRQ 41 back, while the guest writes
ISENABLER for both.

before      Both go on at any time.  vgic_enable_irqs reads p->desc without its
            lock.  As soon as vgic_connect_hw_irq has set it, and before the
            handler is set, irq_set_affinity calls through the NULL of the none
            handler.  And release holds desc->lock and wants the rank lock, while
            ISENABLER holds the rank lock and wants desc->lock.
after       b857754723 (2018): -EBUSY once creation_finished for a route, unless
            is_dying for a release.  Its message argues with virtual and physical
            state that are never synchronised; the races end with it.
route_again 1c77496bc8 (2024): device tree overlays route to a running guest, so
            the first half goes.  A vIRQ that is VISIBLE or ACTIVE is refused, but
            nothing is done about one that is being enabled: the call through NULL
            is back.  What holds still: no release, hence no deadlock.

Unlike Xen, vgic_connect_hw_irq has the assertion that it got in 2019 (C19).
"""

from racebench.vgic import Initial, protocol, written_program

TITLE = "A toolstack thread routes vIRQ 40 and releases vIRQ 41, while the guest enables both"
SOURCE = "gic.c: gic_route_irq_to_guest, gic_remove_irq_from_guest @ b857754723, 1c77496bc8"
TAGS = ["history", "routing", "guard", "C20"]
EXPECT = {
    "before": ["crash.null_handler", "data_race", "deadlock.cycle", "lock_order.inversion"],
    "after": [],
    "route_again": ["crash.null_handler", "data_race", "lock_order.inversion"],
}

RUNNING = Initial(routed=((41, 65, False),))
THREADS = {"toolstack": ["route virq=40 pirq=64", "release virq=41"], "vcpu0": ["isenabler virq=[40,41]"]}


def variants():
    def program(name):
        return written_program("routing_a_running_guest", RUNNING, THREADS, protocol(name))

    return {
        "before": program("connect_hw_irq"),
        "after": program("creation_guard"),
        "route_again": program("route_while_running"),
    }
