"""What the kernel says of an interface: its counters and its group memberships."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address

_COUNTERS = ("rx_packets", "tx_packets")


@dataclass(frozen=True)
class Snapshot:
    """One interface's counters in packets, and where in its network namespace each group is joined."""

    received: int
    sent: int
    memberships: dict[str, frozenset[IPv4Address]]

    def joined(self, group: IPv4Address) -> frozenset[str]:
        """The interfaces on which `group` is joined."""
        return frozenset(name for name, groups in self.memberships.items() if group in groups)


def snapshot_argv(interface: str) -> list[str]:
    """The command that `parse_snapshot` reads."""
    return ["cat", *(f"/sys/class/net/{interface}/statistics/{name}" for name in _COUNTERS), "/proc/net/igmp"]


def parse_snapshot(text: str) -> Snapshot:
    """Raises ValueError when the counters are missing."""
    received, sent, igmp = text.split("\n", 2)
    return Snapshot(int(received), int(sent), parse_igmp(igmp))


def parse_igmp(text: str) -> dict[str, frozenset[IPv4Address]]:
    """/proc/net/igmp as groups by interface.

    The kernel prints the address in network byte order as a number of the host (net/ipv4/igmp.c, %08X), which on
    little-endian machines turns its bytes round.
    """
    groups: dict[str, set[IPv4Address]] = {}
    interface = ""
    for line in text.splitlines():
        if head := re.match(r"\d+\t([^\s:]+)", line):
            interface = head[1]
            groups[interface] = set()
        elif (group := re.match(r"\t+([0-9A-F]{8}) ", line)) and interface:
            groups[interface].add(IPv4Address(bytes.fromhex(group[1])[::-1]))
    return {name: frozenset(found) for name, found in groups.items()}
