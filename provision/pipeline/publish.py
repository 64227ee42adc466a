"""From what the stages of a run left to its report: on the terminal, and where the user wants it."""

from __future__ import annotations

from pathlib import Path

from provision.config import Lab
from provision.core.errors import HostError
from provision.pipeline.run import RunState
from provision.report import RunRecord, make_report, table, write_json, write_junit
from provision.report.model import Artifacts, Attacher


def record(lab: Lab, state: RunState) -> RunRecord:
    """The record of the run that `state` belongs to; raises HostError before the artifacts are known."""
    bundle = state.bundle
    if bundle is None:
        raise HostError("A report was asked for before the stage 'artifacts'")
    return RunRecord(
        provider=state.provider.name,
        attacher=Attacher(name=state.attacher.name, reason=state.attacher.reason),
        artifacts=Artifacts(
            source=bundle.source, reason=bundle.reason, digest=bundle.digest, versions=dict(bundle.versions)
        ),
        stages=tuple(state.progress.stages),
        results=tuple(state.results),
    )


def publish(lab: Lab, state: RunState, json: Path | None, junit_file: Path | None) -> None:
    """Print the report as a table and write it where the user wants it."""
    report = make_report(lab, record(lab, state))
    state.progress.say(table(report))
    state.directory.reports.mkdir(mode=0o700, exist_ok=True)
    write_json(report, state.directory.reports / "last.json")
    if json:
        write_json(report, json)
    if junit_file:
        write_junit(report, junit_file)
