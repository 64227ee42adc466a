"""The networks of Vagrant's containers in mcastlab's own Podman, and what interrupted runs left there."""

from __future__ import annotations

import json

from provision.config import Lab
from provision.core import labels
from provision.providers.podman.cli import Podman, bridge_name
from provision.providers.podman.lan import network_args

# As vagrant/docker.rb has them; there they are made by Docker's command, which cannot name the bridge.
_KINDS = ("mgmt", "lan")


def network_name(lab: Lab, kind: str) -> str:
    """The network's name, with kind `mgmt` or `lan`."""
    return f"mcastlab-vagrant-{lab.name}-{kind}"


def bridges(lab: Lab) -> frozenset[str]:
    """The names of the bridges on this machine, whether they are there or not."""
    return frozenset(bridge_name(network_name(lab, kind)) for kind in _KINDS)


def make_networks(podman: Podman, lab: Lab) -> None:
    """Make the networks that are missing."""
    for kind in _KINDS:
        podman.ensure_network(network_name(lab, kind), network_args(lab, kind, labels.VAGRANT_LAB))


def remove_leftovers(podman: Podman, lab: Lab) -> list[str]:
    """Remove containers and networks of the lab that Vagrant does not know, and return their names."""
    removed = []
    listing = ["ps", "-a", "--filter", f"label={labels.VAGRANT_LAB}={lab.name}", "--format", "json"]
    for item in json.loads(podman.run(listing).stdout or "[]"):
        podman.remove_containers([item["Id"]])
        removed.append(f"container {item['Names'][0]}")
    listing = ["network", "ls", "--filter", f"label={labels.VAGRANT_LAB}={lab.name}", "--format", "{{.Name}}"]
    for name in podman.run(listing).stdout.split():
        podman.run(["network", "rm", "-f", name])
        removed.append(f"network {name}")
    podman.release()
    return removed
