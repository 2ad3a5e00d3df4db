"""A reader under rcu_read_lock runs the very callback that it holds back (Xen cef21210fb, March 2020).

'q' on the console: dump_domains goes through the list of domains under
rcu_read_lock, for long, and calls process_pending_softirqs on the way.  One of the
softirqs is RCU's:

    CPU 0, dump_domains                      CPU 1, domain_destroy
    rcu_read_lock; takes domain 1
                                             domain 1 off the list; call_rcu
    process_pending_softirqs: a quiescent
    state; complete_domain_destroy frees
    domain 1
    reads what is no longer there

rcu_read_lock raises preempt_count, and that is all it does in Xen.  The fix has
process_pending_softirqs leave RCU's softirq alone while preempt_count is not zero.

Unlike Xen, callbacks have one queue, which CPU 0 works off: the grace period lasts
until CPU 0 says that it is quiescent, which is what its softirq says.
"""

import racebench as rb

TITLE = "A domain dies while the console dumps all domains"
SOURCE = "softirq.c: process_pending_softirqs @ cef21210fb"
TAGS = ["history", "rcu", "C27"]
EXPECT = {"before": ["crash.freed"], "after": []}


class Domain(rb.State):
    # Evidence, not Xen's: the allocator has the memory back.
    freed = rb.shared(False, atomic=True)

    def label(self):
        return "domain[1]"


class Xen(rb.State):
    domain_list = rb.shared(None, atomic=True)
    rcu_callbacks = rb.shared((), atomic=True)
    # Of CPU 0.
    preempt_count = rb.shared(0)

    def __init__(self):
        self.domain_list = Domain()

    def label(self):
        return "xen"

    def process_pending_softirqs(self):
        """On CPU 0.  Xen: softirq.c, same @ cef21210fb."""
        if not self.preempt_count:
            self.rcu_process_callbacks()

    def rcu_process_callbacks(self):
        """CPU 0 is quiescent, so the grace period is over.  Xen: rcupdate.c, same @ cef21210fb."""
        for d in self.rcu_callbacks:
            self.rcu_callbacks = ()
            complete_domain_destroy(d)


class AnySoftirq(Xen):
    def process_pending_softirqs(self):
        """Xen: softirq.c, same @ cef21210fb^."""
        self.rcu_process_callbacks()


def dump_domains(xen):
    """The 'q' key.  Xen: keyhandler.c, dump_domains @ cef21210fb."""
    xen.preempt_count += 1
    d = xen.domain_list
    if d is not None:
        xen.process_pending_softirqs()
        rb.check_that(not d.freed, "crash.freed", "dump_domains reads domain 1, whose memory is freed")
    xen.preempt_count -= 1


def console(xen):
    """Then CPU 0 is idle, and does its softirqs.  Xen: softirq.c, do_softirq @ cef21210fb."""
    dump_domains(xen)
    xen.process_pending_softirqs()


def domain_destroy(xen):
    """The last reference is gone.  Xen: domain.c, domain_destroy @ cef21210fb."""
    d, xen.domain_list = xen.domain_list, None
    xen.rcu_callbacks = (d,)


def complete_domain_destroy(d):
    """Xen: domain.c, complete_domain_destroy @ cef21210fb."""
    d.freed = True


def variants():
    def program(state):
        threads = {"cpu0": console, "cpu1": domain_destroy}
        return rb.Program("rcu_callback", setup=state, threads=threads)

    return {"before": program(AnySoftirq), "after": program(Xen)}
