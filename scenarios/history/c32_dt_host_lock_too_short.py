"""A device tree overlay uses its node without dt_host_lock (Xen bba4eb88fd, May 2024).

dt_host_lock keeps the nodes of the host's device tree where they are.  Removal of an
overlay takes it only after it has taken the node's device from the IOMMU; addition
drops it between linking the node in and handing its device to the IOMMU.  Both
functions of the IOMMU assert that somebody holds it.

before      remove_nodes: lock, remove the node, unlock, all after
            remove_node_resources.
before_add  add_nodes: unlocked before handle_device.
after, after_add
            One critical section for both.

rw_is_locked does not ask who holds it: beside a toolstack that assigns a device, and
holds dt_host_lock as a reader, the assertion may pass by luck.

Unlike Xen, there is one node, and the IOMMU knows it or does not.
"""

from contextlib import contextmanager

import racebench as rb

TITLE = "An overlay goes, or comes, while a toolstack assigns a device"
SOURCE = "dt-overlay.c: remove_nodes, add_nodes @ bba4eb88fd"
TAGS = ["history", "overlay", "C32"]
EXPECT = {"before": ["crash.assertion"], "before_add": ["crash.assertion"], "after": [], "after_add": []}


class Host(rb.State):
    """The device tree, and what the IOMMU has of it."""

    node = rb.shared("overlay_node")
    is_protected = rb.shared(True)
    assigned = rb.shared(False)
    # What rw_is_locked reads in the lock word: a writer has the lock, a reader has it.
    written = rb.shared(False, atomic=True)
    read = rb.shared(False, atomic=True)

    def __init__(self):
        self.dt_host_lock = rb.RWLock("dt_host_lock")
        self.dtdevs_lock = rb.Lock("dtdevs_lock")

    def label(self):
        return "dt_host"

    @contextmanager
    def write_lock(self):
        """dt_host_lock."""
        with self.dt_host_lock.write():
            self.written = True
            yield
            self.written = False

    @contextmanager
    def read_lock(self):
        """dt_host_lock, shared."""
        with self.dt_host_lock.read():
            self.read = True
            yield
            self.read = False

    def assert_locked(self, function):
        rb.check_that(
            self.written or self.read,
            "crash.assertion",
            f"{function}: rw_is_locked(&dt_host_lock) is false",
        )


def iommu_remove_dt_device(host):
    """False: it is in use.  Xen: passthrough/device_tree.c, iommu_remove_dt_device @ bba4eb88fd."""
    host.assert_locked("iommu_remove_dt_device")
    with host.dtdevs_lock:
        if host.assigned:
            return False
        host.is_protected = False
    return True


def iommu_add_dt_device(host):
    """Xen: passthrough/device_tree.c, iommu_add_dt_device @ bba4eb88fd."""
    host.assert_locked("iommu_add_dt_device")
    with host.dtdevs_lock:
        host.is_protected = True


def iommu_do_dt_domctl(host):
    """The toolstack assigns the device.  Xen: passthrough/device_tree.c, iommu_do_dt_domctl @ bba4eb88fd."""
    with host.read_lock():
        if host.node is not None:
            with host.dtdevs_lock:
                host.assigned = host.is_protected


def remove_nodes(host):
    """Xen: dt-overlay.c, remove_nodes, remove_node_resources @ bba4eb88fd."""
    with host.write_lock():
        if iommu_remove_dt_device(host):
            host.node = None


def remove_nodes_locked_late(host):
    """Xen: dt-overlay.c, remove_nodes, remove_node_resources @ bba4eb88fd^."""
    if iommu_remove_dt_device(host):
        with host.write_lock():
            host.node = None


def add_nodes(host):
    """Xen: dt-overlay.c, add_nodes; device.c, handle_device @ bba4eb88fd."""
    with host.write_lock():
        host.node = "overlay_node"
        iommu_add_dt_device(host)


def add_nodes_unlocked_early(host):
    """Xen: dt-overlay.c, add_nodes; device.c, handle_device @ bba4eb88fd^."""
    with host.write_lock():
        host.node = "overlay_node"
    iommu_add_dt_device(host)


def without_overlay():
    host = Host()
    host.node, host.is_protected = None, False
    return host


def variants():
    def program(setup, overlay):
        threads = {"overlay": overlay, "toolstack": iommu_do_dt_domctl}
        return rb.Program("dt_overlay", setup=setup, threads=threads)

    return {
        "before": program(Host, remove_nodes_locked_late),
        "before_add": program(without_overlay, add_nodes_unlocked_early),
        "after": program(Host, remove_nodes),
        "after_add": program(without_overlay, add_nodes),
    }
