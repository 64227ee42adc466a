"""The lab's own backend: a controller writes MulticastPolicy/cluster, and each node's agent acknowledges it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from provision.cluster.api import Kube, Object
from provision.cluster.workloads import Workload
from provision.core.errors import HostError
from provision.core.wait import Deadline, NotYet, until
from provision.multicast.annotations import (
    ON_NAMESPACE,
    ON_NETNAMESPACE,
    Edit,
    Mark,
    edit,
    mark,
    namespace_path,
    netnamespace_path,
)
from provision.multicast.backend import Enforcement

_API = "/apis/mcastlab.io/v1alpha1"
POLICY = f"{_API}/multicastpolicies/cluster"
NODES = f"{_API}/nodemulticasts"
NAMESPACE, AGENT = "mcastlab-system", "multicast-policy"
_INTERVAL = 0.05


@dataclass(frozen=True)
class Policy:
    """MulticastPolicy/cluster: its generation and the namespaces that it enables; generation 0 when there is none."""

    generation: int
    names: frozenset[str]


@dataclass(frozen=True)
class LabBackend:
    name: str = "lab"
    network_type: str = "mcastlab"
    workload: str = f"DaemonSet {NAMESPACE}/{AGENT}"
    remedy: str = "Use a kernel, and a container around it, that allows bpf(); without one, enable no namespace"

    def components(self, present: Sequence[Workload]) -> list[Workload]:
        return [item for item in present if (item.kind, item.namespace, item.name) == ("DaemonSet", NAMESPACE, AGENT)]

    def settings(self, kube: Kube, present: Sequence[Workload]) -> tuple[tuple[str, ...], str]:
        seen = statuses(kube)
        refused = refusals(seen)
        notes = (f"node '{node}': {note}" for node, said in seen.items() for note in said.get("notes") or [])
        return (*refused, *notes), "; ".join(refused)

    def marks(self, kube: Kube, namespace: Object) -> tuple[Mark, ...]:
        other = kube.find(netnamespace_path(namespace["metadata"]["name"]))
        return (mark("Namespace", ON_NAMESPACE, namespace), mark("NetNamespace", ON_NETNAMESPACE, other))

    def edits(self, kube: Kube, namespace: Object, *, on: bool) -> list[Edit]:
        name = namespace["metadata"]["name"]
        edits = [edit("Namespace", namespace_path(name), ON_NAMESPACE, namespace, on=on)]
        other = kube.find(netnamespace_path(name))
        if not on and other is not None:
            edits.append(edit("NetNamespace", netnamespace_path(name), ON_NETNAMESPACE, other, on=False))
        return edits

    def force(self, kube: Kube, names: Sequence[str]) -> list[Enforcement]:
        policy, nodes = read_policy(kube), _names(kube)
        missing, count = late(nodes, statuses(kube), policy.generation), len(nodes)
        forces = []
        for name in names:
            state = "on" if name in policy.names else "off"
            detail = f"{count} of {count} nodes" if not missing else "; ".join(missing)
            forces.append(Enforcement("pending" if missing else state, detail))
        return forces

    def wait(self, kube: Kube, names: Sequence[str], deadline: Deadline, *, on: bool) -> list[Enforcement]:
        def listed() -> Policy | NotYet:
            policy = read_policy(kube)
            late = [name for name in names if (name in policy.names) != on]
            if not policy.generation:
                return NotYet("there is no MulticastPolicy 'cluster'")
            verb = "does not list" if on else "still lists"
            return NotYet(f"MulticastPolicy 'cluster' {verb} {', '.join(late)}") if late else policy

        doing = "be enabled" if on else "be disabled"
        what = f"{', '.join(names)} to {doing}"
        remedy = "Look at the pods of namespace 'mcastlab-system': `kubectl -n mcastlab-system get pods`"
        generation = until(what, listed, deadline, interval=_INTERVAL, remedy=remedy).generation

        def acknowledged() -> int | NotYet:
            nodes, seen = _names(kube), statuses(kube)
            if refused := refusals(seen):
                raise HostError(f"{', '.join(names)} cannot {doing}: {'; '.join(refused)}", remedy=self.remedy)
            missing = late(nodes, seen, generation)
            return NotYet("; ".join(missing)) if missing else len(nodes)

        count = until(f"{what} on every node", acknowledged, deadline, interval=_INTERVAL, remedy=remedy)
        return [Enforcement("on" if on else "off", f"{count} of {count} nodes") for _ in names]


BACKEND = LabBackend()


def read_policy(kube: Kube) -> Policy:
    found = kube.find(POLICY)
    if found is None:
        return Policy(0, frozenset())
    listed = found.get("spec", {}).get("namespaces") or []
    return Policy(found["metadata"].get("generation", 0), frozenset(item["name"] for item in listed))


def apart(kube: Kube) -> str:
    """Why multicast does not cross this lab's nodes; empty where it does, or where there is one node."""
    found = kube.find(POLICY) or {}
    return str(found.get("spec", {}).get("across", {}).get("apart", ""))


def statuses(kube: Kube) -> dict[str, Object]:
    """What the agents report of their nodes, by node; empty of one that has not reported yet."""
    return {item["metadata"]["name"]: item.get("status") or {} for item in kube.items(NODES)}


def refusals(seen: Mapping[str, Object]) -> list[str]:
    """A sentence for each node whose kernel does not take the policy's programs."""
    return [_refusal(node, status["refused"]) for node, status in seen.items() if status.get("refused")]


def silent(kube: Kube) -> list[str]:
    """A sentence for each node whose agent has not reported anything yet."""
    seen = statuses(kube)
    return [f"node '{node}' has not reported yet" for node in _names(kube) if not seen.get(node)]


def _refusal(node: str, reason: str) -> str:
    return f"node '{node}' cannot keep namespaces apart: {reason}"


def _names(kube: Kube) -> list[str]:
    return [node.name for node in kube.nodes()]


def late(nodes: Sequence[str], seen: Mapping[str, Object], generation: int) -> list[str]:
    """A sentence for each node that does not enforce this generation of the policy."""
    problems = []
    for node in nodes:
        status = seen.get(node)
        if status is None:
            problems.append(f"node '{node}' has no agent that reports")
        elif status.get("refused"):
            problems.append(_refusal(node, status["refused"]))
        elif status.get("error"):
            problems.append(f"node '{node}': {status['error']}")
        elif status.get("observedGeneration", 0) < generation:
            problems.append(f"node '{node}' has generation {status.get('observedGeneration', 0)} of {generation}")
    return problems if nodes else ["the cluster has no nodes"]
