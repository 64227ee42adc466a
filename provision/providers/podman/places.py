"""Each host's place on the management network, which it keeps while it exists, whichever others come and go."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from ipaddress import ip_network
from typing import Any

from provision.config import Host
from provision.core import labels
from provision.core.errors import InputError
from provision.hosts.machine import Management
from provision.providers.podman.cli import Podman

INTERFACE = "eth0"
_FIRST, _LAST = 11, 250  # as on the LAN; below are the bridge's own address and what Podman may give out


def numbers(hosts: Iterable[Host], known: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    """The place of each host by its name: of one in `known`, `podman ps`'s items by name of the host, its own.

    Raises InputError where there are more hosts than places.
    """
    held = {name: int(item["Labels"][labels.PLACE]) for name, item in known.items() if labels.PLACE in item["Labels"]}
    free = iter(sorted({*range(_FIRST, _LAST)} - {*held.values()}))
    try:
        return {host.name: held[host.name] if host.name in held else next(free) for host in hosts}
    except StopIteration:
        raise InputError(
            f"The lab has more hosts than the {_LAST - _FIRST} that its management network can hold",
            where="lab.yml: hosts",
            remedy="Take some out",
        ) from None


class ManagementNetwork:
    """The subnets that Podman chose for the network `name`."""

    def __init__(self, podman: Podman, name: str) -> None:
        described = json.loads(podman.run(["network", "inspect", name]).stdout)[0]
        self._subnets = sorted((ip_network(one["subnet"]) for one in described["subnets"]), key=lambda one: one.version)

    def at(self, place: int) -> Management:
        """The addresses of a host with that place."""
        return Management(INTERFACE, *(str(subnet[place]) for subnet in self._subnets))
