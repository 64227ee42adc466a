"""What the pods of a lab sent to groups, heard and were refused, as each node's agent has counted it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from provision.cluster.api import Kube, Object
from provision.cluster.pods import Pods, pod_state
from provision.core import tables
from provision.core.errors import McastlabError
from provision.core.text import visible
from provision.multicast.backends.lab import AGENT, NAMESPACE

_ARGV = ("python3", "-m", "multicast_policy.figures")
_LABEL = f"app.kubernetes.io/name={AGENT}"
_ASK_SECONDS = 15.0
# Heading of a column: the field that stands in it.
_COLUMNS = {
    "sent": "received",
    "off": "off",
    "forged": "forged",
    "control": "control",
    "not allowed": "not_allowed",
    "heard": "delivered",
    "withheld": "withheld",
}
_COUNTS = tuple(_COLUMNS.values())
_SUMS = (
    "In frames to groups: of those sent, the ones refused as off, forged, control or not allowed went nowhere, and the"
    " rest passed; heard are copies from the pod's own namespace, and withheld those from elsewhere, which are no loss"
)


@dataclass(frozen=True)
class PodFigures:
    """What was counted at one pod's port, in frames to groups.

    `received` from the pod is what passed, and `off`, `forged`, `control` and `not_allowed`, for which it was refused.
    `delivered` and `withheld` are copies that came to the pod's port: from its namespace, and from elsewhere.
    """

    namespace: str
    pod: str
    received: int
    off: int
    forged: int
    control: int
    not_allowed: int
    delivered: int
    withheld: int


@dataclass(frozen=True)
class Counted:
    """The figures of all pods of a cluster, and a sentence for each node whose agent could not be asked."""

    pods: tuple[PodFigures, ...]
    unread: tuple[str, ...]

    def of(self, namespace: str) -> list[PodFigures]:
        return [pod for pod in self.pods if pod.namespace == namespace]


def read(kube: Kube) -> Counted:
    """Ask the agents of all nodes; one that does not answer is named, and is no error."""
    agents = kube.items(f"/api/v1/namespaces/{NAMESPACE}/pods", labelSelector=_LABEL)
    by_node = {str(item["spec"].get("nodeName", "")): item for item in sorted(agents, key=_runs)}  # the last one counts
    nodes = sorted({node.name for node in kube.nodes()} | by_node.keys() - {""})
    if not nodes:
        return Counted((), ())
    pods = Pods(kube)
    with ThreadPoolExecutor(len(nodes)) as asking:
        answers = list(asking.map(lambda node: _of_node(pods, node, by_node.get(node)), nodes))
    found = sorted((pod for answer in answers for pod in answer.pods), key=lambda pod: (pod.namespace, pod.pod))
    return Counted(tuple(found), tuple(sentence for answer in answers for sentence in answer.unread))


def parse(text: str) -> tuple[PodFigures, ...]:
    """What the agent printed; raises ValueError where that is something else."""
    try:
        return tuple(
            PodFigures(str(entry["namespace"]), str(entry["pod"]), **{name: int(entry[name]) for name in _COUNTS})
            for entry in json.loads(text)["pods"]
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"no figures: {text[:200]}") from error


def data(counted: Counted, namespace: str) -> list[dict[str, Any]]:
    """A namespace's pods as data."""
    return [{key: value for key, value in asdict(pod).items() if key != "namespace"} for pod in counted.of(namespace)]


def table(counted: Counted, namespaces: Sequence[str]) -> RenderableType:
    """The pods of these namespaces as a table, how its figures add up, and what is missing in it."""
    pods = [pod for namespace in namespaces for pod in counted.of(namespace)]
    rows = [(pod.namespace, pod.pod, *(getattr(pod, name) for name in _COUNTS)) for pod in pods]
    grid = tables.table(("namespace", "pod", *_COLUMNS), rows, numbers=_COLUMNS)
    unread = [Text(visible(sentence)) for sentence in counted.unread]
    if not pods:
        return Group(Text(f"No pod on the pod network is known in {', '.join(namespaces)}"), *unread)
    return Group(Text(), grid, Text(_SUMS), *unread)


def _runs(agent: Object) -> bool:
    return agent.get("status", {}).get("phase") == "Running" and pod_state(agent)[0]


def _of_node(pods: Pods, node: str, agent: Object | None) -> Counted:
    if agent is None:
        return Counted((), (f"Node '{node}' has no pod of DaemonSet '{NAMESPACE}/{AGENT}': its figures are not known",))
    name = agent["metadata"]["name"]
    whose = f"The agent's pod '{NAMESPACE}/{name}' of node '{node}'"
    if not _runs(agent):
        return Counted((), (f"{whose} does not run ({pod_state(agent)[1]}): its figures are not known",))
    try:
        done = pods.exec(NAMESPACE, name, _ARGV, _ASK_SECONDS)
        return Counted(parse(done.stdout), ())
    except McastlabError as error:
        why = ": ".join([error.problem, *error.detail.strip().splitlines()[-1:]])
        return Counted((), (f"{whose} does not tell its figures: {why}",))
    except ValueError as error:
        return Counted((), (f"{whose} does not tell its figures: {error}",))
