#!/usr/bin/env python3
"""Peers find each other by multicast: each sends its name every 2 s, listens, and marks dead who is silent for 5 s.

Settings, by environment: HOSTNAME (what it calls itself), DISCOVERY_GROUP, DISCOVERY_PORT, DISCOVERY_INTERFACE (the
IPv4 address of the interface that it sends and listens on; the default route's if none) and HTTP_PORT, where it serves
its map as JSON (/peers), as a page that updates by itself (/) and its health (/healthz). Standard library only.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import sys
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SEND_SECONDS = 2.0
REAP_SECONDS = 3.0
DEAD_SECONDS = 5.0
_TTL = 64  # within one layer-2 network 1 would do; OVN-Kubernetes routes between nodes
_LONGEST_NAME = 253
_PAGE = Path(__file__).with_name("page.html")


@dataclass
class Peer:
    """Another instance: when it was last heard (monotonic clock), from where, how often, and whether it is alive."""

    name: str
    address: str
    last: float
    heard: int = 1
    alive: bool = True


@dataclass
class Peers:
    """The map of peers; several threads use it."""

    own: str
    peers: dict[str, Peer] = field(default_factory=dict)
    sent: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def hear(self, name: str, address: str, now: float) -> str:
        """Enter that `name` was heard; return what is new about it, for the log."""
        if name == self.own:
            return ""
        with self.lock:
            peer = self.peers.get(name)
            if peer is None:
                self.peers[name] = Peer(name, address, now)
                return f"found {name} at {address}"
            back = "" if peer.alive else f"{name} is alive again"
            peer.last, peer.address, peer.alive, peer.heard = now, address, True, peer.heard + 1
            return back

    def reap(self, now: float) -> list[str]:
        """Mark dead who has been silent for too long; return what is new, for the log."""
        with self.lock:
            dead = [peer for peer in self.peers.values() if peer.alive and now - peer.last > DEAD_SECONDS]
            for peer in dead:
                peer.alive = False
            return [f"{peer.name} is dead: silent for {now - peer.last:.1f} s" for peer in dead]

    def shown(self, now: float) -> dict[str, object]:
        """The map as /peers serves it; ages in seconds."""
        with self.lock:
            rows = [
                {
                    "name": peer.name,
                    "address": peer.address,
                    "alive": peer.alive,
                    "age": round(now - peer.last, 1),
                    "heard": peer.heard,
                }
                for peer in sorted(self.peers.values(), key=lambda peer: peer.name)
            ]
        return {"name": self.own, "sent": self.sent, "peers": rows}


def listening_socket(group: str, port: int, interface: str) -> socket.socket:
    """A socket that has joined the group; several on one host can."""
    found = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Bound to the group: what is sent to the port by unicast or to another group is not for us.
    found.bind((group, port))
    member = struct.pack("4s4s", socket.inet_aton(group), socket.inet_aton(interface or "0.0.0.0"))  # noqa: S104
    found.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
    return found


def sending_socket(interface: str) -> socket.socket:
    found = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    found.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, _TTL)
    if interface:
        found.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(interface))
    return found


def listen(peers: Peers, found: socket.socket) -> None:
    while True:
        data, (address, _port) = found.recvfrom(2048)
        if name := name_in(data):
            say(peers.hear(name, address, time.monotonic()))


def name_in(data: bytes) -> str:
    """The name in a datagram; empty when it is none. Anyone may send anything: a name is a printable, short text."""
    try:
        name = data.decode().strip()
    except UnicodeDecodeError:
        return ""
    return name if len(name) <= _LONGEST_NAME and name.isprintable() else ""


def send(peers: Peers, found: socket.socket, group: str, port: int) -> None:
    trouble = ""
    while True:
        try:
            found.sendto(peers.own.encode(), (group, port))
            peers.sent += 1
            trouble = ""
        except OSError as error:  # the interface may come up later
            if trouble != str(error):
                say(f"cannot send to {group}: {error}")
            trouble = str(error)
        time.sleep(SEND_SECONDS)


def reap(peers: Peers) -> None:
    while True:
        time.sleep(REAP_SECONDS)
        for line in peers.reap(time.monotonic()):
            say(line)


def say(line: str) -> None:
    if line:
        print(line, flush=True)


class Handler(BaseHTTPRequestHandler):
    peers: Peers

    def do_GET(self) -> None:
        if self.path == "/peers":
            self._reply("application/json", json.dumps(self.peers.shown(time.monotonic())).encode())
        elif self.path == "/healthz":
            self._reply("text/plain", b"ok\n")
        elif self.path == "/":
            self._reply("text/html; charset=utf-8", _PAGE.read_bytes())
        else:
            self.send_error(404)

    def _reply(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        return  # the log is of peers


def main() -> None:
    own = os.environ.get("HOSTNAME") or socket.gethostname()
    group = os.environ.get("DISCOVERY_GROUP", "239.255.42.99")
    port = int(os.environ.get("DISCOVERY_PORT", "9999"))
    interface = os.environ.get("DISCOVERY_INTERFACE", "")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    peers = Peers(own)
    Handler.peers = peers
    receiver = listening_socket(group, port, interface)
    work = (
        threading.Thread(target=listen, args=(peers, receiver), daemon=True),
        threading.Thread(target=send, args=(peers, sending_socket(interface), group, port), daemon=True),
        threading.Thread(target=reap, args=(peers,), daemon=True),
    )
    for thread in work:
        thread.start()
    server = ThreadingHTTPServer(("", int(os.environ.get("HTTP_PORT", "8080"))), Handler)
    say(f"{own} sends to {group}:{port} every {SEND_SECONDS:g} s")
    server.serve_forever()


if __name__ == "__main__":
    main()
