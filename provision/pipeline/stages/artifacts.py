"""Artifacts: the binaries and images that the cluster is made of, from the cache or made now."""

from __future__ import annotations

from provision import artifacts
from provision.config import Lab
from provision.pipeline.run import RunState
from provision.providers.podman.cli import Podman


class Artifacts:
    name = "artifacts"

    def run(self, lab: Lab, state: RunState) -> str:
        state.bundle = artifacts.ensure(state.progress.report, Podman())
        return f"{state.bundle.source}: {state.bundle.reason}"

    def plan(self, lab: Lab, state: RunState) -> str:
        return artifacts.plan()
