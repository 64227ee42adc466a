"""Joins sixty groups of each kind on one socket a kind, and tells how many it joined and heard; or sends to all.

    many_groups.py hear INTERFACE SOURCE4 SOURCE6
    many_groups.py send INTERFACE SECONDS

Runs in pods and on hosts by `python3 -c`: standard library only.
"""

import json
import select
import socket
import struct
import sys
import time

COUNT = 60
PORT = 5600
# From linux/in.h; one form for both families (RFC 3678).
MCAST_JOIN_GROUP, MCAST_JOIN_SOURCE_GROUP = 42, 46
KINDS = {  # the group of a number; and whether its members name a source
    "asm4": ("239.60.0.%d", False),
    "ssm4": ("232.60.0.%d", True),
    "asm6": ("ff15::60:%x", False),
    "ssm6": ("ff35::60:%x", True),
}


def family(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def storage(address: str) -> bytes:
    """The address as a sockaddr_storage."""
    packed = socket.inet_pton(family(address), address)
    head = struct.pack("HHI" if ":" in address else "HH", family(address), 0, *([0] if ":" in address else []))
    return (head + packed).ljust(128, b"\0")


def join(sock: socket.socket, index: int, group: str, source: str = "") -> bool:
    level = socket.IPPROTO_IPV6 if sock.family == socket.AF_INET6 else socket.IPPROTO_IP
    request = struct.pack("@I4x", index) + storage(group) + (storage(source) if source else b"")
    try:
        sock.setsockopt(level, MCAST_JOIN_SOURCE_GROUP if source else MCAST_JOIN_GROUP, request)
    except OSError:
        return False
    return True


def hear(interface: str, source4: str, source6: str) -> dict[str, object]:
    index, joined, heard = socket.if_nametoindex(interface), {}, {}
    socks = {}
    for place, (kind, (form, named)) in enumerate(KINDS.items()):
        sock = socks[kind] = socket.socket(family(form % 1), socket.SOCK_DGRAM)
        sock.bind(("", PORT + place))
        source = {socket.AF_INET: source4, socket.AF_INET6: source6}[sock.family] if named else ""
        joined[kind] = sum(join(sock, index, form % number, source) for number in range(1, COUNT + 1))
        heard[kind] = set()
    filtered = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sources = [source4, *(f"192.0.2.{number}" for number in range(1, COUNT))]
    joined["sources"] = sum(join(filtered, index, "232.60.1.1", source) for source in sources)
    print("joined", flush=True)
    ends = time.monotonic() + 30
    while any(len(numbers) < COUNT for numbers in heard.values()) and time.monotonic() < ends:
        readable, _, _ = select.select(list(socks.values()), [], [], 1)
        for kind, sock in socks.items():
            if sock in readable:
                heard[kind].add(sock.recv(100))
    return {"joined": joined, "heard": {kind: len(numbers) for kind, numbers in heard.items()}}


def send(interface: str, seconds: float) -> None:
    index = socket.if_nametoindex(interface)
    socks = {number: socket.socket(number, socket.SOCK_DGRAM) for number in (socket.AF_INET, socket.AF_INET6)}
    by_index = struct.pack("@4s4sI", b"", b"", index)
    socks[socket.AF_INET].setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, by_index)
    socks[socket.AF_INET6].setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        for place, (form, _) in enumerate(KINDS.values()):
            for number in range(1, COUNT + 1):
                socks[family(form % 1)].sendto(str(number).encode(), (form % number, PORT + place))
        time.sleep(0.5)


if sys.argv[1] == "hear":
    print(json.dumps(hear(*sys.argv[2:])))
else:
    send(sys.argv[2], float(sys.argv[3]))
