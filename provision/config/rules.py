"""What must hold between the values of lab.yml: address families, hosts and networks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from itertools import combinations

from provision.config.models import Host, Lab, Network
from provision.config.source import Fault, KeyPath, dotted
from provision.core.paths import page
from provision.core.text import named

TAKEN_INTERFACES = {
    "lo": "the loopback interface",
    "eth0": "each host's management interface",
    "cni0": "the bridge of the pod network",
    "all": "a name that the kernel keeps for settings of all interfaces",
    "default": "a name that the kernel keeps for settings of new interfaces",
}
_BOTH = f"Take one of that subnet. Another LAN needs its own hosts and networks: {page('configuration')}#a-second-lab"


def families(lab: Lab) -> Iterator[Fault]:
    """IPv4 is there, and comes first."""
    path: KeyPath = ("ip_families",)
    remedy = "Write [ipv4] or [ipv4, ipv6]"
    for family, count in Counter(lab.ip_families).items():
        if count > 1:
            yield Fault(path, f"Address family '{family}' is listed {count} times", remedy)
    if "ipv4" not in lab.ip_families:
        why = "the host-local ranges of networks and the checks' group are IPv4 for now"
        yield Fault(path, f"'ip_families' lacks 'ipv4', which a lab needs: {why}", remedy)
    elif lab.ip_families[0] != "ipv4":
        yield Fault(path, "'ip_families' must begin with 'ipv4', the first family of nodes and services", remedy)


def unique_hosts(lab: Lab) -> Iterator[Fault]:
    """No two hosts share a name or an address."""
    yield from _twice([(host.name, ("hosts", index, "name")) for index, host in enumerate(lab.hosts)], "Host name")
    yield from _twice([(host.address, ("hosts", index, "address")) for index, host in enumerate(lab.hosts)], "Address")
    sixes = [(host.address6, ("hosts", index, "address6")) for index, host in enumerate(lab.hosts) if host.address6]
    yield from _twice(sixes, "Address")


def _twice(values: Sequence[tuple[Hashable, KeyPath]], what: str) -> Iterator[Fault]:
    first: dict[Hashable, KeyPath] = {}
    for value, path in values:
        if value in first:
            used = f"{what} '{value}' is used twice, first by {dotted(first[value][:-1])}"
            yield Fault(path, used, "Give each its own", about=(first[value],))
        first.setdefault(value, path)


def roles(lab: Lab) -> Iterator[Fault]:
    """Exactly one control plane, and something that sends."""
    planes = [host.name for host in lab.hosts if host.role == "control-plane"]
    if len(planes) != 1:
        names = named(planes)
        found = f"there are {len(planes)}: {names}" if planes else "there is none"
        problem = f"Exactly one host must have the role 'control-plane', and {found}"
        yield Fault(("hosts",), problem, "Write `role: control-plane` for one host")
    if not lab.sources:
        remedy = "Add a host with `role: source`: the checks send from it"
        yield Fault(("hosts",), "At least one host must have the role 'source', and there is none", remedy)


def host_addresses(lab: Lab) -> Iterator[Fault]:
    """Every host has addresses of the LAN that a host can have."""
    for index, host in enumerate(lab.hosts):
        yield from _host_address(host, index, "address", host.address, "subnet", lab.lan.subnet)
        if not lab.dual_stack:
            continue
        if host.address6 is None:
            remedy = "Give it one in lan.subnet6, or set `ip_families: [ipv4]`"
            yield Fault(("hosts", index, "address6"), f"Host '{host.name}' has no 'address6'", remedy)
        elif lab.lan.subnet6:
            yield from _host_address(host, index, "address6", host.address6, "subnet6", lab.lan.subnet6)


def _host_address(
    host: Host,
    index: int,
    key: str,
    address: IPv4Address | IPv6Address,
    subnet_key: str,
    subnet: IPv4Network | IPv6Network,
) -> Iterator[Fault]:
    path, about = ("hosts", index, key), (("lan", subnet_key),)
    if address not in subnet:
        problem = f"Address {address} of host '{host.name}' is outside lan.{subnet_key} {subnet}"
        yield Fault(path, problem, _BOTH, about)
    elif whose := _not_for_hosts(address, subnet):
        yield Fault(path, f"Address {address} of host '{host.name}' is {whose}", "Take another", about)


def _not_for_hosts(address: IPv4Address | IPv6Address, subnet: IPv4Network | IPv6Network) -> str:
    """What the address is in its subnet, if a host cannot have it."""
    if address == subnet.network_address:
        kind = "the network address" if subnet.version == 4 else "the routers' anycast address (RFC 4291, 2.6.1)"
        return f"{kind} of {subnet}"
    if subnet.version == 4 and address == subnet.broadcast_address:
        return f"the broadcast address of {subnet}"
    if address == subnet.network_address + 1:
        return f"the one of the LAN's own bridge, the first of {subnet}"
    return ""


def interfaces(lab: Lab) -> Iterator[Fault]:
    """The LAN's interface is no other one, and networks stand on it."""
    name = lab.lan.interface
    if name in TAKEN_INTERFACES:
        yield Fault(
            ("lan", "interface"), f"Interface '{name}' is {TAKEN_INTERFACES[name]}", "Take another name, such as eth1"
        )
    for index, network in enumerate(lab.networks):
        if network.master != name:
            yield Fault(
                ("networks", index, "master"),
                f"Network '{network.name}' stands on '{network.master}', but the multicast LAN is '{name}'",
                "Remove 'master', which then is lan.interface",
                about=(("lan", "interface"),),
            )


