"""What the rules are made from: the policy of the cluster, and the ports of this node."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Any

# Addresses that a port's entry holds (struct port of ebpf/policy.c), the link-local one among the second.
V4, V6 = 2, 4


@dataclass(frozen=True)
class Port:
    """A port of the bridge and the pod behind it, as the runtime's CNI result has them.

    `addresses` are the pod's own, as text without prefix length; `mac` is its interface's; `uid` is the pod's.
    """

    name: str
    container: str
    namespace: str
    pod: str
    addresses: tuple[str, ...]
    mac: str
    uid: str = ""

    @classmethod
    def of(cls, record: dict[str, Any]) -> Port:
        """From a record of the plug-in `bind`; raises KeyError, TypeError or ValueError on any other content."""
        texts = {key: record[key] for key in ("port", "container", "namespace", "pod", "mac", "uid")}
        addresses = record["addresses"]
        if not all(isinstance(value, str) for value in [*texts.values(), *addresses]):
            raise TypeError("not text")
        return cls(texts.pop("port"), addresses=tuple(addresses), **texts)

    def check(self) -> None:
        """Raises ValueError when it has what the programs cannot hold: `V4` and `V6` addresses."""
        found = [ip_address(address) for address in self.addresses]
        if sum(a.version == 4 for a in found) > V4 or sum(a.version == 6 for a in found) >= V6:
            raise ValueError(f"more than {V4} IPv4 or {V6 - 1} IPv6 addresses")

    @property
    def v4(self) -> list[str]:
        return [address for address in self.addresses if ":" not in address]

    @property
    def v6(self) -> list[str]:
        """With the link-local address that the kernel makes of the MAC address (RFC 4291, appendix A)."""
        return [*(address for address in self.addresses if ":" in address), link_local(self.mac)]


@dataclass(frozen=True)
class Node:
    """A node of the cluster: its IPv4 address on the network that joins the nodes, and its subnets of pods."""

    name: str
    address: str
    subnets: tuple[str, ...]


@dataclass(frozen=True)
class Tunnel:
    """An enabled namespace's way to the other nodes; `subnets` are this node's, `crossing` is as in Policy."""

    namespace: str
    netid: int
    subnets: tuple[str, ...]
    crossing: str

    @property
    def device(self) -> str:
        return f"vx{self.netid:06x}"


@dataclass(frozen=True)
class Policy:
    """MulticastPolicy/cluster: its generation, the enabled namespaces, and the groups shared with the node.

    `netids` are (namespace, netid) of the enabled ones. With several `nodes`, multicast crosses between them, unless
    `apart` says why not; `crossing` is the IPv4 address from which a bridge's questions then cross.
    """

    generation: int = 0
    namespaces: tuple[str, ...] = ()
    node_groups: tuple[str, ...] = ()
    netids: tuple[tuple[str, int], ...] = ()
    nodes: tuple[Node, ...] = ()
    apart: str = ""
    crossing: str = ""

    @classmethod
    def of(cls, item: dict[str, Any]) -> Policy:
        """From the object as the API server has it."""
        spec = item.get("spec", {})
        netids = sorted({(entry["name"], entry["netid"]) for entry in spec.get("namespaces", [])})
        across = spec.get("across", {})
        nodes = (Node(one["name"], one["address"], tuple(one["subnets"])) for one in across.get("nodes", []))
        return cls(
            item["metadata"]["generation"],
            tuple(name for name, _ in netids),
            tuple(sorted(set(spec.get("nodeGroups", [])))),
            tuple(netids),
            tuple(nodes),
            across.get("apart", ""),
            across.get("crossing", ""),
        )


def link_local(mac: str) -> str:
    """The link-local address by EUI-64 of a MAC address written with colons."""
    octets = [int(part, 16) for part in mac.split(":")]
    if len(octets) != 6:
        raise ValueError(f"'{mac}' is not a MAC address")
    octets[0] ^= 2
    eui = bytes([*octets[:3], 0xFF, 0xFE, *octets[3:]])
    return str(IPv6Address(b"\xfe\x80" + bytes(6) + eui))


def packed(address: str) -> bytes:
    """An address in 16 octets; IPv4 as mapped into IPv6 (RFC 4291, 2.5.5.2)."""
    found = ip_address(address)
    return found.packed if found.version == 6 else bytes(10) + b"\xff\xff" + found.packed
