"""The image that nodes start from: the same roles have been at it already, and its container images are unpacked.

It is an image in mcastlab's Podman storage and, since containerd's folder has to be a volume, a volume beside it. A
node's own volume is made of hard links to that: containerd changes no file of an unpacked image and replaces blobs as
a whole; only its databases are written in place, and those are copied.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from provision import config
from provision.artifacts.store import key_of
from provision.config import Host, Lab
from provision.configure import playbook as ansible
from provision.configure.inventory import inventory
from provision.core import labels
from provision.core.lock import FileLock, locked
from provision.core.paths import ROOT, StateDir, cache_dir
from provision.core.run import as_root, run
from provision.core.text import Say
from provision.hosts.facts import NodeFacts
from provision.hosts.machine import Machine
from provision.networks.attacher import known_attacher
from provision.providers.podman.cli import Podman

_REPOSITORY = "localhost/mcastlab/node-ready"
_KEPT = 3
_WAIT_SECONDS = 600
# Whatever makes the image other than it was.
_INPUTS = ("playbooks/node_image.yml", "playbooks/group_vars", "roles/node_base", "roles/containerd", "plugins")

# Runs in the node that becomes the image: nothing of the lab it was made with stays, and nobody's keys.
_FORGET = """
set -eu
systemctl stop containerd
rm -rf /root/.ssh /root/.ansible /etc/ssh/ssh_host_* /run/mcastlab
: > /etc/machine-id
sync
"""
_MOVE = 'set -eu; find "$2" -mindepth 1 -delete; find "$1" -mindepth 1 -maxdepth 1 -exec mv -t "$2" {} +'
_LINK = """
set -eu
cp -al "$1/." "$2/"
find "$2" -name '*.db' -exec sh -c 'cp -p "$1" "$1.own" && mv "$1.own" "$1"' _ {} \\;
rm -rf "$2/io.containerd.grpc.v1.introspection"
"""


@dataclass(frozen=True)
class NodeImage:
    """A node's image, and the volume that its containerd begins with."""

    image: str
    volume: str


class NodeMaker(Protocol):
    """Who makes the one node of `image_lab`, a provider by Podman."""

    podman: Podman
    state: StateDir

    def up(self, lab: Lab, node_image: str, bundle: Path, report: Say) -> list[Machine]: ...

    def down(self, lab: Lab) -> list[str]: ...

    def node_facts(self) -> NodeFacts: ...

    def container(self, host: Host) -> str: ...

    def volume(self, host: Host) -> str: ...


def ensure(maker: NodeMaker, base: str, bundle: Path, report: Say) -> NodeImage:
    """The image made of `base` and the bundle at `bundle`, from Podman's storage or made now.

    Raises HostError or CommandError where it cannot be made, WaitError where another process takes too long.
    """
    podman = maker.podman
    key = key_of(base=base, bundle=bundle.name, facts=maker.node_facts().variables(), files=_digests(), lab=_LAB)
    found = NodeImage(f"{_REPOSITORY}:{key}", f"mcastlab-image-{key}")
    if not _there(podman, found):
        with locked(_lock_file(), "Node image", report, _WAIT_SECONDS):
            if not _there(podman, found):
                report("The node image is made by the roles, once (about 40 s)")
                _make(maker, found, base, bundle, report)
                _prune(podman)
    return found


def seed(podman: Podman, image: NodeImage, volume: str) -> None:
    """Fill the new volume `volume` from the image's."""
    run(as_root(["sh", "-c", _LINK, "link", _place(podman, image.volume), _place(podman, volume)]), timeout=120)


def sweep(maker: NodeMaker) -> None:
    """Remove what a killed run left of a node that was to become an image; one that is being made stays."""
    lock = FileLock(_lock_file())
    try:
        if lock.take(f"process {os.getpid()}"):
            maker.down(image_lab())
    finally:
        lock.release()


def _make(maker: NodeMaker, found: NodeImage, base: str, bundle: Path, report: Say) -> None:
    lab, podman = image_lab(), maker.podman
    maker.down(lab)
    try:
        machines = maker.up(lab, base, bundle, report)
        document = json.loads((bundle / "bundle.json").read_text())
        hosts = inventory(lab, machines, document, maker.node_facts(), known_attacher(lab))
        ansible.play("node_image.yml", hosts, maker.state, report)
        container = maker.container(lab.control_plane)
        podman.run(["exec", container, "sh", "-c", _FORGET])
        podman.run(["stop", "-t", "10", container])
        podman.run(["volume", "rm", "--force", found.volume])
        podman.run(["volume", "create", "--label", f"{labels.IMAGE}={found.image}", found.volume])
        places = [_place(podman, maker.volume(lab.control_plane)), _place(podman, found.volume)]
        run(as_root(["sh", "-c", _MOVE, "move", *places]), timeout=120)
        # Last: where the image is, all of it is.
        podman.run(["commit", "--quiet", container, found.image], timeout=300)
    finally:
        maker.down(lab)
        shutil.rmtree(maker.state.path, ignore_errors=True)


def _there(podman: Podman, found: NodeImage) -> bool:
    exists = podman.run(["volume", "exists", found.volume], check=False).returncode == 0
    return exists and podman.has_image(found.image)


def _place(podman: Podman, volume: str) -> str:
    return podman.run(["volume", "inspect", "--format", "{{.Mountpoint}}", volume]).stdout.strip()


def _prune(podman: Podman) -> None:
    """Keep the newest few: checkouts that differ have images of their own, a gigabyte each."""
    listed = podman.run(["images", "--sort=created", "--format", "{{.Tag}}", _REPOSITORY]).stdout.split()
    for key in listed[_KEPT:]:
        podman.run(["rmi", f"{_REPOSITORY}:{key}"], check=False)
        podman.run(["volume", "rm", f"mcastlab-image-{key}"], check=False)


def _lock_file() -> Path:
    return cache_dir() / "locks" / "node-image.lock"


# Its name is one that lab.yml cannot give, and its subnets are those of documents (RFC 5737, RFC 3849).
_LAB: dict[str, Any] = {
    "name": "node_image",
    "lan": {"subnet": "198.51.100.0/24", "subnet6": "2001:db8::/64"},
    "host": {"address": "198.51.100.11", "address6": "2001:db8::11"},
}


def image_lab() -> Lab:
    """The lab of one host in which an image is made: the default one but for names and addresses."""
    lab = config.load(None)
    return lab.model_copy(
        update={
            "name": _LAB["name"],
            "lan": type(lab.lan).model_validate({**lab.lan.model_dump(mode="json"), **_LAB["lan"]}),
            "hosts": (Host.model_validate({"name": "k8s", "role": "control-plane", **_LAB["host"]}),),
        }
    )


def _digests() -> dict[str, str]:
    files = [file for place in _INPUTS for file in sorted([ROOT / place, *(ROOT / place).rglob("*")]) if file.is_file()]
    paths = {str(file.relative_to(ROOT)): file for file in files if file.suffix not in {".pyc", ".md"}}
    paths[__name__] = Path(__file__)  # by that name wherever the package stands: a wheel and a checkout share images
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in paths.items()}
