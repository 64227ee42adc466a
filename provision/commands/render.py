"""Everything that is applied, rendered from its template: manifests for the cluster, configuration for hosts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from provision.config import Lab
from provision.configure.inventory import host_variables, preview, variables
from provision.core.errors import InputError
from provision.core.paths import ROOT
from provision.core.templating import evaluate, render_file, shown
from provision.networks.manifests import network_text, network_texts
from provision.networks.tenants import admission

Manifest = dict[str, Any]
Values = Mapping[str, Any]

TEMPLATES = ROOT / "templates"
POD_INTERFACE = "eth1"  # of a pod's second interface, as in the walk-through; the node's is lan.interface
_EVERY_CLUSTER_HAS = {"default", "kube-system", "kube-public", "kube-node-lease"}


def namespaces(lab: Lab) -> list[Manifest]:
    """The namespaces of the lab's networks that a new cluster does not have; networks cannot be applied before."""
    return _loaded(_namespace_texts(lab))


def multicast_namespaces(lab: Lab) -> list[Manifest]:
    """The namespaces that lab.yml enables and that a new cluster does not have."""
    wanted = [name for name in lab.multicast.namespaces if name not in _EVERY_CLUSTER_HAS]
    return _loaded([render_file(TEMPLATES / "namespace.yml.j2", {"name": name}) for name in wanted])


def multicast(lab: Lab) -> list[Manifest]:
    """What the cluster is told of the lab's multicast: its Network, and the networks and groups of the switch."""
    return _loaded(_multicast_texts(lab))


def pod(  # noqa: PLR0913 - each argument is a part of the pod
    name: str,
    image: str,
    command: Sequence[str],
    *,
    namespace: str = "default",
    labels: Mapping[str, str] | None = None,
    networks: str = "",
    host_network: bool = False,
    node: str = "",
    capabilities: Sequence[str] = (),
    pull: str = "Never",
) -> Manifest:
    """A pod of one container that runs `command` once.

    `networks` is its annotation (`name@interface, …`), `node` the node it must run on, and `pull`
    the image's pull policy. It has no rights but the
    `capabilities` that are named (`NET_RAW`, …); with any of these it runs as root, for others do not get them.
    """
    values = _pod_values(name, image, command, namespace=namespace, labels=labels or {}, networks=networks)
    values |= {"host_network": host_network, "node": node, "capabilities": list(capabilities)}
    values |= {"pull": pull}
    return _loaded([render_file(TEMPLATES / "pod.yml.j2", values)])[0]


def deployment(name: str, image: str, *, namespace: str, port: int, labels: Mapping[str, str]) -> Manifest:
    """A deployment of one instance of `image`, which serves HTTP on `port` with its health at /healthz."""
    values = {"name": name, "image": image, "namespace": namespace, "port": port, "replicas": 1}
    marked = {"app.kubernetes.io/part-of": "mcastlab", **labels}
    return _loaded([render_file(TEMPLATES / "deployment.yml.j2", {**values, "labels": marked})])[0]


def receiver(lab: Lab, image: str) -> Manifest:
    """The walk-through's pod: it joins the lab's group on its second interface and counts what comes."""
    return _loaded([_receiver_text(lab, image)])[0]


def kubeadm(lab: Lab, bundle: Values, node: Values) -> str:
    """kubeadm's configuration: the role's own template with the variables that playbooks/group_vars gives it."""
    role, given = ROOT / "roles" / "kubernetes", ROOT / "playbooks" / "group_vars" / "all.yml"
    host = lab.control_plane
    values = {**variables(lab, bundle, node), **host_variables(lab, host)}
    values |= {"inventory_hostname": host.name, "group_names": ["control_plane"]}
    values |= evaluate({k: v for k, v in _yaml_file(given).items() if k.startswith("kubernetes_")}, values, given)
    defaults = role / "defaults" / "main.yml"
    values |= evaluate(
        {key: value for key, value in _yaml_file(defaults).items() if key not in values}, values, defaults
    )
    return render_file(role / "templates" / "kubeadm.yml.j2", values)


def _namespace_texts(lab: Lab) -> list[str]:
    wanted = {name: None for network in lab.networks for name in network.namespaces if name not in _EVERY_CLUSTER_HAS}
    return [render_file(TEMPLATES / "namespace.yml.j2", {"name": name}) for name in wanted]


