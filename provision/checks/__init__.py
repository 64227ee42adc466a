"""Checks: real traffic over every data path, and nothing that passes on silence."""

from provision.checks.registry import CHECKS, GROUPS, Check, select
from provision.checks.result import CLEAN_UP, Figure, Result, Status, require_none_failed
from provision.checks.runner import CheckRun
from provision.traffic.testbed import Target

__all__ = [
    "CHECKS",
    "CLEAN_UP",
    "GROUPS",
    "Check",
    "CheckRun",
    "Figure",
    "Result",
    "Status",
    "Target",
    "require_none_failed",
    "select",
]
