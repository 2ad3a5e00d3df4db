"""The machine under test: Xen's ARM vGIC and its locking protocols."""

from .bench import bench_states
from .callers import reach
from .domain import Protocol
from .hammer import Mix, build_hammer
from .language import OPERATIONS, Initial, LineAtStart, Operation, parse_operation, usage
from .program import build_program, written_program
from .protocols import protocol, protocol_ids
from .protocols.baseline import Baseline

__all__ = [
    "OPERATIONS",
    "Baseline",
    "Initial",
    "LineAtStart",
    "Mix",
    "Operation",
    "Protocol",
    "bench_states",
    "build_hammer",
    "build_program",
    "parse_operation",
    "protocol",
    "protocol_ids",
    "reach",
    "usage",
    "written_program",
]
