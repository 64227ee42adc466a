"""What a host said of itself (agents/hostprobe), judged against what the lab needs of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from typing import Any

from provision.config import Host, Lab
from provision.core.errors import HostError, McastlabError
from provision.core.text import named
from provision.hosts.firewall import drops
from provision.providers import programs

Facts = Mapping[str, Any]
Fault = tuple[str, str, str]
"""What the host is or does ("has no …"), output of a tool, and the remedy."""

# os-release(5) ID and VERSION_ID. The roles are tested on Debian; on Ubuntu they are believed to work.
SYSTEMS = {"debian": ("12", "13"), "ubuntu": ("22.04", "24.04")}
_MACHINES = {"x86_64", "aarch64"}
_GIB = 2**30
# GiB by role: memory available, and free disk for bundle, images and logs.
_MEMORY = {"control-plane": 2.0, "worker": 1.0, "source": 0.25}
_DISK = {"control-plane": 4.0, "worker": 4.0, "source": 0.5}


def faults(lab: Lab, host: Host, facts: Facts, where: str) -> list[McastlabError]:
    """Everything that keeps this host from its place in `lab`; `where` is its SSH endpoint."""
    found = [*_system(facts)]
    for rule in (_kernel, _programs, _room, _interface, _tenants, _networks, _firewall, _membership):
        found += rule(lab, host, facts)
    return [
        HostError(f"Host '{host.name}' {what}", where=where, detail=detail, remedy=do) for what, detail, do in found
    ]


def _system(facts: Facts) -> Iterator[Fault]:
    name, version = facts["os"].get("ID", "?"), facts["os"].get("VERSION_ID", "?")
    if version not in SYSTEMS.get(name, ()):
        known = ", ".join(f"{system} {' or '.join(versions)}" for system, versions in SYSTEMS.items())
        shown = facts["os"].get("PRETTY_NAME", f"{name} {version}")
        yield f"runs {shown}, which the roles do not know", "", f"Take a host with {known}"
    if facts["machine"] not in _MACHINES:
        yield f"has a processor of kind {facts['machine']}", "", f"Take one of {', '.join(sorted(_MACHINES))}"
    if not facts["systemd"]:
        yield "is not run by systemd, which the roles need", "", "Boot it with systemd"


def _kernel(lab: Lab, host: Host, facts: Facts) -> Iterator[Fault]:
    if not host.carries_pods:
        return  # a source sends, and needs no more than an interface
    for feature, detail in facts["kernel"].items():
        if detail:
            module = {"bridge snooping": "bridge", "nftables": "nf_tables"}.get(feature, feature)
            remedy = f"Load its module (`modprobe {module}`), or boot a kernel that has it; Debian's own has"
            yield f"has a kernel that cannot do {feature}", detail, remedy


def _programs(lab: Lab, host: Host, facts: Facts) -> Iterator[Fault]:
    if host.carries_pods and lab.multicast.namespaces and facts["programs"]:
        what = "has a kernel that takes no programs (eBPF) at interfaces, which `multicast.namespaces` needs"
        yield what, facts["programs"], programs.REMEDY


def _room(lab: Lab, host: Host, facts: Facts) -> Iterator[Fault]:
    if facts["held"]:
        return  # what is taken, the lab itself has taken
    memory, needed = facts["memory"] / _GIB, _MEMORY[host.role]
    if memory < needed:
        yield f"has {memory:.1f} GiB of memory available, {needed:g} are needed", "", "End something there"
    for path, free in facts["disk"].items():
        room, needed = free / _GIB, _DISK[host.role]
        if room < needed:
            yield f"has {room:.1f} GiB of disk free below {path}, {needed:g} are needed", "", "Free some there"


def _interface(lab: Lab, host: Host, facts: Facts) -> Iterator[Fault]:
    name = lab.lan.interface
    links = {link["ifname"]: link for link in facts["links"]}
    if name not in links:
        others = named(other for other in links if other != "lo")
        remedy = f"Name the one on the multicast LAN by `lan.interface`; those it has: {others}"
        yield f"has no interface '{name}'", "", remedy
        return
    link = links[name]
    if "UP" not in link["flags"]:
        yield (
            f"has interface '{name}' down",
            "",
            f"Run there `ip link set {name} up`, and set it so in its network configuration",
        )
    elif "LOWER_UP" not in link["flags"]:
        yield f"has no carrier on interface '{name}'", "", "Plug its cable in, or switch the other end on"
    if "MULTICAST" not in link["flags"]:
        yield f"has interface '{name}' without multicast", "", f"Run there `ip link set {name} multicast on`"
    if master := link.get("master"):
        remedy = f"Take '{name}' out of it (`ip link set {name} nomaster`), or set `lan.interface` to a free one"
        yield f"has interface '{name}' in '{master}', where macvlan cannot stand on it", "", remedy
    yield from _addresses(lab, host, link)


def _addresses(lab: Lab, host: Host, link: Mapping[str, Any]) -> Iterator[Fault]:
    has = [info["local"] for info in link["addr_info"] if info["scope"] == "global"]
    wanted = [(host.address, lab.lan.subnet), *([(host.address6, lab.lan.subnet6)] if lab.dual_stack else [])]
    for address, subnet in wanted:
        if str(address) not in has and subnet is not None:
            shown = ", ".join(has) or "none"
            remedy = (
                f"Run there `ip address add {address}/{subnet.prefixlen} dev {link['ifname']}`, and set it so in its"
                f" network configuration; addresses that it has: {shown}"
            )
            yield f"does not have the address {address} on interface '{link['ifname']}'", "", remedy


def _tenants(lab: Lab, host: Host, facts: Facts) -> Iterator[Fault]:
    """Interfaces that namespaces were given."""
    names = {link["ifname"] for link in facts["links"]}
    for tenant in lab.tenants.namespaces if host.carries_pods else ():
        for master in sorted({*tenant.masters} - names):
            remedy = f"Remove it from what tenants.namespaces gives '{tenant.namespace}'"
            yield f"has no interface '{master}', which namespace '{tenant.namespace}' may use", "", remedy


def _networks(lab: Lab, host: Host, facts: Facts) -> Iterator[Fault]:
    """Other bridges and networks in the place of the lab's."""
    if not host.carries_pods:
        return
    names = {link["ifname"] for link in facts["links"]}
    if "cni0" in names and not facts["held"]:
        remedy = "Remove what made it, or that alone: `ip link delete cni0`"
        yield "has a bridge 'cni0', the name of the lab's own for pods", "", remedy
    cluster = lab.cluster
    ours = {"cluster.pod_subnet": cluster.pod_subnet, "cluster.service_subnet": cluster.service_subnet}
    for route in facts["routes"]:
        if route["dst"] == "default" or route.get("dev") in {"cni0", "lo"}:
            continue
        taken = ip_network(route["dst"], strict=False)
        for key, subnet in ours.items():
            if taken.version == subnet.version and taken.overlaps(subnet) and not facts["held"]:
                remedy = f"Give the lab another `{key}`"
                yield f"has {taken} on '{route.get('dev')}', which {key} {subnet} overlaps", "", remedy


