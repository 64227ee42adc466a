"""Everything that is applied, rendered from its template: manifests for the cluster, configuration for hosts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import yaml

from provision.cluster.manifests import POD_INTERFACE, TEMPLATES, Manifest, loaded, pod_values
from provision.config import Lab
from provision.configure.inventory import preview
from provision.configure.kubeadm import kubeadm
from provision.core.errors import InputError
from provision.core.templating import render_file
from provision.networks import attacher
from provision.networks.manifests import multicast_texts, namespace_texts, network_texts
from provision.networks.tenants import admission

Values = Mapping[str, Any]


def receiver(lab: Lab, image: str) -> Manifest:
    """The walk-through's pod: it joins the lab's group on its second interface and counts what comes."""
    return loaded([_receiver_text(lab, image)])[0]


def _receiver_text(lab: Lab, image: str) -> str:
    from provision.traffic.iperf import receiver_argv

    network = lab.networks[0]
    values = pod_values(
        "multicast-example",
        image,
        receiver_argv(str(lab.multicast.group), POD_INTERFACE),
        namespace=network.namespaces[0],
        labels={},
        networks=f"{network.name}@{POD_INTERFACE}",
    )
    return render_file(TEMPLATES / "pod-receiver.yml.j2", values)


def _pod_texts(lab: Lab, bundle: Values, _node: Values) -> list[str]:
    return [_receiver_text(lab, bundle["images"]["tools"])]


def _inventory_texts(lab: Lab, bundle: Values, node: Values) -> list[str]:
    return [yaml.safe_dump(preview(lab, bundle, node, attacher.choose(lab)), sort_keys=False, width=120)]


_TEXTS: Mapping[str, Callable[[Lab, Values, Values], list[str]]] = {
    "namespaces": lambda lab, _bundle, _node: namespace_texts(lab),
    "networks": lambda lab, _bundle, _node: network_texts(lab),
    "tenants": lambda lab, _bundle, _node: [
        yaml.safe_dump(manifest, sort_keys=False, width=100000) for manifest in admission(lab)
    ],
    "multicast": lambda lab, _bundle, _node: multicast_texts(lab),
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
