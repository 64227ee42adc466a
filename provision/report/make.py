"""Making a report from the record of a run."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from provision.checks.result import Result
from provision.config import Lab
from provision.multicast.macvlan import SHARED
from provision.report.model import CheckLine, FigureLine, HostLine, Report, StageTime
from provision.report.record import RunRecord


def make_report(lab: Lab, record: RunRecord) -> Report:
    """The report of a run."""
    checks = tuple(check_line(result) for result in record.results)
    stages = record.stages
    ages = [time.monotonic() - stage.started for stage in stages] + [result.seconds for result in record.results]
    started = datetime.now(UTC) - timedelta(seconds=max(ages, default=0.0))
    return Report(
        lab=lab.name,
        provider=record.provider,
        started=started.isoformat(timespec="seconds"),
        passed=bool(checks) and not any(check.status == "failed" for check in checks),
        attacher=record.attacher,
        artifacts=record.artifacts,
        hosts=tuple(
            HostLine(
                name=host.name,
                role=host.role,
                address=str(host.address),
                address6=str(host.address6) if host.address6 else None,
            )
            for host in lab.hosts
        ),
        # A stage without a mark still runs: the report is made inside it.
        stages=tuple(
            StageTime(name=line.name, succeeded=line.mark == "✓", seconds=round(line.seconds, 2), summary=line.summary)
            for line in stages
            if line.mark
        ),
        checks=checks,
        notes=notes(lab),
    )


def notes(lab: Lab) -> tuple[str, ...]:
    """What holds for the lab whatever the checks say."""
    shared = [network.name for network in lab.networks if network.type == "macvlan"]
    return (f"{SHARED} {', '.join(shared)}",) if shared else ()


def check_line(result: Result) -> CheckLine:
    """A check's result as it stands in the report."""
    return CheckLine(
        name=result.name,
        status=result.status,
        reason=result.reason,
        figures=tuple(FigureLine(name=item.name, value=item.value, unit=item.unit) for item in result.figures),
        evidence=result.evidence,
        remedy=result.remedy,
        seconds=round(result.seconds, 2),
    )
