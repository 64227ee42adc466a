"""Everything that is applied, rendered from its template: manifests for the cluster, configuration for hosts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import cached_property
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
from provision.hosts.facts import VIRTUAL, NodeFacts
from provision.networks.attacher import Attacher, choose_attacher
from provision.networks.manifests import multicast_texts, namespace_texts, network_texts
from provision.networks.tenants import admission
from provision.providers.choose import make_provider
from provision.traffic.iperf import receiver_argv

Values = Mapping[str, Any]
NOT_MADE = "not-made-yet"


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


class Given:
    """What a lab is rendered with where nothing runs: each part is found out once, and only if a kind asks for it.

    `bundle` is the content of bundle.json and `node` what the provider knows of all hosts; without them, those of this
    checkout and this machine are taken.
    """

    def __init__(self, lab: Lab, *, bundle: Values | None = None, node: NodeFacts | None = None) -> None:
        self.lab = lab
        self._bundle = bundle
        self._node = node

    @cached_property
    def bundle(self) -> Values:
        """Before it is made, what of it is known."""
        if self._bundle:
            return self._bundle
        try:
            return artifacts.document()
        except HostError:
            return before_it_is_made()

    @cached_property
    def node(self) -> NodeFacts:
        """What the lab's provider would tell the roles of this machine; nothing is changed by asking.

        A host that the playbooks will look at is taken for a machine of its own.
        """
        folder = StateDir.of(Path("lab.yml"), self.lab.name)
        return self._node or make_provider(self.lab, folder).node_facts() or VIRTUAL

    @cached_property
    def attacher(self) -> Attacher:
        return choose_attacher(self.lab)


def _tenant_texts(given: Given) -> list[str]:
    return [yaml.safe_dump(manifest, sort_keys=False, width=100000) for manifest in admission(given.lab)]


def _inventory_texts(given: Given) -> list[str]:
    whole = preview(given.lab, given.bundle, given.node, given.attacher)
    return [yaml.safe_dump(whole, sort_keys=False, width=120)]


_TEXTS: Mapping[str, Callable[[Given], list[str]]] = {
    "namespaces": lambda given: namespace_texts(given.lab),
    "networks": lambda given: network_texts(given.lab),
    "tenants": _tenant_texts,
    "multicast": lambda given: multicast_texts(given.lab),
    "pods": lambda given: [_receiver_text(given.lab, given.bundle["images"]["tools"])],
    "kubeadm": lambda given: [kubeadm(given.lab, given.bundle, given.node, given.attacher)],
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


def render(kind: str, given: Given) -> str:
    """The YAML documents of one kind; empty where the lab needs none. Nothing of the lab has to run.

    Raises InputError for a kind that there is not.
    """
    if kind not in _TEXTS:
        raise InputError(f"There is nothing named '{kind}' to render", remedy=f"Choose one of: {', '.join(KINDS)}")
    return "".join(f"---\n# {kind}: {_NOTES[kind]}\n{text}" for text in _TEXTS[kind](given))


def show(lab: Lab, what: str | None) -> None:
    """Print one kind of manifest or config, or all."""
    given = Given(lab)
    for kind in [what] if what else KINDS:
        sys.stdout.write(render(kind, given))


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
