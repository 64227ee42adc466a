"""What the cluster shall look like, from what it looks like: pure, so that every case can be tested without one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

Object = dict[str, Any]

OVN = "k8s.ovn.org/multicast-enabled"  # on a Namespace
OPENSHIFT = "netnamespace.network.openshift.io/multicast-enabled"  # on its NetNamespace
NETNAMESPACES = "/apis/network.openshift.io/v1/netnamespaces"
POLICIES = "/apis/mcastlab.io/v1alpha1/multicastpolicies"
NODE_MULTICASTS = "/apis/mcastlab.io/v1alpha1/nodemulticasts"
NADS = "/apis/k8s.cni.cncf.io/v1"
# On the networks that the controller put somewhere: only those does it ever remove.
BY, US = "mcastlab.io/by", "multicast-controller"
_PART = {"app.kubernetes.io/part-of": "mcastlab"}
# 0 to 9 are reserved on OpenShift, and a VXLAN identifier has 24 bits.
_FIRST_ID, _IDS = 10, 2**24


@dataclass(frozen=True)
class World:
    """The objects that the controller watches, as the API server has them."""

    namespaces: Sequence[Object] = ()
    netnamespaces: Sequence[Object] = ()
    nodes: Sequence[Object] = ()
    node_multicasts: Sequence[Object] = ()
    policies: Sequence[Object] = ()
    nads: Sequence[Object] = ()
    configs: Sequence[Object] = ()


@dataclass(frozen=True)
class Action:
    """One request that brings the cluster nearer to what it shall be."""

    method: str
    path: str
    body: Object = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def actions(world: World) -> list[Action]:
    """All that is to be done, what stops or permits traffic first; nothing when all is as it shall be."""
    ids = netids(world)
    return [*_policy(world, ids), *_netnamespaces(world, ids), *_node_multicasts(world), *_networks(world)]


def enabled(world: World) -> dict[str, list[str]]:
    """The enabled namespaces and by which annotations: exactly `true` on either object."""
    ovn = {_name(item) for item in world.namespaces if _annotation(item, OVN) == "true"}
    openshift = {_name(item) for item in world.netnamespaces if _annotation(item, OPENSHIFT) == "true"}
    by = {name: [*([OVN] if name in ovn else []), *([OPENSHIFT] if name in openshift else [])] for name in _all(world)}
    return {name: annotations for name, annotations in sorted(by.items()) if annotations}


def netids(world: World) -> dict[str, int]:
    """Each namespace's netid: what its NetNamespace has, else a free one that its name leads to.

    So the same name gets the same number again, also when somebody removed the object.
    """
    ids = {_name(item): item["netid"] for item in world.netnamespaces}
    for name in _all(world):
        if name in ids:
            continue
        wanted = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") % (_IDS - _FIRST_ID)
        while (found := _FIRST_ID + wanted % (_IDS - _FIRST_ID)) in ids.values():
            wanted += 1
        ids[name] = found
    return ids


def settings(world: World) -> tuple[list[Object], list[str]]:
    """(networks, node groups) that the lab wrote into its ConfigMap; none before it has."""
    data: dict[str, str] = next((item.get("data", {}) for item in world.configs), {})
    return json.loads(data.get("networks.json", "[]")), json.loads(data.get("node-groups.json", "[]"))


def across(world: World) -> Object:
    """Where the tunnels between nodes lead, or why there are none; nothing for a single node.

    The tunnels' network is the nodes' own. Where that is the multicast LAN, every macvlan pod could write into them.
    """
    nodes = sorted((node for item in world.nodes if (node := _node(item))), key=lambda node: str(node["name"]))
    data: dict[str, str] = next((item.get("data", {}) for item in world.configs), {})
    given = json.loads(data.get("across.json", "{}"))
    if len(nodes) < 2 or not given:
        return {}
    lans = [ip_network(lan) for lan in given["lans"]]
    exposed = [node["name"] for node in nodes if any(ip_address(node["address"]) in lan for lan in lans)]
    found = {"nodes": nodes, "crossing": given["crossing"], "apart": ""}
    if exposed and not given["over_lan"]:
        found["apart"] = (
            f"multicast does not cross nodes: the only network of {', '.join(map(repr, exposed))} is the multicast LAN,"
            " where macvlan pods could write into the tunnels; `multicast.across_lan: true` in lab.yml allows it"
        )
    return found


def _node(item: Object) -> Object | None:
    """A node that has its address and its part of the pods' subnets."""
    addresses = [one["address"] for one in item.get("status", {}).get("addresses", []) if one["type"] == "InternalIP"]
    four = [address for address in addresses if ":" not in address]
    subnets = item.get("spec", {}).get("podCIDRs", [])
    return {"name": _name(item), "address": four[0], "subnets": subnets} if four and subnets else None


