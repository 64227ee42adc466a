"""What the switch does not reach: macvlan networks share one LAN, whatever their namespace."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from provision.cluster.api import NAD_API, Kube, Object
from provision.cluster.pods import Pods
from provision.core.errors import McastlabError

SHARED = "Macvlan networks are one LAN for all namespaces, and the switch does not isolate these:"
STATUS = "k8s.v1.cni.cncf.io/network-status"
_ALL_HOSTS = "224.0.0.1"
_ASK_SECONDS = 5.0


@dataclass(frozen=True)
class Attached:
    """A running pod with an interface on a macvlan network; `groups` it has joined there, None where it cannot tell."""

    pod: str
    interface: str
    network: str
    addresses: tuple[str, ...]
    groups: tuple[str, ...] | None

    def __str__(self) -> str:
        joined = "its groups are not known"
        if self.groups is not None:
            joined = f"joined {', '.join(self.groups)}" if self.groups else "joined no group, and may send"
        return f"pod {self.pod}, {self.interface} ({self.network}, {', '.join(self.addresses)}): {joined}"


def shared_networks(kube: Kube, namespace: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(the names of a namespace's NetworkAttachmentDefinitions, those of them that are macvlan)."""
    found = kube.items(f"/apis/{NAD_API}/namespaces/{namespace}/network-attachment-definitions")
    names = tuple(item["metadata"]["name"] for item in found)
    return names, tuple(item["metadata"]["name"] for item in found if "macvlan" in _types(item))


def still_attached(kube: Kube, namespace: str) -> list[Attached]:
    """The running pods of a namespace that multicast still reaches by macvlan; empty where there are none.

    A network that is gone counts as well: the switch takes away those that it gave, and pods keep their interfaces.
    """
    names, shared = shared_networks(kube, namespace)
    others = {f"{namespace}/{name}" for name in names if name not in shared}
    pods = Pods(kube)
    found = []
    for item in kube.items(f"/api/v1/namespaces/{namespace}/pods"):
        if item.get("status", {}).get("phase") == "Running":
            found += [_attached(pods, item, entry) for entry in _interfaces(item) if entry["name"] not in others]
    return found


def _attached(pods: Pods, item: Object, entry: dict[str, Any]) -> Attached:
    from provision.hosts.interface import parse_igmp  # late: the checks use the switch

    namespace, name = item["metadata"]["namespace"], item["metadata"]["name"]
    interface = str(entry.get("interface", ""))
    groups: tuple[str, ...] | None = None
    with suppress(McastlabError):  # a pod without `cat`, or a user who may not run commands in it
        done = pods.exec(namespace, name, ["cat", "/proc/net/igmp"], _ASK_SECONDS)
        joined = parse_igmp(done.stdout).get(interface, frozenset())
        groups = tuple(sorted(str(group) for group in joined if str(group) != _ALL_HOSTS))
    addresses = tuple(str(address) for address in entry.get("ips", []))
    return Attached(f"{namespace}/{name}", interface, str(entry["name"]), addresses, groups)


def _interfaces(item: Object) -> list[dict[str, Any]]:
    """The pod's second interfaces as its attacher reported them (multi-net-spec 1.3, section 3.3)."""
    text = (item["metadata"].get("annotations") or {}).get(STATUS, "[]")
    try:
        found = json.loads(text)
    except ValueError:
        return []
    entries = [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []
    return [entry for entry in entries if "/" in str(entry.get("name", "")) and not entry.get("default")]


def _types(item: Object) -> set[str]:
    """The plug-ins of a NetworkAttachmentDefinition's configuration."""
    try:
        config = json.loads(item.get("spec", {}).get("config", "{}"))
    except ValueError:
        return set()
    if not isinstance(config, dict):
        return set()
    parts = [config, *(config.get("plugins") or [])]
    return {str(part.get("type")) for part in parts if isinstance(part, dict)}
