"""Frames of every kind, built from their parts, with checksums where somebody would look at them."""

from __future__ import annotations

import struct
from ipaddress import ip_address

from tests.integration.multicast_policy.wire import SPACE, checksum

IP4, IP6, ARP = b"\x08\x00", b"\x86\xdd", b"\x08\x06"
HOP, ROUTING, FRAGMENT, AH, OPTIONS = 0, 43, 44, 51, 60  # IPv6 extension headers
ICMP, IGMP, UDP, ICMP6, PIM = 1, 2, 17, 58, 103
BROADCAST = b"\xff" * 6


def packed(address: str) -> bytes:
    return ip_address(address).packed


def group_mac(group: str) -> bytes:
    """RFC 1112, 6.4; RFC 2464, section 7."""
    octets = packed(group)
    return b"\x33\x33" + octets[-4:] if len(octets) == 16 else bytes([1, 0, 0x5E, octets[1] & 0x7F, *octets[2:]])


def ethernet(to: bytes, by: bytes, kind: bytes, payload: bytes, tags: bytes = b"") -> bytes:
    return to + by + tags + kind + payload


def ipv4(source: str, target: str, protocol: int, payload: bytes, *, fragment: int = 0, options: bytes = b"",
         ttl: int = 1) -> bytes:  # fmt: skip
    """`fragment` is the field of flags and offset; `options` have a multiple of four octets."""
    size = 20 + len(options)
    head = struct.pack("!BBHHHBBH", 0x40 | size // 4, 0, size + len(payload), 7, fragment, ttl, protocol, 0)
    head += packed(source) + packed(target) + options
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def ipv6(source: str, target: str, protocol: int, payload: bytes, *, hops: int = 255) -> bytes:
    return struct.pack("!IHBB", 6 << 28, len(payload), protocol, hops) + packed(source) + packed(target) + payload


def ip(source: str, target: str, payload: bytes, protocol: int = UDP) -> tuple[bytes, bytes]:
    """(Ethernet type, packet) in the family of the addresses."""
    if ":" in target:
        return IP6, ipv6(source, target, protocol, payload)
    return IP4, ipv4(source, target, protocol, payload)


def udp(port: int = 5005) -> bytes:
    """A datagram with a place for the number; without a checksum, which only IPv6 would ask for."""
    return struct.pack("!HHHH", port, port, 8 + len(SPACE), 0) + SPACE


def igmp(kind: int, body: bytes = bytes(4), delay: int = 100) -> bytes:
    """A message with its checksum."""
    message = bytes([kind, delay, 0, 0]) + body
    return message[:2] + struct.pack("!H", checksum(message)) + message[4:]


def icmp4(kind: int) -> bytes:
    message = bytes([kind, 1, 0, 0]) + bytes(4) + SPACE
    return message[:2] + struct.pack("!H", checksum(message)) + message[4:]


def icmp6(source: str, target: str, kind: int, body: bytes) -> bytes:
    message = bytes([kind, 0, 0, 0]) + body
    pseudo = packed(source) + packed(target) + struct.pack("!IHBB", len(message), 0, 0, ICMP6)
    return message[:2] + struct.pack("!H", checksum(pseudo + message)) + message[4:]


def extended(message: bytes, *headers: int, protocol: int = ICMP6) -> tuple[int, bytes]:
    """(first header, payload): `message` behind extension headers, each as short as it may be."""
    following, payload = protocol, message
    for header in reversed(headers):
        part = {
            HOP: bytes([following, 0, 5, 2, 0, 0, 1, 0]),  # a router alert
            ROUTING: bytes([following, 0, 4, 0]) + bytes(4),
            FRAGMENT: bytes([following, 0, 0, 0]) + b"\0\0\0\7",
            AH: bytes([following, 4, 0, 0]) + bytes(20),
            OPTIONS: bytes([following, 0, 1, 4]) + bytes(4),
        }[header]
        following, payload = header, part + payload
    return following, payload


def split6(source: str, target: str, first: int, payload: bytes, at: int, *, hops: int = 255) -> tuple[bytes, bytes]:
    """A packet in two fragments, the first with `at` octets (a multiple of eight) of what follows the IPv6 header."""
    one = bytes([first, 0]) + struct.pack("!H", 1) + b"\0\0\0\x09" + payload[:at]
    two = bytes([first, 0]) + struct.pack("!H", at) + b"\0\0\0\x09" + payload[at:]
    return ipv6(source, target, FRAGMENT, one, hops=hops), ipv6(source, target, FRAGMENT, two, hops=hops)
