"""Workers of xdist that are lost: a soak outlives the machines that it runs on.

By itself xdist starts another worker at once, in the loop that hears the
others; if that fails, the whole run ends, and so it does after a few crashes.
Here a machine that does not answer is asked again until it does, while the
others take over its work, and no number of crashes that each cost an item
ends the run.  A worker that says nothing long after its item must be over is
ended: its machine has lost power, or it is frozen.

Everything runs in the controller's main thread, one event of xdist's queue at
a time; of the clock's thread it sees only the ticks in that queue.
"""

from __future__ import annotations

import subprocess
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

TICK_S = 1.0
GRACE_S = 30.0
"""How long after its limit an item's worker may still be about to say so."""
PATIENCE_S = 300.0
"""How long a run without a single worker waits for one, if it is not a soak with time left."""
_LONGEST_PAUSE_S = 30.0
_CALL_S = 30.0
_BURY_TICKS = 3
_NEEDED = ("_clone_node", "_active_nodes", "queue", "nodemanager", "report_line", "shuttingdown")

Put = Callable[[tuple[str, dict[str, Any]]], None]


@dataclass(eq=False)
class _Vacancy:
    """The place of a lost worker.  xdist has it among its workers, and so does not end without it."""

    node: Any
    since: float
    due: float
    pause_s: float
    told: bool = False
    call: subprocess.Popen[bytes] | None = None
    called: float = 0.0

    @property
    def where(self) -> str:
        spec = self.node.gateway.spec
        return str(spec.ssh.split()[-1] if spec.ssh else spec.socket or "this machine")


class _Clock:
    """Puts a tick into xdist's queue once a second, never a second one before the first is heard."""

    def __init__(self, put: Put) -> None:
        self._put = put
        self._over = threading.Event()
        self._heard = threading.Event()
        self._heard.set()
        self._thread = threading.Thread(target=self._run, name="racebench-clock", daemon=True)
        self._thread.start()

    def heard(self) -> None:
        self._heard.set()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(TICK_S):
            if self._heard.is_set():
                self._heard.clear()
                self._put(("race_tick", {}))


