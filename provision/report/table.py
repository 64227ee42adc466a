"""A report as a table for people: colour on a terminal, plain text elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from provision.checks.result import LIKELY
from provision.core import tables
from provision.core.text import visible
from provision.report.model import CheckLine, Report

_STYLES = {"passed": "green", "failed": "red", "not-applicable": "dim"}
_HEADINGS = ("check", "status", "seconds", "what was found")


def table(report: Report) -> RenderableType:
    """Head line, the checks, and notes; print it with a rich Console, which knows about colours."""
    head = f"Lab '{report.lab}' by {report.provider}, artifacts from {report.artifacts.source}"
    return Group(Text(head), check_table(report.checks), *(Text(note, style="dim") for note in report.notes))


def check_table(checks: Sequence[CheckLine]) -> RenderableType:
    """A row for each check, the sum, and below them what is known of each that failed."""
    rows = [
        (check.name, Text(check.status, _STYLES[check.status]), f"{check.seconds:.1f}", _seen(check))
        for check in checks
    ]
    grid = tables.table(_HEADINGS, rows, numbers=("seconds",), whole=("check", "status"))
    return Group(grid, _sum(checks), *(_evidence(check) for check in checks if check.status == "failed"))


def _sum(checks: Sequence[CheckLine]) -> Text:
    counts = {status: sum(check.status == status for check in checks) for status in _STYLES}
    parts = [f"{count} {status}" for status, count in counts.items() if count]
    good = bool(checks) and not counts["failed"]
    return Text(", ".join(parts) or "No checks ran", style="green" if good else "red")


def _seen(check: CheckLine) -> str:
    """What was found, of a failure without the likely cause: that is told once, with the evidence."""
    return check.reason.partition(LIKELY)[0] if check.status == "failed" else check.reason


def _evidence(check: CheckLine) -> Text:
    """What lies behind a failure: the likely cause, tools' output and the remedy."""
    text = Text.assemble(("✗", "red"), f" {check.name}")
    for line in _told(check):
        text.append(f"\n  {line}", style="dim" if line.startswith("|") else "")
    return text


def _told(check: CheckLine) -> Iterator[str]:
    if cause := check.reason.partition(LIKELY)[2]:
        yield f"likely: {visible(cause)}"
    for passage in check.evidence:
        yield from (f"| {line}" for line in visible(passage).rstrip().split("\n"))
    if check.remedy:
        yield f"remedy: {visible(check.remedy)}"
