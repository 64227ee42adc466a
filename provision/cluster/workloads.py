"""The DaemonSets and Deployments of a cluster: what is there, what of it runs, and what its containers are told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from provision.cluster.api import Kube, Object

_KINDS = (("DaemonSet", "daemonsets"), ("Deployment", "deployments"))


@dataclass(frozen=True)
class Workload:
    """One workload and how many of its pods are ready and wanted; `containers` are those of its pod template."""

    kind: str
    namespace: str
    name: str
    ready: int
    wanted: int
    containers: tuple[Object, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name} has {self.ready} of {self.wanted} pods ready"

    def words(self) -> Iterator[str]:
        """Everything that its containers' command lines hold, scripts included, as words."""
        for container in self.containers:
            for part in [*(container.get("command") or []), *(container.get("args") or [])]:
                yield from part.split()

    def environment(self, name: str) -> str | None:
        """The value of an environment variable that a container is given, None where none is."""
        for container in self.containers:
            for entry in container.get("env") or []:
                if entry["name"] == name and "value" in entry:
                    return str(entry["value"])
        return None


def workloads(kube: Kube) -> list[Workload]:
    """All DaemonSets and Deployments of the cluster."""
    return [workload(kind, item) for kind, plural in _KINDS for item in kube.items(f"/apis/apps/v1/{plural}")]


def workload(kind: str, item: Object) -> Workload:
    """A DaemonSet or Deployment object of the API as a `Workload`."""
    status, spec = item.get("status", {}), item["spec"]
    if kind == "DaemonSet":
        ready, wanted = status.get("numberReady", 0), status.get("desiredNumberScheduled", 0)
    else:
        ready, wanted = status.get("readyReplicas", 0), spec.get("replicas", 0)
    metadata = item["metadata"]
    containers = tuple(spec["template"]["spec"]["containers"])
    return Workload(kind, metadata["namespace"], metadata["name"], ready, wanted, containers)
