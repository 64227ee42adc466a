"""Departures: hosts that lab.yml no longer has leave, nodes after what ran on them has gone elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

from provision.cluster.api import Kube, KubeError
from provision.core.errors import HostError
from provision.core.text import named
from provision.hosts.remote import Remote, Remotes
from provision.pipeline.run import Done, Run

_DRAIN_SECONDS = 120
_KUBECTL = ["kubectl", "--kubeconfig=/etc/kubernetes/admin.conf"]


class Departures:
    name = "departures"

    def run(self, run: Run) -> Done:
        """Raises CommandError where a node cannot be drained: it is then still one, and nothing was removed."""
        lab, provider = run.lab, run.provider
        machines = provider.machines(lab) if run.directory.kubeconfig.exists() else []
        nodes = _strangers(run) if any(one.name == lab.control_plane.name for one in machines) else {}
        if nodes:
            with Remotes(machines) as remotes:
                for name, ready in nodes.items():
                    run.progress.report(f"Host '{name}' leaves the cluster")
                    _take_out(remotes.get(lab.control_plane.name), name, drain=ready)
        left = provider.left(lab)
        if left:
            provider.remove(lab, left)
        gone = sorted({*left, *nodes})
        return Done(f"removed {named(gone)}" if gone else "none", bool(gone))

    def plan(self, run: Run) -> str:
        return "drain and remove nodes and hosts that lab.yml no longer has"


def _strangers(run: Run) -> dict[str, bool]:
    """The cluster's nodes that are not the lab's, and whether each is ready; none where the API server is silent."""
    names = {host.name for host in run.lab.nodes}
    try:
        found = Kube(run.directory.kubeconfig).nodes()
    except (KubeError, HostError):
        return {}  # of a cluster that is down; role kubernetes forgets them once it is up
    return {node.name: node.ready for node in found if node.name not in names}


def _take_out(control_plane: Remote, name: str, *, drain: bool) -> None:
    """Drain the node `name`, unless its kubelet would not notice, and delete it."""
    steps: list[Sequence[str]] = [["delete", "node", name, "--ignore-not-found", "--timeout=60s"]]
    if drain:
        words = ["--ignore-daemonsets", "--delete-emptydir-data", "--force", f"--timeout={_DRAIN_SECONDS}s"]
        steps.insert(0, ["drain", name, *words])
    for step in steps:
        control_plane.run([*_KUBECTL, *step], _DRAIN_SECONDS + 60)
