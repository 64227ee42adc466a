"""A member of a group for some seconds: it sends its tag, and tells at the end whose datagrams came, and when.

Runs in pods and on hosts by `python3 -c`: standard library only. Prints one JSON object:
{"joined": time, "ended": time, "sent": count, "bins": [number], "heard": {tag: {"count", "last", "bins"}}}
with times as unix time in seconds. `bins` are numbers of quarters of a second by the sender's clock, which travels in
each datagram: those in which it sent, and those of which something was heard, however late that was.
"""

from __future__ import annotations

import argparse
import json
import select
import socket
import struct
import sys
import time

QUARTER = 0.25
_MARK = "mcastlab"
# From linux/in.h and linux/in6.h; Python 3.11 has no names for them.
_IP_ADD_SOURCE_MEMBERSHIP, _IP_MULTICAST_ALL = 39, 49
_MCAST_JOIN_SOURCE_GROUP, _IPV6_MULTICAST_ALL = 46, 29


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("group")
    parser.add_argument("port", type=int)
    parser.add_argument("tag")
    parser.add_argument("seconds", type=float)
    parser.add_argument("--rate", type=float, default=0, help="datagrams a second; 0: send nothing")
    parser.add_argument("--no-join", action="store_true")
    parser.add_argument("--source", default="", help="join for this source only (RFC 4607)")
    parser.add_argument("--interface", default="eth0")
    parser.add_argument("--ttl", type=int, default=64)
    return parser.parse_args()


def receiver(given: argparse.Namespace, index: int) -> socket.socket:
    """A socket that gets the group's datagrams for `given.port`, and no others."""
    six = ":" in given.group
    made = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    if six:
        # Only what this socket joined, not what any other of the host did.
        made.setsockopt(socket.IPPROTO_IPV6, _IPV6_MULTICAST_ALL, 0)
        made.bind((given.group, given.port, 0, index))
    else:
        made.setsockopt(socket.IPPROTO_IP, _IP_MULTICAST_ALL, 0)
        made.bind((given.group, given.port))
    if not given.no_join:
        (join6 if six else join4)(made, given, index)
    return made


def join4(made: socket.socket, given: argparse.Namespace, index: int) -> None:
    group = socket.inet_aton(given.group)
    if given.source:
        member = struct.pack("=4s4s4s", group, own_address(given.interface), socket.inet_aton(given.source))
        made.setsockopt(socket.IPPROTO_IP, _IP_ADD_SOURCE_MEMBERSHIP, member)
    else:
        made.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, struct.pack("=4s4si", group, bytes(4), index))


def join6(made: socket.socket, given: argparse.Namespace, index: int) -> None:
    if given.source:
        member = struct.pack("=II", index, 0) + storage(given.group) + storage(given.source)
        made.setsockopt(socket.IPPROTO_IPV6, _MCAST_JOIN_SOURCE_GROUP, member)
    else:
        member = struct.pack("=16sI", socket.inet_pton(socket.AF_INET6, given.group), index)
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, member)


def storage(address: str) -> bytes:
    """A struct sockaddr_storage of 128 bytes that holds an IPv6 address."""
    head = struct.pack("=HHI", socket.AF_INET6, 0, 0)
    return (head + socket.inet_pton(socket.AF_INET6, address)).ljust(128, b"\0")


def own_address(interface: str) -> bytes:
    """The interface's IPv4 address (SIOCGIFADDR, netdevice(7))."""
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        answer = fcntl.ioctl(asking, 0x8915, struct.pack("256s", interface.encode()))
    return answer[20:24]


def sender(given: argparse.Namespace, index: int) -> socket.socket:
    six = ":" in given.group
    made = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
    if six:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, given.ttl)
    else:
        member = struct.pack("=4s4si", bytes(4), bytes(4), index)
        made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, member)
        made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, given.ttl)
    return made


def enter(heard: dict, data: bytes, own: str) -> None:
    """Count one datagram that came now; its own copies and what is not ours do not count."""
    words = data.decode(errors="replace").split()
    if len(words) != 3 or words[0] != _MARK or words[1] == own or not words[2].isdecimal():
        return
    entry = heard.setdefault(words[1], {"count": 0, "last": 0.0, "bins": []})
    entry["count"] += 1
    entry["last"] = time.time()
    add(entry["bins"], int(words[2]))


def add(bins: list, number: int) -> None:
    if number not in bins[-8:]:
        bins.append(number)


def run(given: argparse.Namespace) -> dict:
    index = socket.if_nametoindex(given.interface)
    receiving, sending = receiver(given, index), sender(given, index)
    heard: dict = {}
    bins: list = []
    joined, sent = time.time(), 0
    end, step = joined + given.seconds, 1 / given.rate if given.rate else given.seconds + 1
    due = joined + (0 if given.rate else step)
    while (now := time.time()) < end:
        if now >= due:
            try:
                quarter = int(time.time() / QUARTER)
                sending.sendto(f"{_MARK} {given.tag} {quarter}".encode(), (given.group, given.port))
                sent += 1
                add(bins, quarter)
            except BlockingIOError:
                pass
            due = max(due + step, now - 10 * step)
        ready, _, _ = select.select([receiving], [], [], max(0.0, min(due, end) - time.time()))
        if ready:
            enter(heard, receiving.recv(2048), given.tag)
    return {"joined": joined, "ended": time.time(), "sent": sent, "bins": bins, "heard": heard}


if __name__ == "__main__":
    try:
        print(json.dumps(run(options())))
    except OSError as error:
        sys.exit(str(error))
