"""Who makes the next step: how a strategy is asked, and for how many steps its answer holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from ...errors import HarnessBug
from ...trace import Op
from .execution import Chooser
from .latecomers import Late
from .recorder import StepRecorder
from .task import Task


class Asking(Late):
    """The part of the floor that knows who can go on, and asks which of them does; the floor holder's.

    ``free`` counts down the steps that the thread which has the floor makes before anybody is
    asked: since it is alone, or since the strategy's last answer holds for them, ``lent`` of them.
    They are ``waiting`` while a thread that has been chosen is yet to come to its first step.

    ``draining`` makes of a strategy one that has the steps of store buffers done, if the
    program has any; ``always`` says that it is asked even when only one task can go on.
    ``starter`` has just started threads, which come to their first steps now.
    """

    __slots__ = (
        "_answer", "_strategy", "always", "draining", "enabled", "free", "lent", "limit", "many", "pick",
        "recorder", "starter", "tasks", "unstarted", "waiting", "watchers",
    )  # fmt: skip

    log: list[tuple[Task, Op, Any]]

    def __init__(self) -> None:
        super().__init__()
        self.tasks: list[Task] = []
        self.recorder: StepRecorder | None = None
        self.draining: Callable[[Chooser, bool], Chooser] | None = None

    def prepare_asking(self, limit: int) -> None:
        """Nobody has been asked yet; the execution may have ``limit`` steps."""
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
        """``strategy`` decides who runs; ``always_ask`` has it asked even when only one task can."""
        self._strategy, self.always = strategy, always_ask
        if self.draining is not None:
            # It is asked at every step, so that it never has to be told of a buffer's.
            self._strategy, self.always = self.draining(strategy, always_ask), True
        self.acquaint()

    def acquaint(self) -> None:
        """Tell a strategy that counts threads of those that the program has started for the first time."""
        strategy: Any = getattr(self, "_strategy", None)
        while getattr(strategy, "threads", len(self.tasks)) < len(self.tasks):
            strategy.joined()

    def take_over(self, strategy: Chooser) -> None:
        """As ``follow``, in the middle of an execution."""
        self.ask_again()
        self.follow(strategy, self.always)
        if not self.unstarted:
            self.pick = self.asked()

    def asked(self) -> Callable[[list[Task], Task | None], Task]:
        """How the strategy is asked: by the one of its members that has begun, if it is made of others."""
        self._answer: Any = getattr(self._strategy, "member", self._strategy)
        return self._ask if hasattr(self._answer, "stay") else self._strategy.pick

    def _ask(self, enabled: list[Task], current: Task | None) -> Task:
        """Ask a strategy whose answer may hold for more steps than one."""
        self.ask_again()
        chosen: Task = self._answer.pick(enabled, current)
        if self._answer.stay:
            self.free = self.lent = min(self._answer.stay, self._room())
        return chosen

    def _room(self) -> int:
        """After the next step: how many may be made at which there is nothing to be done but to make them."""
        if self.watchers or self.recorder is not None:
            return 0
        return max(0, self.limit - len(self.log) - 1)

    def ask_again(self) -> None:
        """Ask at the next step, for however many the last answer was."""
        if self.lent:
            self._answer.stay -= self.lent - self.free - self.waiting
            self.lent = 0
        self.free = self.waiting = 0

    def refresh(self) -> None:
        """Recompute who can run after readiness changed."""
        self.ask_again()
        self.enabled = enabled = [t for t in self.tasks if t.ready]
        self.many = len(enabled) > 1 or self.always or bool(self.unstarted)
        if enabled and not self.many:
            self.free = self._room()


def _nobody(enabled: list[Task], current: Task | None) -> Task:
    raise HarnessBug("a step was offered outside an execution")
