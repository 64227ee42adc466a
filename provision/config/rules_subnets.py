"""What must hold between the subnets of a lab, by address family."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ipaddress import IPv4Network, IPv6Network
from itertools import combinations

from provision.config.models import Lab
from provision.config.source import Fault, KeyPath, dotted

Subnet = IPv4Network | IPv6Network

# Where the provider takes management networks from: default_subnet_pools in provision/providers/podman/settings.py.
MANAGEMENT = IPv4Network("10.213.0.0/16")

# Shortest and longest prefix. Pods: one /24 or /64 a node, at most 16 bits more for all nodes. Services: at most 20
# bits, and the tenth address is the cluster DNS (kubeadm: ValidatePodSubnetNodeMask, ValidateServiceSubnetSize).
_PREFIXES = {
    "pod_subnet": (8, 24),
    "pod_subnet6": (48, 64),
    "service_subnet": (12, 28),
    "service_subnet6": (108, 124),
}


def _subnets(lab: Lab) -> dict[KeyPath, Subnet]:
    """The subnets in use, by where they stand."""
    cluster = lab.cluster
    found: dict[KeyPath, Subnet] = {
        ("lan", "subnet"): lab.lan.subnet,
        ("cluster", "pod_subnet"): cluster.pod_subnet,
        ("cluster", "service_subnet"): cluster.service_subnet,
    }
    if lab.dual_stack:
        if lab.lan.subnet6:
            found["lan", "subnet6"] = lab.lan.subnet6
        found["cluster", "pod_subnet6"] = cluster.pod_subnet6
        found["cluster", "service_subnet6"] = cluster.service_subnet6
    return found


def lan_subnet6(lab: Lab) -> Iterator[Fault]:
    """A LAN with IPv6 has a subnet for it."""
    if lab.dual_stack and lab.lan.subnet6 is None:
        remedy = "Give it one, or set `ip_families: [ipv4]`"
        yield Fault(("lan", "subnet6"), "'subnet6' has no value, and ip_families has 'ipv6'", remedy)


def a_part_for_each_node(lab: Lab) -> Iterator[Fault]:
    """The pods' subnets can be cut into one /24, and one /64, for each node."""
    parts: list[tuple[str, Subnet, int]] = [("pod_subnet", lab.cluster.pod_subnet, 24)]
    if lab.dual_stack:
        parts.append(("pod_subnet6", lab.cluster.pod_subnet6, 64))
    nodes = sum(host.carries_pods for host in lab.hosts)
    for key, subnet, length in parts:
        if (most := 2 ** (length - subnet.prefixlen)) < nodes:
            shorter = length - (nodes - 1).bit_length()
            yield Fault(
                ("cluster", key),
                f"'{key}' {subnet} has a /{length} for {most} of the lab's {nodes} nodes",
                f"Take a prefix of /{shorter} or shorter, or fewer workers",
                about=(("hosts",),),
            )


def unicast(lab: Lab) -> Iterator[Fault]:
    """Subnets hold addresses that hosts can have."""
    for path, subnet in _subnets(lab).items():
        special = subnet.is_multicast or subnet.is_loopback or subnet.is_link_local
        if special or subnet.is_unspecified or subnet.is_reserved:
            yield Fault(path, f"Subnet {subnet} has no addresses for hosts", "Take one of 10.0.0.0/8 or fd00::/8")


def prefixes(lab: Lab) -> Iterator[Fault]:
    """Kubernetes can divide its subnets."""
    for path, subnet in _subnets(lab).items():
        if path[-1] in _PREFIXES:
            low, high = _PREFIXES[str(path[-1])]
            if not low <= subnet.prefixlen <= high:
                problem = f"Subnet {subnet} does not suit '{path[-1]}': its prefix must be /{low} to /{high}"
                yield Fault(path, problem)


def overlaps(lab: Lab) -> Iterator[Fault]:
    """No address can be meant twice."""
    subnets = _subnets(lab)
    for (one, left), (other, right) in combinations(subnets.items(), 2):
        if left.version == right.version and left.overlaps(right):
            problem = f"{dotted(one)} {left} and {dotted(other)} {right} overlap"
            yield Fault(other, problem, "Choose one that is free", about=(one,))
    for path, subnet in subnets.items():
        if isinstance(subnet, IPv4Network) and subnet.overlaps(MANAGEMENT):
            problem = f"Subnet {subnet} overlaps {MANAGEMENT}, from which hosts get their management addresses"
            yield Fault(path, problem, "Choose one that is free")


RULES: tuple[Callable[[Lab], Iterator[Fault]], ...] = (
    lan_subnet6,
    unicast,
    prefixes,
    overlaps,
    a_part_for_each_node,
)