def _multicast_texts(lab: Lab) -> list[str]:
    cluster = lab.cluster
    pods = [(cluster.pod_subnet, 24), (cluster.pod_subnet6, 64)][: 1 + lab.dual_stack]
    values = {
        "pods": [{"cidr": str(subnet), "hostPrefix": prefix} for subnet, prefix in pods],
        "services": [str(subnet) for subnet in (cluster.service_subnet, cluster.service_subnet6)][: 1 + lab.dual_stack],
        "networks": [
            {"name": network.name, "namespaces": list(network.namespaces), "spec": _loaded([text])[0]["spec"]}
            for network, text in ((network, network_text(network, "default")) for network in lab.networks)
        ],
        "node_groups": [str(group) for group in lab.multicast.node_groups],
    }
    return [render_file(TEMPLATES / name, values) for name in ("cluster-network.yml.j2", "multicast-networks.yml.j2")]


def _receiver_text(lab: Lab, image: str) -> str:
    from provision.traffic.iperf import receiver_argv

    network = lab.networks[0]
    values = _pod_values(
        "multicast-example",
        image,
        receiver_argv(str(lab.multicast.group), POD_INTERFACE),
        namespace=network.namespaces[0],
        labels={},
        networks=f"{network.name}@{POD_INTERFACE}",
    )
    return render_file(TEMPLATES / "pod-receiver.yml.j2", values)


def _pod_values(
    name: str, image: str, command: Sequence[str], *, namespace: str, labels: Mapping[str, str], networks: str
) -> dict[str, Any]:
    marked = {"app.kubernetes.io/part-of": "mcastlab", **labels}
    values: dict[str, Any] = {"name": name, "image": image, "command": list(command), "namespace": namespace}
    return values | {"labels": marked, "networks": networks}


def _pod_texts(lab: Lab, bundle: Values, _node: Values) -> list[str]:
    return [_receiver_text(lab, bundle["images"]["tools"])]


def _inventory_texts(lab: Lab, bundle: Values, node: Values) -> list[str]:
    return [yaml.safe_dump(preview(lab, bundle, node), sort_keys=False, width=120)]


_TEXTS: Mapping[str, Callable[[Lab, Values, Values], list[str]]] = {
    "namespaces": lambda lab, _bundle, _node: _namespace_texts(lab),
    "networks": lambda lab, _bundle, _node: network_texts(lab),
    "tenants": lambda lab, _bundle, _node: [
        yaml.safe_dump(manifest, sort_keys=False, width=100000) for manifest in admission(lab)
    ],
    "multicast": lambda lab, _bundle, _node: _multicast_texts(lab),
    "pods": _pod_texts,
    "kubeadm": lambda lab, bundle, node: [kubeadm(lab, bundle, node)],
    "inventory": _inventory_texts,
}
KINDS = list(_TEXTS)
_NOTES = {
    "namespaces": "applied by `mcastlab up` before the networks",
    "networks": "applied by `mcastlab up`",
    "tenants": "what networks of namespaces' own may be; applied by role netattach for every attacher",
    "multicast": "applied by `mcastlab up` with the networks; roles/multicast_policy has what acts on it",
    "pods": "the walk-through's example, not applied by `mcastlab up`: yours to apply and to read the logs of",
    "kubeadm": "written to the control plane by roles/kubernetes",
    "inventory": "given to ansible-playbook by `mcastlab up`, which adds each host's address and keys",
}


def render(kind: str, lab: Lab, *, bundle: Values | None = None, node: Values | None = None) -> str:
    """The YAML documents of one kind; empty where the lab needs none. Nothing of the lab has to run.

    `bundle` is the content of bundle.json and `node` the provider's node_facts; without them, those of this checkout
    and this machine are taken. Raises InputError for a kind that there is not.
    """
    from provision.commands import assumed

    if kind not in _TEXTS:
        raise InputError(f"There is nothing named '{kind}' to render", remedy=f"Choose one of: {', '.join(KINDS)}")
    texts = _TEXTS[kind](lab, bundle or assumed.bundle(), node or assumed.node(lab))
    return "".join(f"---\n# {kind}: {_NOTES[kind]}\n{text}" for text in texts)


def _loaded(texts: Sequence[str]) -> list[Manifest]:
    return [yaml.safe_load(text) for text in texts]


def _yaml_file(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text())
    except OSError as error:
        raise InputError(f"The file cannot be read: {error.strerror}", where=shown(path)) from error