def _policy(world: World, ids: dict[str, int]) -> Iterator[Action]:
    namespaces = [{"name": name, "netid": ids[name], "by": by} for name, by in enabled(world).items()]
    spec: Object = {"namespaces": namespaces, "nodeGroups": settings(world)[1]}
    if beyond := across(world):
        spec["across"] = beyond
    if [item.get("spec") for item in world.policies] != [spec]:
        yield _apply(f"{POLICIES}/cluster", "mcastlab.io/v1alpha1", "MulticastPolicy", {"name": "cluster"}, spec=spec)


def _netnamespaces(world: World, ids: dict[str, int]) -> Iterator[Action]:
    present, wanted = {_name(item) for item in world.netnamespaces}, _all(world)
    for name in sorted(wanted - present):
        body = _object("network.openshift.io/v1", "NetNamespace", {"name": name}, netname=name, netid=ids[name])
        yield Action("POST", NETNAMESPACES, body)
    for name in sorted(present - wanted):
        yield Action("DELETE", f"{NETNAMESPACES}/{name}")


def _node_multicasts(world: World) -> Iterator[Action]:
    present, nodes = ({_name(item) for item in items} for items in (world.node_multicasts, world.nodes))
    for name in sorted(nodes - present):
        yield Action("POST", NODE_MULTICASTS, _object("mcastlab.io/v1alpha1", "NodeMulticast", {"name": name}))
    for name in sorted(present - nodes):
        yield Action("DELETE", f"{NODE_MULTICASTS}/{name}")


def _networks(world: World) -> Iterator[Action]:
    """The lab's networks in enabled namespaces. In those that lab.yml lists, they are not the controller's business."""
    networks = settings(world)[0]
    listed = {(namespace, network["name"]) for network in networks for namespace in network["namespaces"]}
    alive = {_name(item) for item in world.namespaces if "deletionTimestamp" not in item["metadata"]}
    targets = alive & set(enabled(world))
    wanted = {(namespace, network["name"]): network["spec"] for network in networks for namespace in sorted(targets)}
    present = {(item["metadata"]["namespace"], _name(item)): item for item in world.nads}
    for key, spec in wanted.items():
        there = present.get(key)
        if key in listed or (there and (not _ours(there) or there["spec"] == spec)):
            continue
        metadata = {"name": key[1], "namespace": key[0], "labels": {BY: US}}
        path = f"{NADS}/namespaces/{key[0]}/network-attachment-definitions/{key[1]}"
        yield _apply(path, "k8s.cni.cncf.io/v1", "NetworkAttachmentDefinition", metadata, spec=spec)
    for key, item in present.items():
        if _ours(item) and key not in wanted and key not in listed:
            yield Action("DELETE", f"{NADS}/namespaces/{key[0]}/network-attachment-definitions/{key[1]}")


def _apply(path: str, version: str, kind: str, metadata: Object, **more: Any) -> Action:
    return Action("PATCH", path, _object(version, kind, metadata, **more))


def _object(version: str, kind: str, metadata: Object, **more: Any) -> Object:
    labels = {**_PART, **metadata.get("labels", {})}
    return {"apiVersion": version, "kind": kind, "metadata": {**metadata, "labels": labels}, **more}


def _all(world: World) -> set[str]:
    return {_name(item) for item in world.namespaces}


def _name(item: Object) -> str:
    return str(item["metadata"]["name"])


def _annotation(item: Object, name: str) -> str | None:
    return (item["metadata"].get("annotations") or {}).get(name)


def _ours(item: Object) -> bool:
    return (item["metadata"].get("labels") or {}).get(BY) == US
