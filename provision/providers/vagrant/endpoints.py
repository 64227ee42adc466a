"""From what Vagrant says of its machines to SSH endpoints with pinned host keys."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from provision.config import Lab
from provision.core.errors import HostError
from provision.core.files import read_whole, write_whole
from provision.core.paths import StateDir
from provision.core.run import run
from provision.hosts.machine import Machine
from provision.providers.podman.cli import bridge_name
from provision.providers.podman.lan import set_snooping
from provision.providers.vagrant.networks import network_name

_API_PORT = 6443
_ONCE_MORE = "Run `vagrant up` once more"


@dataclass(frozen=True)
class Endpoint:
    """Where SSH of a machine answers, and its API server; `api_port` is 0 where no other port stands for its own."""

    address: str
    port: int
    api_port: int = 0


def read(path: Path) -> tuple[str, dict[str, Endpoint]]:
    """Vagrant's provider and the endpoint of each machine, from what the provisioner of the Vagrantfile wrote.

    Raises HostError where the file is not what that writes.
    """
    try:
        content = json.loads(read_whole(path, _ONCE_MORE))
        machines = {
            name: Endpoint(one["address"], one["port"], one["api_port"]) for name, one in content["machines"].items()
        }
        return content["provider"], machines
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise HostError(
            f"This is no list of Vagrant's machines: {error!r}", where=str(path), remedy=_ONCE_MORE
        ) from error


def machines(lab: Lab, state: StateDir, endpoints: Mapping[str, Endpoint]) -> list[Machine]:
    """The hosts of the lab that run, as machines; their host keys are those that Vagrant's own connection showed."""
    found = []
    for host in lab.hosts:
        if place := endpoints.get(host.name):
            keys = (state.key, state.known_hosts)
            api_port = place.api_port or _API_PORT
            found.append(Machine(host.name, host.role, place.address, place.port, "root", *keys, api_port=api_port))
    return found


def pin(state: StateDir, found: list[Machine]) -> None:
    """Write the known_hosts of `found`. Raises HostError for a machine whose key Vagrant did not note."""
    lines = []
    for machine in found:
        path = state.path / "host_keys" / f"{machine.name}.pub"
        try:
            key = read_whole(path, _ONCE_MORE).strip()
        except FileNotFoundError:
            raise HostError(
                f"The host key of '{machine.name}' is not known", where=str(path), remedy=_ONCE_MORE
            ) from None
        name = machine.address if machine.port == 22 else f"[{machine.address}]:{machine.port}"
        lines.append(f"{name} {key}\n")
    write_whole(state.known_hosts, "".join(lines))


def settle_lan(lab: Lab, kind: str) -> None:
    """Set snooping and querier of the bridge that Vagrant's provider made for the LAN on this machine.

    VirtualBox's internal network is a switch of its own that floods. Raises HostError where there is no bridge.
    """
    if kind == "virtualbox":
        return
    known = bridge_name(network_name(lab, "lan"))
    own = str(IPv4Address(int(lab.lan.subnet.network_address) + 1))
    for link in json.loads(run(["ip", "-j", "address", "show"], timeout=10).stdout):
        addresses = {address.get("local") for address in link.get("addr_info", [])}
        if link["ifname"] == known or own in addresses:
            set_snooping(link["ifname"], lab.lan)
            return
    raise HostError(
        f"This machine has no bridge with the LAN's address {own}",
        remedy="`mcastlab down`, then `mcastlab up`: Vagrant's provider makes it with the first machine",
    )
