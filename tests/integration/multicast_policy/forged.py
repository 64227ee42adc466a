"""Frames as an attacker's pod would send them, in hex."""

from __future__ import annotations

import struct

from tests.integration.multicast_policy import frames as f
from tests.integration.multicast_policy.frames import ICMP6, IGMP, PIM, UDP, igmp

ALERT = b"\x94\x04\x00\x00"  # the router alert option that IGMP has (RFC 2113)
MAC = bytes.fromhex("0a5800000001")


def ipv4(source: str, group: str, protocol: int, payload: bytes, *, fragment: int = 0, mac: bytes = b"") -> str:
    """A frame with a router alert; `fragment` is the field with flags and offset."""
    packet = f.ipv4(source, group, protocol, payload, fragment=fragment, options=ALERT)
    return f.ethernet(mac or f.group_mac(group), MAC, f.IP4, packet).hex()


def ipv6(source: str, group: str, kind: int, body: bytes) -> str:
    """An ICMPv6 frame behind a hop-by-hop header with a router alert, as MLD has it (RFC 3810, section 5)."""
    first, payload = f.extended(f.icmp6(source, group, kind, body), f.HOP, protocol=ICMP6)
    return f.ethernet(f.group_mac(group), MAC, f.IP6, f.ipv6(source, group, first, payload, hops=1)).hex()


def udp(source: str, group: str, text: str, port: int = 5005) -> str:
    """A datagram in a frame, without the checksum that IPv4 does not ask for."""
    return ipv4(source, group, UDP, struct.pack("!HHHH", port, port, 8 + len(text), 0) + text.encode())


def queries(source: str, source6: str, victim: bytes) -> list[str]:
    """Everything that would make a port a router's or silence the bridge's own queries, in every version."""
    v1, v2, v3 = igmp(0x11, bytes(4), 0), igmp(0x11, bytes(4)), igmp(0x11, bytes(8))
    mld1, mld2 = bytes(20), bytes(24)
    return [
        *(ipv4(source, "224.0.0.1", IGMP, message) for message in (v1, v2, v3)),
        ipv4(source, "224.0.0.1", IGMP, v2, mac=victim),
        # A first and a later fragment, which the bridge reads as if they were whole.
        ipv4(source, "224.0.0.1", IGMP, v3, fragment=0x2000),
        ipv4(source, "224.0.0.1", IGMP, v3, fragment=0x0001),
        *(ipv6(source6, "ff02::1", 130, body) for body in (mld1, mld2)),
        # Multicast router discovery (RFC 4286) and PIM hello (RFC 7761, 4.9.2).
        ipv4(source, "224.0.0.106", IGMP, igmp(0x30, bytes(4), 20)),
        ipv6(source6, "ff02::6a", 151, bytes(4)),
        ipv4(source, "224.0.0.13", PIM, b"\x20\x00\xdf\xff"),
    ]
