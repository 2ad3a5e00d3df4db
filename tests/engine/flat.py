"""From a block of statements to flat code with jumps, for the enumerator's machine.

Statements, with f a field, l a lock (a, b, or the re-entrant r), c a condition (ca over a, cr over r,
cp over the plain lock p, which anybody may release):
    (read f) (write f v) (inc f) (if f block) (crash f v) (raise f v) (point k) (setv k v)
    (lock l block) (irq l block) (irqsave l block) (try l block) (take l) (release l) (locked l)
    (sem block) (down) (up) (trydown block)
    (rw_read block) (rw_write block) (rw_unread) (rw_unwrite)
    (wait c) (notify c) (notify_all c) (off) (on) (mb)
    (until ge f v) (until and f g) (until or f g) (until unlocked l) (until ref)
    (timed l block) (btaken block) (bdown) (bup n), of a bounded semaphore
    (twait c) (ewait) (etwait) (eset) (eclear) (eis)
    (bwait) (btwait) (babort) (breset) (bbroken) (bwaiting)
    (aload) (astore v) (aadd v) (acas v w)
    (ptake) (ptry) (ptimed) (prelease), of p
    (start c) (join c) (tjoin c) (alive c), of a child c
    (ifseen v block) (crashseen v), on the last value that was recorded: no step of their own
    (some block): just that
"""

from __future__ import annotations

from typing import Any

Block = tuple[Any, ...]
Code = list[tuple[Any, ...]]

FIELDS = ("x", "y", "ref", "v0", "v1", "atom")
LOCKS = ("a", "b", "r", "p")
CONDITIONS = ("ca", "cr", "cp")
PLAIN = LOCKS.index("p")
_ALL = 99
_ATOM = FIELDS.index("atom")


def flat(block: Block, handler: bool, fences: bool, last: str = "") -> Code:
    """The code of one thread, or of a ``handler``; with ``fences`` before what empties store buffers.

    ``last`` is the operation with which it ends, if it has one.
    """
    made = _Flat(fences)
    if handler:
        made.code.append(("interrupt",))
    made.block(block)
    made.end(handler)
    if last:
        made.code.append((last,))
    return made.code


