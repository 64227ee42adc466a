"""Reports: one run as a table, as JSON and as JUnit XML."""

from __future__ import annotations

from pathlib import Path

from provision.core.files import write_whole
from provision.report.junit import junit
from provision.report.make import check_line, make_report
from provision.report.model import Report, schema
from provision.report.record import RunRecord
from provision.report.table import check_table, table

__all__ = [
    "Report",
    "RunRecord",
    "check_line",
    "check_table",
    "make_report",
    "schema",
    "table",
    "write_json",
    "write_junit",
]

_READABLE = 0o644  # nothing in a report is secret, and a CI system reads it as another user


def write_json(report: Report, path: Path) -> None:
    """Write the report as JSON, whole or not at all; docs/report.schema.json describes it."""
    write_whole(path, report.model_dump_json(indent=2) + "\n", mode=_READABLE)


def write_junit(report: Report, path: Path) -> None:
    """Write the report as JUnit XML, whole or not at all."""
    write_whole(path, junit(report), mode=_READABLE)
