"""Machines: the lab's hosts, running and reachable by SSH."""

from __future__ import annotations

from provision.config import Lab
from provision.core.errors import HostError
from provision.pipeline.run import RunState


class Machines:
    name = "machines"

    def run(self, lab: Lab, state: RunState) -> str:
        if state.bundle is None:
            raise HostError("The stage 'machines' ran before the stage 'artifacts'")
        bundle = state.bundle
        state.machines = state.provider.up(lab, bundle.node_image, bundle.path, state.progress.report)
        return ", ".join(f"{host.name} {host.address}" for host in lab.hosts)

    def plan(self, lab: Lab, state: RunState) -> str:
        hosts = ", ".join(f"'{host.name}' ({host.role}, {host.address})" for host in lab.hosts)
        return f"{'reach' if state.provider.existing else 'start'} by {state.provider.name}: {hosts}"