class _Flat:
    """Code in the making; ``exits`` has the way out of each ``with`` around it, outermost first."""

    def __init__(self, fences: bool) -> None:
        self.code: Code = []
        self._fence: Code = [("fence",)] if fences else []
        self._exits: list[Code] = []
        self._raises: list[tuple[int, list[Code]]] = []

    def block(self, block: Block) -> None:
        for kind, *args in block:
            getattr(self, f"_{kind}", self._plain)(kind, *args)

    def end(self, handler: bool) -> None:
        """The end of the code, and the way out of each ``raise``."""
        self.code.append(("jump", None))
        ends = [len(self.code) - 1]
        for at, exits in self._raises:
            self.code[at] = (*self.code[at], len(self.code))
            for way in reversed(exits):
                self.code += way
            self.code += [("failed",), ("jump", None)]
            ends.append(len(self.code) - 1)
        for at in ends:
            self.code[at] = ("jump", len(self.code))
        if handler:
            self.code += [*self._fence, ("return",)]

    # -- statements of one operation

    def _plain(self, kind: str, *args: Any) -> None:
        field = FIELDS.index(args[0]) if args and args[0] in FIELDS else -1
        if kind == "inc":
            self.code += [("fetch", field), ("store_kept", field)]
        elif kind == "write":
            self.code.append(("store", field, args[1]))
        elif kind == "point":
            self.code.append(("store", FIELDS.index("ref"), args[0]))
        elif kind == "setv":
            self.code.append(("store", FIELDS.index(f"v{args[0]}"), args[1]))
        elif kind == "raise":
            self._raises.append((len(self.code), list(self._exits)))
            self.code.append(("raise", field, args[1]))
        elif kind in ("read", "crash"):
            self.code.append((kind, field, *args[1:]))
        elif kind in ("until", "crashseen", "start", "join", "tjoin", "alive"):
            self.code.append((kind, *args))
        elif kind in ("off", "on"):
            self.code.append(("irqs", kind == "on"))
        elif kind == "locked":
            self.code.append((kind, LOCKS.index(args[0])))
        elif kind in ("eis", "bbroken", "bwaiting"):
            self.code.append((kind,))
        elif kind == "aload":
            self.code.append(("read", _ATOM))
        elif kind in ("notify", "notify_all"):
            self.code.append(("notify", CONDITIONS.index(args[0]), 1 if kind == "notify" else _ALL))
        else:
            self._fencing(kind, *args)

    def _fencing(self, kind: str, *args: Any) -> None:
        self.code += self._fence
        if kind in ("bwait", "btwait"):
            at = len(self.code)
            self.code += [(), ("fetch", 0), ("store_kept", 0), *self._fence, ("acted",)]
            self.code[at] = (kind, len(self.code))
        elif kind == "astore":
            self.code.append(("store", _ATOM, args[0]))
        elif kind in (
            "aadd",
            "acas",
            "bup",
            "bdown",
            "ewait",
            "etwait",
            "eset",
            "eclear",
            "babort",
            "breset",
            "ptry",
            "ptimed",
            "prelease",
        ):
            self.code.append((kind, *args))
        elif kind == "ptake":
            self.code.append(("lock", PLAIN))
        elif kind in ("take", "release"):
            self.code.append(("lock" if kind == "take" else "unlock", LOCKS.index(args[0])))
        elif kind in ("wait", "twait"):
            self.code.append((kind, CONDITIONS.index(args[0])))
        elif kind != "mb":
            assert kind in ("down", "up", "rw_unread", "rw_unwrite"), kind
            self.code.append((kind,))

    # -- statements around a block

    def _if(self, kind: str, field: str, block: Block) -> None:
        self._branch(("if", FIELDS.index(field)), block)

    def _some(self, kind: str, block: Block) -> None:
        self.block(block)

    def _ifseen(self, kind: str, value: int, block: Block) -> None:
        self._branch((kind, value), block)

    def _branch(self, operation: tuple[Any, ...], block: Block, after: Code | None = None) -> None:
        at = len(self.code)
        self.code.append(operation)
        self.block(block)
        self.code += after or []
        self.code[at] = (*operation, len(self.code))

    def _with(self, enter: Code, block: Block, leave: Code) -> None:
        self.code += enter
        self._exits.append(leave)
        self.block(block)
        self._exits.pop()
        self.code += leave

    def _lock(self, kind: str, name: str, block: Block) -> None:
        lock = LOCKS.index(name)
        self._with([*self._fence, ("lock", lock)], block, [*self._fence, ("unlock", lock)])

    def _irq(self, kind: str, name: str, block: Block) -> None:
        lock = LOCKS.index(name)
        enter = [("push", kind == "irqsave"), ("irqs", False), *self._fence, ("lock", lock)]
        self._with(enter, block, [*self._fence, ("unlock", lock), ("pop",), ("irqs", True)])

    _irqsave = _irq

    def _sem(self, kind: str, block: Block) -> None:
        self._with([*self._fence, ("down",)], block, [*self._fence, ("up",)])

    def _rw_read(self, kind: str, block: Block) -> None:
        self._with([*self._fence, (kind,)], block, [*self._fence, (kind.replace("_", "_un"),)])

    _rw_write = _rw_read

    def _try(self, kind: str, name: str, block: Block) -> None:
        lock = LOCKS.index(name)
        self.code += self._fence
        self._branch(("try", lock), block, [*self._fence, ("unlock", lock)])

    def _timed(self, kind: str, name: str, block: Block) -> None:
        lock = LOCKS.index(name)
        self.code += self._fence
        self._branch(("timed", lock), block, [*self._fence, ("unlock", lock)])

    def _btaken(self, kind: str, block: Block) -> None:
        self.code += self._fence
        self._branch(("btaken",), block)

    def _trydown(self, kind: str, block: Block) -> None:
        self.code += self._fence
        self._branch(("try_down",), block, [*self._fence, ("up",)])
