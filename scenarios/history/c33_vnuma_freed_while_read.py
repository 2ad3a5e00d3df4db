"""A domain's vNUMA table is freed while a hypercall copies it (Xen 2afa6fea9d, July 2026: XSA-502).

XENMEM_get_vnumainfo looks at d->vnuma under d->vnuma_rwlock to learn its size, drops
the lock to allocate, takes it again, and copies.  domain_kill holds domctl_lock, which
a memory hypercall does not, and frees the table with no other lock; the pointer stays.
A device model that asks while its domain is killed copies freed memory.

before  vnuma_destroy(d->vnuma).
after   vnuma_replace(d, NULL): the pointer goes under the lock, and the table is
        freed after that, when no reader is left inside; and the reader, once it has
        the lock again, looks again whether there is a table.
"""

import racebench as rb

TITLE = "A device model asks for the vNUMA table of a domain that is killed"
SOURCE = "domain.c: domain_kill, memory.c: XENMEM_get_vnumainfo @ 2afa6fea9d"
TAGS = ["history", "domain", "C33"]
EXPECT = {"before": ["crash.freed"], "after": []}

ESRCH, EOPNOTSUPP = 3, 95


class VnumaInfo(rb.State):
    nr_vnodes = rb.shared(2)
    # Evidence, not Xen's: the allocator has the memory back.
    freed = rb.shared(False, atomic=True)

    def label(self):
        return "vnuma"

    def read(self):
        rb.check_that(not self.freed, "crash.freed", "XENMEM_get_vnumainfo reads d->vnuma, which is freed")
        return self.nr_vnodes


class Domain(rb.State):
    vnuma = rb.shared(None)

    def __init__(self):
        self.vnuma_rwlock = rb.RWLock("vnuma_rwlock")
        self.vnuma = VnumaInfo()

    def label(self):
        return "d"

    def domain_kill(self):
        """Under domctl_lock.  Xen: domain.c, domain_kill; domctl.c, vnuma_replace @ 2afa6fea9d."""
        with self.vnuma_rwlock.write():
            old, self.vnuma = self.vnuma, None
        vnuma_destroy(old)

    def gone(self):
        """Whether the table went while the reader had no lock.  Xen: in XENMEM_get_vnumainfo."""
        return self.vnuma is None


class FreedInPlace(Domain):
    def domain_kill(self):
        """Under domctl_lock.  Xen: domain.c, same @ 2afa6fea9d^."""
        vnuma_destroy(self.vnuma)

    def gone(self):
        """Not asked.  Xen: in XENMEM_get_vnumainfo @ 2afa6fea9d^."""
        return False


def vnuma_destroy(vnuma):
    """xfree.  Xen: domctl.c, vnuma_destroy @ 2afa6fea9d."""
    if vnuma is not None:
        vnuma.freed = True


def get_vnumainfo(d):
    """d is RCU-locked: only d itself stays.  Xen: memory.c, XENMEM_get_vnumainfo @ 2afa6fea9d."""
    with d.vnuma_rwlock.read():
        if d.vnuma is None:
            return -EOPNOTSUPP
        nr_vnodes = d.vnuma.read()
    with d.vnuma_rwlock.read():
        if d.gone():
            return -ESRCH
        return min(nr_vnodes, d.vnuma.read())


def variants():
    def program(domain):
        threads = {"device_model": get_vnumainfo, "toolstack": lambda d: d.domain_kill()}
        return rb.Program("vnuma", setup=domain, threads=threads)

    return {"before": program(FreedInPlace), "after": program(Domain)}
