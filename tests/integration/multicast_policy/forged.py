"""Frames as an attacker's pod would send them, byte by byte."""

from __future__ import annotations

import socket
import struct

IGMP, PIM, UDP, ICMPV6 = 2, 103, 17, 58
MAC = bytes.fromhex("0a5800000001")


def checksum(data: bytes) -> int:
    """Of the Internet (RFC 1071)."""
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def _to(group: str) -> bytes:
    """The Ethernet address of an IP group (RFC 1112, 6.4; RFC 2464, section 7)."""
    if ":" in group:
        return b"\x33\x33" + socket.inet_pton(socket.AF_INET6, group)[-4:]
    low = socket.inet_aton(group)
    return bytes([1, 0, 0x5E, low[1] & 0x7F, low[2], low[3]])


def ipv4(source: str, group: str, protocol: int, payload: bytes, *, fragment: int = 0, mac: bytes = b"") -> str:
    """A frame with a router alert option, as IGMP has it; `fragment` is the field with flags and offset."""
    options = b"\x94\x04\x00\x00"
    length = 24 + len(payload)
    head = struct.pack("!BBHHHBBH4s4s", 0x46, 0xC0, length, 1, fragment, 1, protocol, 0,
                       socket.inet_aton(source), socket.inet_aton(group)) + options  # fmt: skip
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return ((mac or _to(group)) + MAC + b"\x08\x00" + head + payload).hex()


def ipv6(source: str, group: str, kind: int, body: bytes, *, hops: int = 1, mac: bytes = b"") -> str:
    """An ICMPv6 frame behind a hop-by-hop header with a router alert, as MLD has it (RFC 3810, section 5)."""
    start, end = (socket.inet_pton(socket.AF_INET6, address) for address in (source, group))
    message = bytes([kind, 0, 0, 0]) + body
    pseudo = start + end + struct.pack("!IHBB", len(message), 0, 0, ICMPV6)
    message = message[:2] + struct.pack("!H", checksum(pseudo + message)) + message[4:]
    alert = bytes([ICMPV6, 0, 5, 2, 0, 0, 1, 0])
    head = struct.pack("!IHBB", 6 << 28, len(alert) + len(message), 0, hops) + start + end
    return ((mac or _to(group)) + MAC + b"\x86\xdd" + head + alert + message).hex()


def igmp(kind: int, body: bytes, delay: int = 100) -> bytes:
    """An IGMP message with its checksum."""
    message = bytes([kind, delay, 0, 0]) + body
    return message[:2] + struct.pack("!H", checksum(message)) + message[4:]


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
        ipv4(source, "224.0.0.13", PIM, b"\x20\x00\xdf\xff" + b"\x00\x01\x00\x02\x00\x69"[:0]),
    ]
