"""A report as a table for people: colour on a terminal, plain text elsewhere."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from provision.core.text import visible
from provision.report.model import Report

_STYLES = {"passed": "green", "failed": "red", "not-applicable": "dim"}


def table(report: Report) -> RenderableType:
    """Head line, a row for each check, and the sum; print it with a rich Console, which knows about colours."""
    grid = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("check", "status"):
        grid.add_column(heading, no_wrap=True)
    grid.add_column("seconds", justify="right", no_wrap=True)
    grid.add_column("what was found", overflow="fold")
    for check in report.checks:
        status = Text(check.status, style=_STYLES[check.status])
        grid.add_row(Text(check.name), status, f"{check.seconds:.1f}", Text(visible(check.reason)))
    return Group(Text(_head(report)), grid, _sum(report), *(Text(note, style="dim") for note in report.notes))


def _head(report: Report) -> str:
    return (
        f"Lab '{report.lab}' by {report.provider}, attacher {report.attacher.name} ({report.attacher.reason}),"
        f" artifacts from {report.artifacts.source}"
    )


def _sum(report: Report) -> Text:
    def count(status: str) -> int:
        return sum(check.status == status for check in report.checks)

    parts = [f"{count(status)} {status}" for status in _STYLES if count(status)]
    return Text(", ".join(parts) or "no checks ran", style="green" if report.passed else "red")