class Workers:
    """Fills the places of lost workers, and finds those that are lost without a word.

    ``left_s`` is what is left of the soak, None if this is not one;
    ``seconds`` a clock.
    """

    def __init__(self, xdist: Any, left_s: Callable[[], float | None], seconds: Callable[[], float]) -> None:
        self._xdist, self._left_s, self._seconds = xdist, left_s, seconds
        self._last = seconds()
        # Stops while the whole session is stopped, by Ctrl-Z say: nobody was silent then.
        self._now = 0.0
        self._vacancies: list[_Vacancy] = []
        self._good = {n.gateway.id: n for n in xdist._active_nodes if hasattr(n, "workerinfo")}
        self._failed_starts: Counter[str] = Counter()
        self._dead: Counter[Any] = Counter()
        self._until: dict[Any, tuple[str, float]] = {}
        self.silent: set[str] = set()
        """The ids of items whose workers were ended because they said nothing."""
        self._clone = xdist._clone_node
        xdist._clone_node = self._replace
        xdist.worker_race_tick = self._tick
        if xdist.config.getoption("maxworkerrestart", None) is None:
            xdist._max_worker_restart = None
        self._clock = _Clock(xdist.queue.put)

    @staticmethod
    def can_mind(xdist: Any) -> bool:
        """Whether this xdist has what it takes; otherwise it is left alone."""
        return all(hasattr(xdist, name) for name in _NEEDED)

    def stop(self) -> None:
        self._clock.stop()
        for vacancy in self._vacancies:
            if vacancy.call is not None:
                vacancy.call.kill()
                vacancy.call.wait()

    # -- what workers tell

    def ready(self, node: Any) -> None:
        """``node`` has collected its items, and works from now on."""
        self._good[node.gateway.id] = node
        self._failed_starts[str(node.gateway.spec)] = 0

    def begun(self, node: Any, item: str, limit_s: float | None) -> None:
        """``node`` runs ``item``, and says so or is gone after ``limit_s``."""
        if limit_s is not None:
            self._until[node] = item, self._now + limit_s + GRACE_S

    def over(self, node: Any) -> None:
        """``node`` has ended its item."""
        self._until.pop(node, None)

    # -- in xdist's loop

    def _replace(self, node: Any) -> None:
        """In place of xdist's own: another worker like ``node``, which is lost, now or later."""
        self._until.pop(node, None)
        spec = node.gateway.spec
        pause_s = 0.0
        if self._good.pop(node.gateway.id, None) is None:
            self._failed_starts[str(spec)] += 1
            pause_s = _pause(self._failed_starts[str(spec)])
        vacancy = _Vacancy(node, self._now, self._now + pause_s, max(1.0, pause_s))
        if pause_s or _must_call(spec):
            self._keep_open(vacancy)
        else:
            self._fill(vacancy)

    def _keep_open(self, vacancy: _Vacancy) -> None:
        self._vacancies.append(vacancy)
        self._xdist._active_nodes.add(vacancy)

    def _close(self, vacancy: _Vacancy) -> None:
        self._vacancies.remove(vacancy)
        self._xdist._active_nodes.discard(vacancy)

    def _fill(self, vacancy: _Vacancy) -> None:
        """Start a worker where the lost one was; if that fails, its place stays open."""
        # A machine that comes back may have lost the files that it was sent.
        sent: set[Any] = getattr(self._xdist.nodemanager, "_rsynced_specs", set())
        sent.difference_update([entry for entry in sent if entry[0] == vacancy.node.gateway.spec])
        try:
            self._clone(vacancy.node)
        except Exception as error:  # whatever keeps a worker from starting may be over next time
            self._failed(vacancy, f"{type(error).__name__} {error}".strip())
            self._keep_open(vacancy)
            return
        if vacancy.told:
            self._xdist.report_line(f"\n{vacancy.where} answers again, and is at work again")

    def _fill_elsewhere(self, vacancy: _Vacancy) -> None:
        """Start one where another worker has done its work, this machine before others."""
        for node in sorted(self._good.values(), key=lambda node: not node.gateway.spec.popen):
            try:
                self._clone(node)
            except Exception:  # this one is gone too, and will be found lost by itself
                continue
            self._close(vacancy)
            return

    def _failed(self, vacancy: _Vacancy, why: str) -> None:
        if not vacancy.told:
            vacancy.told = True
            self._xdist.report_line(
                f"\n{vacancy.where}: no worker can be started ({why}); tried again until it can be, "
                "the others go on"
            )
        vacancy.pause_s = min(2 * vacancy.pause_s, _LONGEST_PAUSE_S)
        vacancy.due = self._now + vacancy.pause_s

    def _tick(self) -> None:
        self._clock.heard()
        now = self._seconds()
        self._now += min(now - self._last, 5 * TICK_S)
        self._last = now
        for node, (item, until) in list(self._until.items()):
            if self._now > until:
                del self._until[node]
                self.silent.add(item)
                _end(node)
        for node in list(self._xdist._active_nodes):
            if not isinstance(node, _Vacancy):
                self._bury(node)
        for vacancy in list(self._vacancies):
            self._look(vacancy)

    def _bury(self, node: Any) -> None:
        """The process of ``node`` is gone, but a child that it has left behind holds its pipe.

        So nobody hears of it; what it said before is still on its way for a moment.
        """
        process = getattr(getattr(node.gateway, "_io", None), "popen", None)
        if process is None or process.poll() is None:
            return
        self._dead[node] += 1
        if self._dead[node] == _BURY_TICKS and not getattr(node, "_down", True):
            # As its receiver does when the pipe ends; should that come later, it finds it done.
            node._down = True
            self._xdist.queue.put(("errordown", {"node": node, "error": "Not properly terminated"}))

    def _look(self, vacancy: _Vacancy) -> None:
        others = [node for node in self._xdist._active_nodes if not isinstance(node, _Vacancy)]
        # xdist gives no more to a worker that it has told to end.
        takers = any(not node.shutting_down for node in others)
        left_s = self._left_s()
        if self._xdist.shuttingdown or (takers and left_s is not None and left_s <= 0):
            self._close(vacancy)
        elif not others and not left_s and self._now - vacancy.since > PATIENCE_S:
            self._close(vacancy)
            self._xdist.shouldstop = f"no worker is left, and none can be started on {vacancy.where}"
        elif self._answers(vacancy):
            self._close(vacancy)
            self._fill(vacancy)
        elif vacancy.told and not takers:
            self._fill_elsewhere(vacancy)

    def _answers(self, vacancy: _Vacancy) -> bool:
        """Whether it is time to start a worker, and its machine lets it be started."""
        spec = vacancy.node.gateway.spec
        if vacancy.call is None:
            if self._now < vacancy.due:
                return False
            if not _must_call(spec):
                return True
            try:
                vacancy.call, vacancy.called = _call(spec), self._now
            except OSError as error:
                self._failed(vacancy, str(error))
            return False
        status = vacancy.call.poll()
        if status is None:
            if self._now - vacancy.called < _CALL_S:
                return False
            vacancy.call.kill()
            vacancy.call.wait()
        vacancy.call = None
        if status != 0:
            self._failed(vacancy, "no answer" if status is None else f"ssh: exit status {status}")
        return status == 0


def _pause(failures: int) -> float:
    """Seconds before the next try, after so many in a row that came to nothing."""
    return float(min(2 ** min(failures - 1, 10), _LONGEST_PAUSE_S))


def _must_call(spec: Any) -> bool:
    """Whether to start a worker may take minutes, if the machine is down: it is asked first, aside."""
    return bool(spec.ssh) and not spec.via


def _call(spec: Any) -> subprocess.Popen[bytes]:
    """Ask the machine of ``spec`` for its Python, and for nothing else."""
    config = [] if spec.ssh_config is None else ["-F", str(spec.ssh_config)]
    options = ["-oBatchMode=yes", "-oConnectTimeout=10"]
    return subprocess.Popen(
        ["ssh", *config, *options, *spec.ssh.split(), f"{spec.python or 'python'} -c 0"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _end(node: Any) -> None:
    """Cut the connection; xdist then finds the worker lost, in its own order of events."""
    io = getattr(node.gateway, "_io", None)
    if node.gateway.spec.socket:
        io.close_read()  # type: ignore[union-attr]
    elif io is not None:
        io.kill()
