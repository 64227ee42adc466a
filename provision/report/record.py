"""What a run leaves to report on."""

from __future__ import annotations

from dataclasses import dataclass

from provision.checks.result import Result
from provision.core.progress import StageLine
from provision.report.model import Artifacts, Attacher


@dataclass(frozen=True)
class RunRecord:
    """One run, made by the pipeline: who provided, what attached, of what it was made, its stages and its results."""

    provider: str
    attacher: Attacher
    artifacts: Artifacts
    stages: tuple[StageLine, ...]
    results: tuple[Result, ...]