def routers(lab: Lab) -> Iterator[Fault]:
    """Routers of the LAN are hosts of the lab."""
    known = [host.name for host in lab.hosts]
    for index, name in enumerate(lab.lan.routers):
        if name not in known:
            hosts = named(known)
            yield Fault(
                ("lan", "routers", index), f"There is no host '{name}'", f"Name one of the lab's hosts: {hosts}"
            )


def unique_networks(lab: Lab) -> Iterator[Fault]:
    """A namespace has each network's name once."""
    first: dict[tuple[str, str], KeyPath] = {}
    for index, network in enumerate(lab.networks):
        for position, namespace in enumerate(network.namespaces):
            path: KeyPath = ("networks", index, "namespaces", position)
            key = (namespace, network.name)
            if key in first:
                problem = f"Network '{network.name}' is in namespace '{namespace}' twice, first by {dotted(first[key])}"
                about: tuple[KeyPath, ...] = (("networks", index, "name"), first[key], (*first[key][:2], "name"))
                yield Fault(path, problem, "Give it another name or another namespace", about)
            first.setdefault(key, path)


def ranges(lab: Lab) -> Iterator[Fault]:
    """The addresses that pods get are of the LAN, and nobody else's."""
    for index, network in enumerate(lab.networks):
        found = list(_range_itself(lab, network, index))
        yield from found
        if not found:
            yield from _hosts_in_range(lab, network, index)
    for (left, one), (right, other) in combinations(enumerate(lab.networks), 2):
        shared = max(one.ipam.range_start, other.ipam.range_start) <= min(one.ipam.range_end, other.ipam.range_end)
        # One name is one file of host-local on a node: such networks share their addresses, whatever the namespace.
        if shared and one.name != other.name:
            yield Fault(
                ("networks", right, "ipam", "range_start"),
                f"The ranges of the networks '{one.name}' and '{other.name}' overlap: two pods could get one address",
                "Give each network its own part of the subnet",
                about=(("networks", left, "ipam"), ("networks", right, "ipam")),
            )


def _range_itself(lab: Lab, network: Network, index: int) -> Iterator[Fault]:
    ipam, path = network.ipam, ("networks", index, "ipam")
    if ipam.subnet != lab.lan.subnet:
        problem = f"Subnet {ipam.subnet} of network '{network.name}' is not that of the LAN, {lab.lan.subnet}"
        remedy = "Remove 'subnet', which then is lan.subnet"
        yield Fault((*path, "subnet"), problem, remedy, about=(("lan", "subnet"),))
        return
    about: tuple[KeyPath, ...] = ((*path, "subnet"), ("lan", "subnet"))
    edges = (ipam.subnet.network_address, ipam.subnet.broadcast_address)
    for key, address in (("range_start", ipam.range_start), ("range_end", ipam.range_end)):
        if address not in ipam.subnet:
            problem = f"'{key}' {address} of network '{network.name}' is outside its subnet {ipam.subnet}"
            yield Fault((*path, key), problem, _BOTH, about)
        elif address in edges:
            kind = "network" if address == edges[0] else "broadcast"
            problem = f"'{key}' {address} of network '{network.name}' is the {kind} address of {ipam.subnet}"
            yield Fault((*path, key), problem, "Take one within", about)
    if ipam.range_start > ipam.range_end:
        problem = f"The range of network '{network.name}' is reversed: {ipam.range_start} to {ipam.range_end}"
        both = ((*path, "range_end"),)
        yield Fault((*path, "range_start"), problem, "Exchange 'range_start' and 'range_end'", both)


def _hosts_in_range(lab: Lab, network: Network, index: int) -> Iterator[Fault]:
    ipam, path = network.ipam, ("networks", index, "ipam")
    for position, host in enumerate(lab.hosts):
        if ipam.range_start <= host.address <= ipam.range_end:
            yield Fault(
                (*path, "range_start"),
                f"The range {ipam.range_start} to {ipam.range_end} of network '{network.name}' holds the address"
                f" {host.address} of host '{host.name}'",
                "Let the range begin behind the hosts' addresses",
                about=((*path, "range_end"), ("hosts", position, "address")),
            )


def unique_multicast(lab: Lab) -> Iterator[Fault]:
    """No namespace and no group is listed twice."""
    for key, values in (("namespaces", lab.multicast.namespaces), ("node_groups", lab.multicast.node_groups)):
        for value, count in Counter(map(str, values)).items():
            if count > 1:
                yield Fault(("multicast", key), f"'{value}' is listed {count} times", "List it once")


RULES: tuple[Callable[[Lab], Iterator[Fault]], ...] = (
    families,
    unique_hosts,
    roles,
    host_addresses,
    interfaces,
    routers,
    unique_networks,
    ranges,
    unique_multicast,
)
