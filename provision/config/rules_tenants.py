"""What must hold of `tenants`: nobody is given what is somebody else's, and what opens a node is said to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from ipaddress import ip_network, summarize_address_range
from itertools import combinations

from provision.config.models import Lab
from provision.config.rules import TAKEN_INTERFACES
from provision.config.rules_subnets import Subnet
from provision.config.source import Fault, KeyPath
from provision.config.tenants import Tenant
from provision.core.text import named

# Both would let a tenant into the pod network, whatever else is allowed.
_NEVER = {"multicast-bind": "binds the pod network's ports", "netattach": "attaches in the attacher's place"}
# These reach beyond the pod: into the node's interfaces, its firewall or its routes.
_OPENING = {
    "bridge": "puts ports on any bridge of the node, that of the pod network among them",
    "firewall": "writes the node's firewall rules",
    "host-device": "takes any interface of the node, its own and other pods'",
    "portmap": "leads ports of the node into pods",
    "ptp": "gives the node routes to any address",
    "vrf": "changes the node's routing",
}
_NO_MASTERS = ("lo", "cni0")
_MANAGEMENT = "eth0"  # of hosts that podman or Vagrant make


def namespaces(lab: Lab) -> Iterator[Fault]:
    """Each namespace stands there once."""
    for name, count in Counter(tenant.namespace for tenant in lab.tenants.namespaces).items():
        if count > 1:
            problem = f"Namespace '{name}' is listed {count} times"
            yield Fault(("tenants", "namespaces"), problem, "Give it one item with all that it may have")


def ranges(lab: Lab) -> Iterator[Fault]:
    """The addresses that a namespace was given are its own."""
    given: list[tuple[KeyPath, str, Subnet]] = [
        (("tenants", "namespaces", index, "ranges", position), tenant.namespace, subnet)
        for index, tenant in enumerate(lab.tenants.namespaces)
        for position, subnet in enumerate(tenant.ranges)
    ]
    taken = list(_taken(lab))
    for path, owner, subnet in given:
        held = [whose for other, whose in taken if other.version == subnet.version and other.overlaps(subnet)]
        for whose in dict.fromkeys(held):
            problem = f"The range {subnet} of namespace '{owner}' holds {whose}"
            yield Fault(path, problem, "Give it addresses that nobody has")
    for (one, owner, left), (path, other_owner, right) in combinations(given, 2):
        if owner != other_owner and left.version == right.version and left.overlaps(right):
            problem = f"The ranges {left} of namespace '{owner}' and {right} of '{other_owner}' overlap"
            yield Fault(path, problem, "Give each namespace its own", about=(one,))


def _taken(lab: Lab) -> Iterator[tuple[Subnet, str]]:
    """All addresses that are somebody's, and whose."""
    for host in lab.hosts:
        for address in filter(None, (host.address, host.address6)):
            yield ip_network(str(address)), f"the address {address} of host '{host.name}'"
    lans: list[Subnet] = [subnet for subnet in (lab.lan.subnet, lab.lan.subnet6) if subnet is not None]
    for lan in lans:
        yield ip_network(str(lan[1])), f"{lan[1]}, the address of the LAN's own bridge"
    for network in lab.networks:
        first, last = network.ipam.range_start, network.ipam.range_end
        for part in summarize_address_range(first, max(first, last)):  # one that is reversed is told elsewhere
            yield part, f"addresses of network '{network.name}', {first} to {last}"
    cluster = lab.cluster
    for subnet in (cluster.pod_subnet, cluster.pod_subnet6, cluster.service_subnet, cluster.service_subnet6):
        yield subnet, f"addresses of the cluster's pods or services, {subnet}"


def types(lab: Lab) -> Iterator[Fault]:
    """Plug-ins that nobody is given, and those that open the node."""
    for index, tenant in enumerate(lab.tenants.namespaces):
        path: KeyPath = ("tenants", "namespaces", index, "types")
        for kind in tenant.types:
            if kind in _NEVER:
                yield Fault(path, f"No tenant may have the plug-in '{kind}': it {_NEVER[kind]}", "Remove it")
            elif kind in _OPENING and not tenant.dangerous:
                yield Fault(path, f"The plug-in '{kind}' {_OPENING[kind]}", _remedy(tenant))
        if "ipvlan" in tenant.types and not tenant.masters:
            problem = f"Namespace '{tenant.namespace}' may use ipvlan, and has no interface for it"
            yield Fault(path, problem, "Name one that no macvlan network uses, under `masters`")


def masters(lab: Lab) -> Iterator[Fault]:
    """Interfaces that hosts have; none carries both macvlan and ipvlan; the nodes' own are opened knowingly."""
    shared = {network.master for network in lab.networks}
    known = {_MANAGEMENT, lab.lan.interface} if lab.provider != "ssh" else None
    users = _macvlan_users(lab)
    for index, tenant in enumerate(lab.tenants.namespaces):
        path: KeyPath = ("tenants", "namespaces", index, "masters")
        for name in tenant.masters:
            if name in _NO_MASTERS:
                yield Fault(path, f"Interface '{name}' is {TAKEN_INTERFACES[name]}, and no tenant's", "Remove it")
            elif known is not None and name not in known:
                there = named(sorted(known))
                yield Fault(path, f"No host has an interface '{name}'; they have {there}", "Remove it")
            elif name == _MANAGEMENT and name not in shared and known is not None and not tenant.dangerous:
                problem = f"Interface '{name}' is the nodes' management network, which is no LAN for pods"
                yield Fault(path, problem, _remedy(tenant))
            elif "ipvlan" in tenant.types and (whose := users.get(name)):
                problem = f"Interface '{name}' cannot carry ipvlan for '{tenant.namespace}': {whose} has macvlan on it"
                yield Fault(path, problem, "Name an interface that no macvlan network uses")


def _macvlan_users(lab: Lab) -> dict[str, str]:
    """Who has macvlan on an interface."""
    found = {network.master: f"network '{network.name}'" for network in lab.networks}
    for tenant in lab.tenants.namespaces:
        if "ipvlan" not in tenant.types:
            found |= dict.fromkeys(tenant.masters, f"namespace '{tenant.namespace}'")
    return found


def _remedy(tenant: Tenant) -> str:
    return f"Remove it, or write `dangerous: true` for namespace '{tenant.namespace}'"


RULES: tuple[Callable[[Lab], Iterator[Fault]], ...] = (namespaces, ranges, types, masters)
