"""Everything that is applied, rendered from its template: manifests for the cluster, configuration for hosts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from provision import artifacts
from provision.artifacts.versions import load_images, load_versions
from provision.cluster.manifests import POD_INTERFACE, TEMPLATES, Manifest, loaded, pod_values
from provision.config import Lab
from provision.configure.inventory import preview
from provision.configure.kubeadm import kubeadm
from provision.core.errors import HostError, InputError
from provision.core.paths import StateDir
from provision.core.templating import render_file
from provision.networks import attacher
from provision.networks.manifests import multicast_texts, namespace_texts, network_texts
from provision.networks.tenants import admission
from provision.pipeline.run import make_provider
from provision.traffic.iperf import receiver_argv

Values = Mapping[str, Any]
NOT_MADE = "not-made-yet"
# A host that the playbooks will look at: taken for a machine of its own with a system of today.
_MACHINE = {"in_container": False, "cgroup_version": 2, "sys_resource": True, "from_image": False}


def receiver(lab: Lab, image: str) -> Manifest:
    """The walk-through's pod: it joins the lab's group on its second interface and counts what comes."""
    return loaded([_receiver_text(lab, image)])[0]


def _receiver_text(lab: Lab, image: str) -> str:
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
    if kind not in _TEXTS:
        raise InputError(f"There is nothing named '{kind}' to render", remedy=f"Choose one of: {', '.join(KINDS)}")
    texts = _TEXTS[kind](lab, bundle or _bundle(), node or _node(lab))
    return "".join(f"---\n# {kind}: {_NOTES[kind]}\n{text}" for text in texts)


def show(lab: Lab, what: str | None) -> None:
    """Print one kind of manifest or config, or all."""
    for kind in [what] if what else KINDS:
        sys.stdout.write(render(kind, lab))


def _bundle() -> dict[str, Any]:
    """bundle.json of this checkout; before it is made, what of it is known: versions, and names without digests."""
    try:
        return artifacts.document()
    except HostError:
        return before_it_is_made()


def before_it_is_made() -> dict[str, Any]:
    """What of bundle.json is known before anything is made: versions, and names without digests."""
    components, images = load_versions().components, load_images()
    tags = {image.role: components[image.component].version if image.component else NOT_MADE for image in images.images}
    return {
        "digest": NOT_MADE,
        "kubernetes_version": components["kubernetes"].version,
        "image_repository": images.repository,
        "etcd_tag": tags["etcd"],
        "coredns_tag": tags["coredns"],
        "images": {role: f"{images.repository}/{role}:{tag}" for role, tag in tags.items()},
        "policy_object": {"sha256": NOT_MADE, "compiler": NOT_MADE},
        "versions": {name: component.version for name, component in components.items()},
    }


def _node(lab: Lab) -> dict[str, Any]:
    """What the lab's provider would tell the roles of this machine; nothing is changed by asking."""
    return make_provider(lab, StateDir.of(Path("lab.yml"), lab.name)).node_facts() or _MACHINE
