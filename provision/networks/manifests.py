"""What a lab puts into its cluster for its networks: namespaces, networks, and what the switch is told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from provision.cluster.api import NetworkAttachment
from provision.cluster.manifests import TEMPLATES, Manifest, loaded
from provision.config import Lab, Network
from provision.core.templating import render_file

_EVERY_CLUSTER_HAS = {"default", "kube-system", "kube-public", "kube-node-lease"}


def networks(lab: Lab) -> list[Manifest]:
    """A NetworkAttachmentDefinition for each network in each of its namespaces."""
    return loaded(network_texts(lab))


def network_texts(lab: Lab) -> list[str]:
    """The same, as text."""
    return [network_text(network, namespace) for network in lab.networks for namespace in network.namespaces]


def network_text(network: Network, namespace: str) -> str:
    """One network in one namespace."""
    return render_file(TEMPLATES / "nad.yml.j2", {"network": network.model_dump(mode="json"), "namespace": namespace})


def pools(lab: Lab) -> dict[str, Any]:
    """What hosts are told of addresses that nodes count together: the ranges, and the manifests of the lab's networks,
    which change before there are several nodes. Empty where no network has such."""
    ranges = dict.fromkeys(str(one.ipam.subnet) for one in lab.networks if one.ipam.type == "whereabouts")
    if not ranges:
        return {}
    return {"ranges": [*ranges], "networks": "---\n".join([*namespace_texts(lab), *network_texts(lab)])}


def back_at_host_local(lab: Lab, before: Sequence[NetworkAttachment]) -> list[str]:
    """The lab's networks, as NAMESPACE/NAME, that have whereabouts in the cluster and shall have host-local."""
    shared = {(one.namespace, one.name) for one in before if '"whereabouts"' in one.config}
    wanted = {(space, one.name) for one in lab.networks if one.ipam.type == "host-local" for space in one.namespaces}
    return [f"{space}/{name}" for space, name in sorted(shared & wanted)]


def namespaces(lab: Lab) -> list[Manifest]:
    """The namespaces of the lab's networks that a new cluster does not have; networks cannot be applied before."""
    return loaded(namespace_texts(lab))


def multicast_namespaces(lab: Lab) -> list[Manifest]:
    """The namespaces that lab.yml enables and that a new cluster does not have."""
    wanted = [name for name in lab.multicast.namespaces if name not in _EVERY_CLUSTER_HAS]
    return loaded([render_file(TEMPLATES / "namespace.yml.j2", {"name": name}) for name in wanted])


def multicast(lab: Lab) -> list[Manifest]:
    """What the cluster is told of the lab's multicast: its Network, and the networks and groups of the switch."""
    return loaded(multicast_texts(lab))


def namespace_texts(lab: Lab) -> list[str]:
    """The same as `namespaces`, as text."""
    wanted = {name: None for network in lab.networks for name in network.namespaces if name not in _EVERY_CLUSTER_HAS}
    return [render_file(TEMPLATES / "namespace.yml.j2", {"name": name}) for name in wanted]


def multicast_texts(lab: Lab) -> list[str]:
    """The same as `multicast`, as text."""
    cluster = lab.cluster
    pods = [(cluster.pod_subnet, 24), (cluster.pod_subnet6, 64)][: 1 + lab.dual_stack]
    values = {
        "pods": [{"cidr": str(subnet), "hostPrefix": prefix} for subnet, prefix in pods],
        "services": [str(subnet) for subnet in (cluster.service_subnet, cluster.service_subnet6)][: 1 + lab.dual_stack],
        "networks": [
            {"name": network.name, "namespaces": list(network.namespaces), "spec": loaded([text])[0]["spec"]}
            for network, text in ((network, network_text(network, "default")) for network in lab.networks)
        ],
        # The last address of the pods: a bridge that has another one of them takes it for a querier that lost.
        "across": {
            "lans": [str(lab.lan.subnet)],
            "over_lan": lab.multicast.across_lan,
            "crossing": str(cluster.pod_subnet[-2]),
        },
        "node_groups": [str(group) for group in lab.multicast.node_groups],
    }
    return [render_file(TEMPLATES / name, values) for name in ("cluster-network.yml.j2", "multicast-networks.yml.j2")]
