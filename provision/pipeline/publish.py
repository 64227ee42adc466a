"""From what the stages of a run left to its report: on the terminal, and where the user wants it."""

from __future__ import annotations

from pathlib import Path

from provision.pipeline.run import Run
from provision.report import RunRecord, make_report, table, write_json, write_junit
from provision.report.model import Artifacts, Attacher


def record(run: Run) -> RunRecord:
    """What is to be told of a run, once its artifacts are known."""
    bundle = run.bundle
    return RunRecord(
        provider=run.provider.name,
        attacher=Attacher(name=run.attacher.name, reason=run.attacher.reason),
        artifacts=Artifacts(
            source=bundle.source, reason=bundle.reason, digest=bundle.digest, versions=dict(bundle.versions)
        ),
        stages=tuple(run.progress.stages),
        results=tuple(run.results),
    )


def publish(run: Run, json: Path | None, junit_file: Path | None) -> None:
    """Print the report as a table and write it where the user wants it."""
    report = make_report(run.lab, record(run))
    run.progress.say(table(report))
    run.directory.reports.mkdir(mode=0o700, exist_ok=True)
    write_json(report, run.directory.reports / "last.json")
    if json:
        write_json(report, json)
    if junit_file:
        write_junit(report, junit_file)
