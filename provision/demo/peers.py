"""The discovery demo's deployments in one namespace: made, scaled, and asked who sees whom."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from provision.cluster import manifests
from provision.cluster.api import Kube, KubeError, Object
from provision.cluster.pods import Pods, pod_state
from provision.core.labels import DEMO
from provision.core.wait import Deadline, NotYet, until

PORT = 8080
_START_SECONDS = 120.0
# What the agent does (agents/discovery): it sends every 2 s, and looks every 3 s who was silent for 5 s.
SEND_SECONDS, REAP_SECONDS, DEAD_SECONDS = 2.0, 3.0, 5.0


@dataclass(frozen=True)
class Seen:
    """One peer as another sees it; `age` is how long ago it was last heard, in seconds."""

    name: str
    alive: bool
    age: float


@dataclass(frozen=True)
class Sight:
    """What one instance knows: its peers by name."""

    name: str
    peers: Mapping[str, Seen]

    def sees(self, name: str) -> bool:
        """Whether it takes that peer for alive."""
        return name in self.peers and self.peers[name].alive


class Demo:
    """The deployments of one demonstration."""

    def __init__(self, kube: Kube, namespace: str, image: str) -> None:
        self._kube = kube
        self._pods = Pods(kube)
        self.namespace = namespace
        self._image = image

    def deploy(self, name: str) -> None:
        """A deployment of one instance; one that is there already is scaled back to it."""
        self._kube.apply(
            manifests.deployment(name, self._image, namespace=self.namespace, port=PORT, labels={DEMO: name})
        )

    def scale(self, name: str, replicas: int) -> None:
        path = f"/apis/apps/v1/namespaces/{self.namespace}/deployments/{name}/scale"
        self._kube.merge(path, {"spec": {"replicas": replicas}})

    def remove(self, name: str) -> None:
        self._kube.delete(f"/apis/apps/v1/namespaces/{self.namespace}/deployments/{name}")

    def wait(self, count: int) -> list[str]:
        """The names of the instances once exactly `count` of them are there and ready."""

        def probe() -> list[str] | NotYet:
            items = self._items()
            going = [item for item in items if _ready(item)]
            if len(going) == len(items) == count:
                return sorted(item["metadata"]["name"] for item in going)
            seen = ", ".join(f"{item['metadata']['name']} {pod_state(item)[1]}" for item in items)
            return NotYet(f"{len(going)} of {count} ready; {seen or 'no pods'}")

        return until(f"{count} instances to run", probe, Deadline.after(_START_SECONDS))

    def sight(self, pod: str) -> Sight | None:
        """What an instance knows, None while it does not answer."""
        path = f"/api/v1/namespaces/{self.namespace}/pods/{pod}:{PORT}/proxy/peers"
        try:
            status, text = self._kube.request("GET", path)
        except KubeError:
            return None
        return parse(text) if status == HTTPStatus.OK else None

    def sights(self) -> list[Sight]:
        """What all instances that answer know."""
        names = sorted(item["metadata"]["name"] for item in self._items())
        return [sight for name in names if (sight := self.sight(name))]

    def warnings(self) -> list[str]:
        """Why instances do not start, in the cluster's words."""
        return [
            line for item in self._items() for line in self._pods.warnings(self.namespace, item["metadata"]["name"])
        ]

    def _items(self) -> list[Object]:
        """The instances' pods, without those that are going."""
        items = self._kube.items(f"/api/v1/namespaces/{self.namespace}/pods", labelSelector=DEMO)
        return [item for item in items if "deletionTimestamp" not in item["metadata"]]


def parse(text: str) -> Sight:
    """What /peers answers."""
    found = json.loads(text)
    peers = {item["name"]: Seen(item["name"], item["alive"], item["age"]) for item in found["peers"]}
    return Sight(found["name"], peers)


def unseen(sights: list[Sight], names: list[str]) -> list[str]:
    """A sentence for each instance of `names` that another one of them does not see alive."""
    known = {sight.name: sight for sight in sights}
    missing = [f"{name} does not answer" for name in names if name not in known]
    return missing + [
        f"{name} does not see {other}"
        for name in names
        if name in known
        for other in names
        if other != name and not known[name].sees(other)
    ]


def still_alive(sights: list[Sight], gone: str) -> list[str]:
    """A sentence for each instance that still takes `gone` for alive."""
    return [f"{sight.name} still sees {gone}" for sight in sights if sight.sees(gone)]


def _ready(item: Object) -> bool:
    conditions = item.get("status", {}).get("conditions", [])
    return any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)
