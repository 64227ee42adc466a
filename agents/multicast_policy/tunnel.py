"""Enabled namespaces' multicast to other nodes: a VXLAN device for each, whose identifier is the namespace's netid.

A tunnel is one more port of the pods' bridge, with programs of its own (ebpf/policy.c), and sends a copy to each peer.
What may come in by it is filtered before the first one is there: UDP 4789 only by the interface that joins the nodes,
from a node to this one's address there, and with the TTL that nobody can give it who is routed (RFC 5082).
"""

from __future__ import annotations

import json
import logging
import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import hooks, ports
from .model import Node, Policy, Tunnel

_LOG = logging.getLogger("multicast-policy")
PORT, TABLE, _TTL = 4789, "mcastlab-tunnel", 255
MTU = 1500
# Of the network between nodes, for whole IPv6 frames of pods: VXLAN takes 50 octets; none is taken apart on the way.
_ENOUGH_FOR_IPV6 = MTU + 50
_EVERYBODY = "00:00:00:00:00:00"
_OURS = re.compile(r"vx[0-9a-f]{6}")
_NET = Path("/sys/class/net")
_SECONDS = 20
# Nothing is learnt from a tunnel and nothing flooded into it but groups that nobody told of, reports among them. What
# came by one does not go out by another.
_BRIDGED = "learning off flood off bcast_flood off mcast_flood on mcast_router 0 isolated on"


class TunnelError(OSError):
    """The tunnels cannot be brought to what the policy asks for; the message says what was refused."""


@dataclass(frozen=True)
class Place:
    """This node among the others."""

    interface: str
    own: Node
    peers: tuple[Node, ...]


class Tunnels:
    """The tunnels of the node `name` at `bridge`; one thread uses it."""

    def __init__(self, bridge: str, name: str) -> None:
        self._bridge, self._name = bridge, name
        self._filter: tuple[str, str] = ("", "")  # as it was written, and as the kernel shows it
        self.notes: tuple[str, ...] = ()  # what an administrator should know of what crosses

    def bring(self, policy: Policy) -> tuple[dict[int, Tunnel], list[Tunnel]]:
        """Make and remove devices and filter as `policy` says: (all tunnels by index, those that are to be raised).

        Raises TunnelError or hooks.HookError; a device that was not made whole is not on the bridge.
        """
        wanted = self._wanted(policy)
        place = self._place(policy) if wanted else None
        self.notes = tuple(_notes(policy, place))
        there = self._there(place)
        _ip([f"link delete {device}" for device in there if device not in wanted or not there[device]])
        kept = {device for device in there if device in wanted and there[device]}
        self._guard(place)
        new = [tunnel for device, tunnel in wanted.items() if device not in kept]
        if place and new:
            self._make(new, place)
        joined = self._peers(kept, place) if place else []
        found = {ports.index_of(device): tunnel for device, tunnel in wanted.items()}
        return found, new + [wanted[device] for device in joined]

    def ask(self, raised: Sequence[Tunnel], names: Iterable[str]) -> None:
        """Raise tunnels, and have both ends asked who is a member: the peers, and the pods at the ports `names`.

        A port whose state is set asks anew. Whichever end comes last so learns, and tells.
        """
        _ip([f"link set dev {tunnel.device} up" for tunnel in raised])
        _bridge(f"link set dev {name} state 3" for name in [*(tunnel.device for tunnel in raised), *names])

    def _wanted(self, policy: Policy) -> dict[str, Tunnel]:
        if policy.apart or len(policy.nodes) < 2:
            return {}
        own = next((node for node in policy.nodes if node.name == self._name), None)
        if own is None:
            return {}  # a node that the controller has not seen yet
        twice = {netid for netid, count in Counter(netid for _, netid in policy.netids).items() if count > 1}
        made = (
            Tunnel(name, netid, own.subnets, policy.crossing) for name, netid in policy.netids if netid not in twice
        )
        return {tunnel.device: tunnel for tunnel in made}

    def _place(self, policy: Policy) -> Place:
        own = next(node for node in policy.nodes if node.name == self._name)
        shown = json.loads(_run(["/usr/sbin/ip", "-json", "address", "show", "to", own.address]) or "[]")
        devices = [link["ifname"] for link in shown if link.get("ifname")]
        if not devices:
            raise TunnelError(f"no interface has the node's address {own.address}")
        return Place(devices[0], own, tuple(node for node in policy.nodes if node.name != self._name))

    def _there(self, place: Place | None) -> dict[str, bool]:
        """Our devices, and whether each is as it was made."""
        links = json.loads(_run(["/usr/sbin/ip", "-json", "-details", "link", "show", "type", "vxlan"]) or "[]")
        found: dict[str, bool] = {}
        for link in links:
            if link and _OURS.fullmatch(link["ifname"]):
                about: dict[str, Any] = link["linkinfo"].get("info_data", {})
                local = about.get("local") == place.own.address if place else False
                right = about.get("id") == int(link["ifname"][2:], 16) and about.get("port") == PORT
                found[link["ifname"]] = local and right and link.get("master") == self._bridge
        return found

    def _make(self, new: Sequence[Tunnel], place: Place) -> None:
        """On the bridge only with its programs; raised by `ask`, once the programs know whose it is."""
        # Without `dev` it may have the pods' MTU, and what does not fit the nodes' network goes in fragments.
        _ip([f"link add {one.device} mtu {MTU} type vxlan id {one.netid} local {place.own.address} dstport {PORT}"
             f" ttl {_TTL} nolearning" for one in new])  # fmt: skip
        programs = hooks.Programs()
        try:
            hooks.attach(hooks.kind_in_use(), [one.device for one in new], hooks.TUNNEL, programs)
        finally:
            programs.close()
        _ip([f"link set dev {one.device} addrgenmode none master {self._bridge}" for one in new])
        _bridge(f"link set dev {one.device} {_BRIDGED}" for one in new)
        _bridge(_entry("append", one.device, peer.address) for one in new for peer in place.peers)

    def _peers(self, devices: Iterable[str], place: Place) -> list[str]:
        """Bring the peers of tunnels that were there to the policy's; those tunnels that got one more."""
        wanted = {peer.address for peer in place.peers}
        shown = json.loads(_run(["/usr/sbin/bridge", "-json", "fdb", "show"]) or "[]") if devices else []
        joined = []
        for device in devices:
            has = {one["dst"] for one in shown if one.get("ifname") == device and one["mac"] == _EVERYBODY}
            _bridge(_entry("del", device, address) for address in has - wanted)
            _bridge(_entry("append", device, address) for address in wanted - has)
            if wanted - has:
                joined.append(device)
        return joined

    def _guard(self, place: Place | None) -> None:
        """The filter, written again where it is another than it was left."""
        if place is None:
            if self._filter[0]:
                _run(["/usr/sbin/nft", "delete", "table", "inet", TABLE], check=False)
                self._filter = ("", "")
            return
        text = filter_text(place)
        if text == self._filter[0] and self._shown() == self._filter[1]:
            return
        if text == self._filter[0]:
            _LOG.warning("the filter of the tunnels' port was not as it was left: it is again")
        _run(["/usr/sbin/nft", "-f", "-"], text)
        self._filter = (text, self._shown())

    @staticmethod
    def _shown() -> str:
        return _run(["/usr/sbin/nft", "--stateless", "list", "table", "inet", TABLE], check=False)


