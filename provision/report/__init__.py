"""Reports: one run as a table, as JSON and as JUnit XML."""

from __future__ import annotations

from pathlib import Path

from provision.config import Lab
from provision.core.files import write_whole
from provision.pipeline.run import RunState
from provision.report.junit import junit
from provision.report.make import make_report
from provision.report.model import Report, schema
from provision.report.table import table

__all__ = ["Report", "make_report", "publish", "schema", "table", "write_json", "write_junit"]

_READABLE = 0o644  # nothing in a report is secret, and a CI system reads it as another user


def write_json(report: Report, path: Path) -> None:
    """Write the report as JSON, whole or not at all; docs/report.schema.json describes it."""
    write_whole(path, report.model_dump_json(indent=2) + "\n", mode=_READABLE)


def write_junit(report: Report, path: Path) -> None:
    """Write the report as JUnit XML, whole or not at all."""
    write_whole(path, junit(report), mode=_READABLE)


def publish(lab: Lab, state: RunState, json: Path | None, junit_file: Path | None) -> None:
    """Print the report as a table and write it where the user wants it."""
    report = make_report(lab, state)
    state.progress.say(table(report))
    state.directory.reports.mkdir(mode=0o700, exist_ok=True)
    write_json(report, state.directory.reports / "last.json")
    if json:
        write_json(report, json)
    if junit_file:
        write_junit(report, junit_file)
