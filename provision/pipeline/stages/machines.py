"""Machines: the lab's hosts, running and reachable by SSH."""

from __future__ import annotations

from provision.pipeline.run import Done, Run


class Machines:
    name = "machines"

    def run(self, run: Run) -> Done:
        run.machines = run.provider.up(run.lab, run.bundle.node_image, run.bundle.path, run.progress.report)
        return Done(", ".join(f"{host.name} {host.address}" for host in run.lab.hosts))

    def plan(self, run: Run) -> str:
        hosts = ", ".join(f"'{host.name}' ({host.role}, {host.address})" for host in run.lab.hosts)
        return f"{'reach' if run.provider.existing else 'start'} by {run.provider.name}: {hosts}"