def _notes(policy: Policy, place: Place | None) -> Iterator[str]:
    if policy.apart:
        yield policy.apart
    names: dict[int, list[str]] = {}
    for name, netid in policy.netids:
        names.setdefault(netid, []).append(name)
    for netid, several in names.items():
        if len(several) > 1 and len(policy.nodes) > 1:
            yield f"multicast of {', '.join(several)} does not cross nodes: they have one netid, {netid}"
    if place and any(":" in subnet for subnet in place.own.subnets):
        mtu = int((_NET / place.interface / "mtu").read_text())
        if mtu < _ENOUGH_FOR_IPV6:
            yield (
                f"IPv6 packets of more than {mtu - 50} octets to groups do not cross nodes: the MTU of"
                f" '{place.interface}' is {mtu}, and {_ENOUGH_FOR_IPV6} are needed"
            )


def filter_text(place: Place) -> str:
    """The nftables that let only peers in, and nobody through to any node."""
    peers = ", ".join(sorted(peer.address for peer in place.peers))
    nodes = ", ".join(sorted(node.address for node in (place.own, *place.peers)))
    return f"""table inet {TABLE}
delete table inet {TABLE}
table inet {TABLE} {{
    chain tunnel {{
        iifname != "{place.interface}" counter drop
        ip saddr != {{ {peers} }} counter drop
        ip daddr != {place.own.address} counter drop
        ip ttl != {_TTL} counter drop
    }}
    chain input {{
        type filter hook input priority -200
        meta nfproto ipv6 udp dport {PORT} counter drop
        udp dport {PORT} jump tunnel
    }}
    chain forward {{
        type filter hook forward priority -200
        udp dport {PORT} ip daddr {{ {nodes} }} counter drop
    }}
}}
"""


def _entry(verb: str, device: str, address: str) -> str:
    return f"fdb {verb} {_EVERYBODY} dev {device} dst {address}"


def _ip(commands: Sequence[str]) -> None:
    if commands:
        _run(["/usr/sbin/ip", "-batch", "-"], "\n".join(commands) + "\n")


def _bridge(commands: Iterable[str]) -> None:
    if text := "\n".join(commands):
        _run(["/usr/sbin/bridge", "-force", "-batch", "-"], text + "\n", check=False)  # a port may have gone


def _run(argv: list[str], text: str | None = None, *, check: bool = True) -> str:
    try:
        done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise TunnelError(f"'{' '.join(argv)}' did not end within {_SECONDS} s") from error
    if check and done.returncode:
        raise TunnelError(f"'{' '.join(argv)}': {done.stderr.strip() or done.returncode}")
    return done.stdout
