"""Artifacts: the binaries and images that the cluster is made of, from the cache or made now."""

from __future__ import annotations

from provision import artifacts
from provision.pipeline.run import Done, Run


class Artifacts:
    name = "artifacts"

    def run(self, run: Run) -> Done:
        run.bundle = artifacts.ensure(run.progress.report, run.provider.images)
        return Done(f"{run.bundle.source}: {run.bundle.reason}")

    def plan(self, run: Run) -> str:
        return artifacts.plan()
