"""The maps that the programs read, as ebpf/policy.c has them: entries packed, and what was counted read."""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import ip_address, ip_network

from . import bpf
from .hooks import PINS
from .model import Policy, Port, Tunnel, packed

UNBOUND, NODE, _FIRST = 0, 1, 2  # slots of counters
MOST = 4096 - _FIRST  # ports: the bridge's own MAC address is among the owners
MOST_SHARED = 1024
_PORT, _COUNTS = struct.Struct("=Q6sBBI8s64sI"), struct.Struct("=7Q")
_ENABLED_AT, _SLOT_AT, _INDEX_AT = 14, 16, 92
_PLACES = 4096
_SHAPES = {
    "ports": bpf.Shape(bpf.ARRAY, 4, _PORT.size, _PLACES),
    "far_ports": bpf.Shape(bpf.HASH, 4, _PORT.size, _PLACES),
    "owners": bpf.Shape(bpf.HASH, 8, 4, 4096),
    "shared": bpf.Shape(bpf.HASH, 16, 4, MOST_SHARED),
    "counters": bpf.Shape(bpf.PERCPU_ARRAY, 4, _COUNTS.size, 4096),
}


@dataclass(frozen=True)
class Counts:
    """What a port's programs counted, in frames to groups.

    `received` from the pod is what passed, and `off`, `forged`, `control` and `not_allowed`, for which it was refused.
    `delivered` and `withheld` are copies that came to the pod's port: within its namespace, and from elsewhere.
    """

    received: int = 0
    off: int = 0
    forged: int = 0
    control: int = 0
    not_allowed: int = 0
    delivered: int = 0
    withheld: int = 0


@dataclass(frozen=True)
class Wanted:
    """What the maps shall hold. Ports are by interface index; owners have the bridge's own MAC address as well."""

    ports: Mapping[int, Port]
    policy: Policy
    bridge: tuple[int, str]
    tunnels: Mapping[int, Tunnel] = field(default_factory=dict)


