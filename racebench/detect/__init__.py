"""Detectors: from one recorded execution to alarms.  One file each.

A module here with a function ``detect(execution) -> list[Alarm]`` is a
detector; nothing else needs to be edited.  Detectors are pure: they keep no
state between executions, start no thread and print nothing.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping

from ..findings import Alarm
from ..trace import Execution

Detector = Callable[[Execution], list[Alarm]]


def discover() -> dict[str, Detector]:
    """The detector of each module here, by the module's name."""
    found: dict[str, Detector] = {}
    for module in pkgutil.iter_modules(__path__):
        detector = getattr(importlib.import_module(f"{__name__}.{module.name}"), "detect", None)
        if detector is not None:
            found[module.name] = detector
    return dict(sorted(found.items()))


DETECTORS: Mapping[str, Detector] = discover()


def detect(execution: Execution) -> list[Alarm]:
    """The alarms of every detector."""
    return [alarm for detector in DETECTORS.values() for alarm in detector(execution)]
