"""The name of an object that was given none: the attribute in which the program stores it.

The bytecode that creates the object shows the attribute.  So it is found when the object is
made, once for each place in the code: there is no search through the state, and each
execution finds the same.  An object that goes elsewhere first (a variable, a list) has no
such attribute.
"""

from __future__ import annotations

import dis
import functools
import sys
from types import CodeType, FrameType
from typing import Any

_PACKAGE = __name__.partition(".")[0]
_OWN = (f"{_PACKAGE}.primitives", f"{_PACKAGE}.engine")
_FURTHEST = 100
_RETURNED = ""
"""The code returns the object: continue in its caller."""

_PUSH = ("LOAD_FAST", "LOAD_CONST", "LOAD_SMALL_INT", "LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF", "PUSH_NULL")
_NOTHING = {"PRECALL", "KW_NAMES", "NOP", "CACHE", "EXTENDED_ARG", "NOT_TAKEN"}
_CALLED_WITH = {"CALL": 2, "CALL_KW": 3}
"""Values that a call takes off the stack besides its arguments."""
_POPS = {
    **{"POP_TOP": 1, "STORE_FAST": 1, "STORE_NAME": 1, "STORE_GLOBAL": 1, "STORE_DEREF": 1},
    **{"STORE_FAST_LOAD_FAST": 1, "STORE_FAST_STORE_FAST": 2, "STORE_ATTR": 2, "STORE_SUBSCR": 3},
    **{"LOAD_ATTR": 1, "LOAD_METHOD": 1},
}


def attribute_of(obj: Any) -> str | None:
    """The attribute in which the code that is creating ``obj`` stores it; None if there is none."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if not frame.f_globals.get("__name__", "").startswith(_OWN):
            code = frame.f_code
            found = _stored(code, frame.f_lasti)
            # This is the ``__init__`` of a derived class of the program: continue in the code that made it.
            derived = found is None and code.co_name == "__init__" and _self_in(frame) is obj
            if found != _RETURNED and not derived:
                return found
        frame = frame.f_back
    return None


def _self_in(frame: FrameType) -> Any:
    names = frame.f_code.co_varnames
    return frame.f_locals.get(names[0]) if names else None


@functools.lru_cache(maxsize=4096)
def _stored(code: CodeType, lasti: int) -> str | None:
    """The name of the attribute in which ``code`` stores the result of the call at ``lasti``.

    Follows the value on the stack until it is stored: ``depths`` are the possible numbers of
    values on top of it.
    """
    ahead = [one for one in dis.get_instructions(code) if one.offset > lasti]
    depths, at = {0}, 0
    for _ in range(_FURTHEST):
        if at >= len(ahead) or not depths:
            return None
        one, at = ahead[at], at + 1
        n: int = one.arg or 0
        if one.opname == "STORE_ATTR" and 1 in depths:
            return str(one.argval)
        if one.opname == "RETURN_VALUE":
            return _RETURNED if 0 in depths else None
        if one.opname == "JUMP_FORWARD":
            at = next(i for i, other in enumerate(ahead) if other.offset >= one.argval)
        elif one.opname == "SWAP":
            depths = {n - 1 if d == 0 else 0 if d == n - 1 else d for d in depths}
        elif one.opname == "COPY":
            depths = {d + 1 for d in depths} | ({0} if n - 1 in depths else set())
        elif one.opname == "BUILD_TUPLE" and (ahead[at].opname, ahead[at].arg) == ("UNPACK_SEQUENCE", n):
            depths, at = {n - 1 - d if d < n else d for d in depths}, at + 1
        else:
            pops = _taken(one)
            if pops is None:
                return None
            depths = {d - pops + _put(one, pops) for d in depths if d >= pops}
    return None


def _taken(one: dis.Instruction) -> int | None:
    """How many values ``one`` takes off the stack; None if it may do anything."""
    if one.opname in _CALLED_WITH:
        return _CALLED_WITH[one.opname] + (one.arg or 0)
    if one.opname in _NOTHING or (one.opname.startswith(_PUSH) and one.opname not in _POPS):
        return 0
    return _POPS.get(one.opname)


def _put(one: dis.Instruction, taken: int) -> int:
    """How many values ``one`` then puts on the stack."""
    if one.opname in _NOTHING or one.opname in _CALLED_WITH:
        return int(one.opname in _CALLED_WITH)
    return taken + dis.stack_effect(one.opcode, one.arg)