class Tables:
    """The maps of the programs that are loaded; one thread writes."""

    def __init__(self, pins: str = PINS, maps: Mapping[str, bpf.Map] | None = None) -> None:
        self._maps = maps or {name: bpf.Map.pinned(f"{pins}/{name}", shape) for name, shape in _SHAPES.items()}
        self._slots: dict[int, int] = {}
        self._written: dict[str, dict[bytes, bytes]] = {}
        self.read()

    def close(self) -> None:
        for found in self._maps.values():
            os.close(found.fd)

    def read(self) -> None:
        """Look at what the kernel really has: an agent before this one wrote it, or somebody changed it."""
        self._written = {name: self._maps[name].items() for name in _SHAPES if name != "counters"}
        self._written["ports"] = {key: value for key, value in self._written["ports"].items() if any(value)}
        entries = [*self._written["ports"].values(), *self._written["far_ports"].values()]
        self._slots = {entry[-1]: entry[4] for entry in map(_PORT.unpack, entries)}

    def write(self, wanted: Wanted) -> int:
        """Bring the maps to it; how many entries that changed.

        What is taken away goes first: at no moment more passes than before or than shall pass.
        """
        self._give_slots([*wanted.ports, *wanted.tunnels])
        enabled = frozenset(wanted.policy.namespaces)
        index, mac = wanted.bridge
        new: dict[str, dict[bytes, bytes]] = {name: {} for name in self._written}
        packed_ports = [(i, _packed_port(port), port.namespace in enabled) for i, port in wanted.ports.items()]
        packed_tunnels = [(i, packed_tunnel(tunnel), True) for i, tunnel in wanted.tunnels.items()]
        for i, content, switched_on in packed_ports + packed_tunnels:
            place, entry = _key(i % _PLACES), self._entry(i, content, switched_on)
            name, key = ("far_ports", _key(i)) if place in new["ports"] else ("ports", place)
            new[name][key] = entry
        new["owners"] = {_owner(p.mac): _key(i) for i, p in wanted.ports.items()} | {_owner(mac): _key(index)}
        new["shared"] = {packed(group): _key(1) for group in wanted.policy.node_groups}
        return sum(self._bring(name, entries) for name, entries in new.items())

    def counts(self, indices: Iterable[int]) -> dict[int, Counts]:
        """What was counted at each port that has an entry; 0 are the ports without one, and the node is -1."""
        slots = {index: self._slots[index] for index in indices if index in self._slots}
        return {index: self._counts(slot) for index, slot in {**slots, 0: UNBOUND, -1: NODE}.items()}

    def _counts(self, slot: int) -> Counts:
        found = self._maps["counters"].get(_key(slot)) or b""
        each = zip(*_COUNTS.iter_unpack(found), strict=True)
        return Counts(*(sum(values) for values in each))

    def _give_slots(self, ports: Iterable[int]) -> None:
        kept = {index: self._slots[index] for index in ports if index in self._slots}
        taken, last = set(kept.values()), _FIRST
        for index in ports:
            if index not in kept:
                while last in taken:
                    last += 1
                kept[index] = last
                taken.add(last)
                self._maps["counters"].put(_key(last), bytes(_COUNTS.size * bpf.possible_cpus()))
        self._slots = kept

    def _entry(self, index: int, content: bytes, enabled: bool) -> bytes:
        entry = bytearray(content)
        entry[_ENABLED_AT] = enabled
        struct.pack_into("=I", entry, _SLOT_AT, self._slots[index])
        struct.pack_into("=I", entry, _INDEX_AT, index)
        return bytes(entry)

    def _bring(self, name: str, entries: dict[bytes, bytes]) -> int:
        found, written = self._maps[name], self._written[name]
        gone = written.keys() - entries.keys()
        for key in gone:
            self._drop(found, key)
            del written[key]
        changed = [(key, value) for key, value in entries.items() if written.get(key) != value]
        for key, value in sorted(changed, key=lambda item: item[1][_ENABLED_AT : _ENABLED_AT + 1]):
            if key in written and found.shape.kind == bpf.ARRAY and written[key][_INDEX_AT:] != value[_INDEX_AT:]:
                # An array's value is not changed in one step: from one port to the next it is nobody's.
                self._drop(found, key)
            found.put(key, value)
            written[key] = value
        return len(gone) + len(changed)

    @staticmethod
    def _drop(found: bpf.Map, key: bytes) -> None:
        if found.shape.kind == bpf.ARRAY:
            found.put(key, bytes(found.shape.value))
        else:
            found.drop(key)


def space(namespace: str) -> int:
    """A namespace's number: made from its name, so that no two agents and no restart give one to another."""
    return int.from_bytes(hashlib.sha256(namespace.encode()).digest()[:8], "big")


@lru_cache(maxsize=2 * MOST)
def _packed_port(port: Port) -> bytes:
    """A port's entry without slot and switch."""
    found4, found6 = (b"".join(ip_address(address).packed for address in each) for each in (port.v4, port.v6))
    return _PORT.pack(space(port.namespace), _octets(port.mac), 0, 0, 0, found4, found6, 0)


def packed_tunnel(tunnel: Tunnel) -> bytes:
    """A tunnel's entry without slot and switch."""
    subnets = [ip_network(subnet) for subnet in tunnel.subnets]
    four = next(subnet for subnet in subnets if subnet.version == 4)
    six = next((subnet.network_address.packed for subnet in subnets if subnet.version == 6), bytes(16))
    crossing = bytes(12) + ip_address(tunnel.crossing).packed
    found4 = four.network_address.packed + four.netmask.packed
    return _PORT.pack(space(tunnel.namespace), bytes(6), 0, 1, 0, found4, six + crossing, 0)


def _key(number: int) -> bytes:
    return struct.pack("=I", number)


def _owner(mac: str) -> bytes:
    return _octets(mac) + b"\0\0"


def _octets(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))
