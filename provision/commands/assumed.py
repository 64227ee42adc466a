"""What `mcastlab render` takes where nothing runs: the artifacts of this checkout, and this machine as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from provision.config import Lab
from provision.core.errors import HostError
from provision.core.paths import StateDir

NOT_MADE = "not-made-yet"
# A host that the playbooks will look at: taken for a machine of its own with a system of today.
_MACHINE = {"in_container": False, "cgroup_version": 2, "sys_resource": True, "from_image": False}


def bundle() -> dict[str, Any]:
    """bundle.json of this checkout; before it is made, what of it is known: versions, and names without digests."""
    from provision import artifacts

    try:
        return artifacts.document()
    except HostError:
        return _before_it_is_made()


def _before_it_is_made() -> dict[str, Any]:
    from provision.artifacts.versions import load_images, load_versions

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


def node(lab: Lab) -> dict[str, Any]:
    """What the lab's provider would tell the roles of this machine; nothing is changed by asking."""
    from provision.pipeline.run import make_provider

    return make_provider(lab, StateDir.of(Path("lab.yml"), lab.name)).node_facts() or _MACHINE