def _firewall(lab: Lab, host: Host, facts: Facts) -> Iterator[Fault]:
    """On the node, bridged packets will pass the ip rules: pods need it to reach services."""
    if not host.carries_pods:
        return
    for drop in drops(facts["firewall"]["nft"], nf_call=True, lab_names={'"cni0"', f'"{lab.lan.interface}"'}):
        remedy = "Accept what comes in by cni0 in that chain (iifname cni0 accept), or remove what made it"
        yield f"has a firewall that drops bridged traffic: '{drop}'", "", remedy
    if facts["firewall"]["legacy_drop"]:
        remedy = "Run there `iptables-legacy -P FORWARD ACCEPT`, or remove what set it"
        yield "has a firewall that drops bridged traffic: iptables-legacy, chain FORWARD: policy DROP", "", remedy


def _membership(lab: Lab, host: Host, facts: Facts) -> Iterator[Fault]:
    refusals = [tuple(refusal) for refusal in facts["refusals"]]
    for what, remedy in refusals:
        yield what, "", remedy
    if host.carries_pods and not facts["held"] and not refusals:
        for port, use in facts["ports"].items():
            if host.role == "worker" and use != "kubelet":
                continue
            yield f"has port {port} taken, which is for {use}", "", f"End what listens there: `ss -ltnp sport = {port}`"
