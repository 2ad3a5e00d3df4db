"""The stored form of a run: Run, Cell, ModeResult and FindingRecord, to JSON and back.

Reading checks everything once, here: users of a record need not check it again.
Unknown keys are ignored; a value that is not of the shape that RaceBench writes
is a ResultError that names the file and the key.  Nothing here runs code or
opens a file.
"""

from .cell import Cell, did
from .encoding import SCHEMA, VERSION, check_schema
from .finding import FindingRecord, better
from .modes import MODES, Counts, ModeResult
from .run import Progress, Run, StoredRun
from .schema import finding_schema, run_schema

__all__ = [
    "MODES",
    "SCHEMA",
    "VERSION",
    "Cell",
    "Counts",
    "FindingRecord",
    "ModeResult",
    "Progress",
    "Run",
    "StoredRun",
    "better",
    "check_schema",
    "did",
    "finding_schema",
    "run_schema",
]
