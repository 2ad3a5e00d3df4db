"""The machine under test: Xen's ARM vGIC and its locking protocols."""

from .domain import Protocol
from .language import OPERATIONS, Initial, Operation, parse_operation, usage
from .program import bench_states, build_program
from .protocols import protocol, protocol_ids
from .protocols.baseline import Baseline

__all__ = [
    "OPERATIONS",
    "Baseline",
    "Initial",
    "Operation",
    "Protocol",
    "bench_states",
    "build_program",
    "parse_operation",
    "protocol",
    "protocol_ids",
    "usage",
]
