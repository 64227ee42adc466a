"""What runs in a pod of these tests: a receiver that prints what it hears, a sender, and one that forges frames."""

from __future__ import annotations

import json
import socket
import struct
import sys
import time

PORT = 5005


def _family(group: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in group else socket.AF_INET


def _join(sock: socket.socket, group: str, interface: str, source: str) -> None:
    index = socket.if_nametoindex(interface)
    if source:
        mreq = b"".join(socket.inet_aton(address) for address in (group, "0.0.0.0", source))  # noqa: S104
        sock.setsockopt(socket.IPPROTO_IP, 39, mreq)  # IP_ADD_SOURCE_MEMBERSHIP, linux/in.h
    elif ":" in group:
        mreq = struct.pack("=16si", socket.inet_pton(socket.AF_INET6, group), index)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, mreq)
    else:
        mreq = struct.pack("=4s4si", socket.inet_aton(group), bytes(4), index)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, mreq)


def hear(interface: str, *groups: str) -> None:
    """Join each group (`GROUP` or `GROUP<SOURCE`), print `ready`, then text and sender of each datagram, as JSON."""
    import select

    sockets = {}
    for wanted in groups:
        group, _, source = wanted.partition("<")
        sock = socket.socket(_family(group), socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        scope = (0, socket.if_nametoindex(interface)) if ":" in group else ()
        sock.bind((group, PORT, *scope))
        if group[0] in "2f":
            _join(sock, group, interface, source)
        sockets[sock] = group
    print(json.dumps("ready"), flush=True)
    while True:
        for sock in select.select(list(sockets), [], [])[0]:
            data, sender = sock.recvfrom(65535)
            print(json.dumps([data.decode(), sender[0], sockets[sock]]), flush=True)


def say(interface: str, group: str, text: str, count: str = "3", gap: str = "0.02") -> None:
    """Send `text` to a group or an address `count` times, with `gap` seconds between."""
    sock = socket.socket(_family(group), socket.SOCK_DGRAM)
    index = socket.if_nametoindex(interface)
    if ":" in group:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 5)
    else:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack("=4s4si", bytes(4), bytes(4), index))
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 5)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    for number in range(int(count)):
        if number:
            time.sleep(float(gap))
        sock.sendto(text.encode(), (group, PORT))


def frames(interface: str, count: str, *hexes: str) -> None:
    """Send raw frames, each `count` times."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    sock.bind((interface, 0))
    for text in hexes:
        for _ in range(int(count)):
            sock.send(bytes.fromhex(text))


def datagrams(address: str, port: str, ttl: str, content: str) -> None:
    """Send a datagram of these octets three times to a host."""
    sock = socket.socket(_family(address), socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, int(ttl))
    for _ in range(3):
        sock.sendto(bytes.fromhex(content), (address, int(port)))


def questions(interface: str, seconds: str) -> None:
    """Print, once, from which addresses general IGMP queries came within so many seconds."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
    sock.bind((interface, 0x0800))
    found, end = set(), time.monotonic() + float(seconds)
    while (left := end - time.monotonic()) > 0:
        sock.settimeout(left)
        try:
            packet = sock.recv(2048)
        except TimeoutError:
            break
        at = (packet[0] & 15) * 4
        if packet[9] == socket.IPPROTO_IGMP and packet[at] == 0x11:
            found.add(socket.inet_ntoa(packet[12:16]))
    print(json.dumps(sorted(found)), flush=True)


if __name__ == "__main__":
    {"hear": hear, "say": say, "frames": frames, "questions": questions, "datagrams": datagrams}[sys.argv[1]](
        *sys.argv[2:]
    )
