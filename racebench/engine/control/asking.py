"""Which thread makes the next step: when the strategy is asked, and for how many steps its answer holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from ...errors import HarnessBug
from ...trace import Op
from ..numbering import Numbers
from .execution import Chooser
from .recorder import StepRecorder
from .task import Task


class Asking(Numbers):
    """The part of the floor that knows which threads can go on and asks the strategy; the floor holder's.

    ``free`` counts down the steps that the thread with the floor makes before the strategy is asked
    again: because no other thread can go on, or because the strategy's last answer holds for ``lent``
    steps.  While a chosen thread has not reached its first step yet, the number is kept in ``waiting``.

    ``draining`` wraps a strategy so that it also performs the steps of store buffers, if the program has
    any; ``always``: the strategy is asked even when only one task can go on.
    ``starter`` is the task that has just started threads, which now run to their first steps.
    """

    __slots__ = (
        "_answer", "_strategy", "always", "draining", "enabled", "ending", "free", "lent", "limit", "many",
        "pick", "recorder", "starter", "tasks", "unstarted", "waiting", "watchers",
    )  # fmt: skip

    log: list[tuple[Task, Op, Any]]
    ending: bool

    def __init__(self) -> None:
        super().__init__()
        self.tasks: list[Task] = []
        self.recorder: StepRecorder | None = None
        self.draining: Callable[[Chooser, bool], Chooser] | None = None

    def prepare_asking(self, limit: int) -> None:
        """Forget the last execution's answers; the new execution may have ``limit`` steps."""
        self.enabled: list[Task] = []
        self.many = False
        self.free = self.lent = self.waiting = 0
        self.limit = limit
        self.watchers: list[Task] = []
        self.unstarted: list[Task] = []
        self.starter: Task | None = None
        self.pick: Callable[[list[Task], Task | None], Task] = _nobody

    def fail(self, me: Task, error: BaseException) -> NoReturn:
        """End the execution from within ``me``, because of ``error``."""
        raise NotImplementedError

    def follow(self, strategy: Chooser, always_ask: bool) -> None:
        """Let ``strategy`` decide who runs; ``always_ask``: ask it even when only one task can go on."""
        self._strategy, self.always = strategy, always_ask
        if self.draining is not None:
            # It is asked at every step, so it need not be informed about the steps of a buffer.
            self._strategy, self.always = self.draining(strategy, always_ask), True
        self.acquaint()

    def acquaint(self) -> None:
        """Inform a strategy that counts threads about threads that no execution has started before."""
        strategy: Any = getattr(self, "_strategy", None)
        while getattr(strategy, "threads", len(self.tasks)) < len(self.tasks):
            strategy.joined()

    def take_over(self, strategy: Chooser) -> None:
        """Follow ``strategy`` from the middle of an execution on."""
        self.ask_again()
        self.follow(strategy, self.always)
        if not self.unstarted:
            self.pick = self.asked()

    def asked(self) -> Callable[[list[Task], Task | None], Task]:
        """Return the function that asks the strategy; of a portfolio, the member that has begun is asked."""
        self._answer: Any = getattr(self._strategy, "member", self._strategy)
        return self._ask if hasattr(self._answer, "stay") else self._strategy.pick

    def _ask(self, enabled: list[Task], current: Task | None) -> Task:
        """Ask a strategy whose answer may hold for several steps."""
        self.ask_again()
        chosen: Task = self._answer.pick(enabled, current)
        if self._answer.stay:
            self.free = self.lent = min(self._answer.stay, self._room())
        return chosen

    def _room(self) -> int:
        """Return how many steps after the next one need nothing but being logged."""
        if self.watchers or self.recorder is not None:
            return 0
        return max(0, self.limit - len(self.log) - 1)

    def ask_again(self) -> None:
        """Ask at the next step, even if the strategy's last answer would hold for more steps."""
        if self.lent:
            self._answer.stay -= self.lent - self.free - self.waiting
            self.lent = 0
        self.free = self.waiting = 0

    def refresh(self) -> None:
        """Compute anew which tasks can run, after readiness changed."""
        self.ask_again()
        self.enabled = enabled = [t for t in self.tasks if t.ready]
        self.many = len(enabled) > 1 or self.always or bool(self.unstarted)
        if enabled and not self.many:
            self.free = self._room()


def _nobody(enabled: list[Task], current: Task | None) -> Task:
    raise HarnessBug("a step was offered outside an execution")
