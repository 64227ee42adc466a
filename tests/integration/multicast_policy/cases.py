"""The attack: what pods and the node may put onto the bridge, and who may and must see each frame of it.

Pods a1, a2, a3 are of namespace `a`, b1 and b2 of `b`, both enabled; c1 and c2 of `c`, which is not. All but a3 have
joined the groups. What is expected stands beside each kind, in terms of who sent what to whom, and owes nothing to the
code.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from tests.integration.multicast_policy import frames as f
from tests.integration.multicast_policy.wire import SPACE

G4, G6 = "239.1.1.1", "ff15::1:1"
SHARED4 = "239.9.9.9"  # node_groups has it
SPACES = {"a": ("a1", "a2", "a3"), "b": ("b1", "b2"), "c": ("c1", "c2")}
PODS = tuple(itertools.chain(*SPACES.values()))
ENABLED, UNJOINED, NODE = {"a", "b"}, {"a3"}, "node"
SENDERS = ("a1", "b1", "c1")


@dataclass(frozen=True)
class Host:
    """A pod or the node, as frames name it."""

    mac: bytes
    v4: str
    v6: str
    local: str


@dataclass(frozen=True)
class Case:
    """A frame: of which kind, who sends it, who must see it, and who may."""

    kind: str
    sender: str
    frame: bytes
    must: frozenset[str] = frozenset()
    may: frozenset[str] = frozenset()

    def fits(self, seen: set[str]) -> bool:
        return self.must <= seen <= self.may | self.must


def tags() -> dict[str, bytes]:
    """One to three tags, of identifier 0 and others, by each Ethernet type that means one."""
    found = {"": b""}
    for names in (
        ["8100"],
        ["88a8"],
        ["9100"],
        ["8100"] * 2,
        ["88a8", "8100"],
        ["88a8"] * 2,
        ["9100", "8100"],
        ["8100"] * 3,
    ):
        for number in (0, 5):
            key = " ".join(f"{name}/{number}" for name in names)
            found[key] = b"".join(bytes.fromhex(name) + number.to_bytes(2, "big") for name in names)
    return found


class Attack:
    """All cases, for the hosts as they are."""

    def __init__(self, hosts: dict[str, Host]) -> None:
        self.hosts = hosts

    def cases(self) -> list[Case]:
        """Those that move a MAC address in the bridge's table come last."""
        parts = (
            self.groups(), self.addresses(), self.other_types(), self.untouched(), self.routing(), self.queries(),
            self.reports(), self.discovery(), self.unreadable(), self.from_node(), self.takeover(),
        )  # fmt: skip
        return list(itertools.chain(*parts))

    def _others(self, sender: str, *, joined: bool = False) -> frozenset[str]:
        """The other pods of the sender's namespace, if it is enabled."""
        space = sender[0]
        found = set(SPACES[space]) - {sender} if space in ENABLED else set()
        return frozenset(found - UNJOINED if joined else found)

    def _frame(self, to: bytes, sender: str, kind: bytes, payload: bytes, tag: bytes = b"") -> bytes:
        return f.ethernet(to, self.hosts[sender].mac, kind, payload, tag)

    def _sources(self, sender: str, group: str) -> dict[str, str]:
        h, six = self.hosts, ":" in group
        neighbour = "a2" if sender == "a1" else "a1"
        pick = {"own": h[sender], "pod of its namespace": h[neighbour], "pod of another": h["b2"], "node": h[NODE]}
        found = {name: host.v6 if six else host.v4 for name, host in pick.items()}
        found |= {"zero": "::" if six else "0.0.0.0", "foreign": "2001:db8::1" if six else "192.0.2.1"}  # noqa: S104
        return found | ({"own link-local": h[sender].local} if six else {})

    def groups(self) -> Iterator[Case]:
        """A group's datagram by every source, to every Ethernet address, behind every row of tags."""
        for sender, group, (tag, octets) in itertools.product(SENDERS, (G4, G6), tags().items()):
            targets = {"group": f.group_mac(group), "broadcast": f.BROADCAST}
            targets |= {f"{name}'s": self.hosts[name].mac for name in ("a2", "b1", NODE) if name != sender}
            for (source, address), (target, to) in itertools.product(
                self._sources(sender, group).items(), targets.items()
            ):
                must: frozenset[str] = frozenset()
                if source.startswith("own") and not tag:
                    must = self._others(sender, joined=target == "group")
                    must &= must if target in {"group", "broadcast"} else {target.removesuffix("'s")}
                family = "IPv6" if ":" in group else "IPv4"
                kind = f"{family} group, {source} source, to {target} MAC{', tags ' + tag if tag else ''}"
                yield Case(kind, sender, self._frame(to, sender, *f.ip(address, group, f.udp()), octets), must, must)

    def addresses(self) -> Iterator[Case]:
        """A host's address in a group's frame: at most the group's members of the namespace see it."""
        for sender, (group, target) in itertools.product(SENDERS, ((G4, "v4"), (G6, "v6"))):
            for name in ("a2", "b1", NODE):
                source, address = (getattr(self.hosts[each], target) for each in (sender, name))
                frame = self._frame(f.group_mac(group), sender, *f.ip(source, address, f.udp()))
                yield Case(f"host's {target} in a group's frame", sender, frame, may=self._others(sender))

    def other_types(self) -> Iterator[Case]:
        """Neither IP nor ARP: to one host within any namespace, to all within an enabled one, to the node never."""
        kinds = {
            "88b5": b"\x88\xb5",
            "MPLS": b"\x88\x47",
            "PPPoE": b"\x88\x64",
            "LLC": b"\x00\x60",
            "LLDP": b"\x88\xcc",
        }
        for (name, kind), sender in itertools.product(kinds.items(), SENDERS):
            for target in {"a2", "b2", "c2", NODE}:
                must = frozenset({target}) if target[0] == sender[0] else frozenset()
                frame = self._frame(self.hosts[target].mac, sender, kind, SPACE + bytes(60))
                yield Case(f"{name} to one host", sender, frame, must, must)
            for what, to in (("all", f.BROADCAST), ("a group", b"\x01\x00\x5e\x7f\x00\x01")):
                must = self._others(sender)
                yield Case(f"{name} to {what}", sender, self._frame(to, sender, kind, SPACE + bytes(60)), must, must)
        for last in (0x00, 0x03, 0x0E):
            to = b"\x01\x80\xc2\x00\x00" + bytes([last])
            yield Case("between bridges", "a1", self._frame(to, "a1", b"\x00\x60", SPACE + bytes(60)))
            yield Case("IP between bridges", "a1", self._frame(to, "a1", *f.ip(self.hosts["a1"].v4, G4, f.udp())))

    def untouched(self) -> Iterator[Case]:
        """To one host or to all by IPv4, IPv6 and ARP, whatever the source: nobody's business here."""
        for sender, target in itertools.product(SENDERS, ("a2", "b2", NODE)):
            for six, group in ((False, G4), (True, G6)):
                address = self.hosts[target].v6 if six else self.hosts[target].v4
                for source, given in self._sources(sender, group).items():
                    frame = self._frame(self.hosts[target].mac, sender, *f.ip(given, address, f.udp()))
                    yield Case(f"to one host, {source} source", sender, frame, frozenset({target}))
        everybody = frozenset({*PODS, NODE})
        for sender in SENDERS:
            other = everybody - {sender}
            own = self.hosts[sender]
            for address in ("255.255.255.255", "10.244.0.255"):
                yield Case(
                    "IPv4 broadcast", sender, self._frame(f.BROADCAST, sender, *f.ip(own.v4, address, f.udp())), other
                )
            ask = (
                bytes.fromhex("0001080006040001")
                + own.mac
                + f.packed(own.v4)
                + bytes(6)
                + f.packed("10.244.0.200")
                + SPACE
            )
            yield Case("ARP to all", sender, self._frame(f.BROADCAST, sender, f.ARP, ask), other)
            yield Case(
                "ARP to one host", sender, self._frame(self.hosts["b2"].mac, sender, f.ARP, ask), frozenset({"b2"})
            )

    def routing(self) -> Iterator[Case]:
        """Router advertisements and redirects, behind every header and in fragments; PIM, DVMRP, router discovery."""
        chains: list[tuple[int, ...]] = [
            (),
            (f.HOP,),
            (f.OPTIONS,),
            (f.ROUTING,),
            (f.AH,),
            (f.FRAGMENT,),
            (f.HOP, f.AH),
        ]
        chains += [(f.HOP, f.OPTIONS, f.ROUTING, f.FRAGMENT, f.OPTIONS), (f.OPTIONS,) * 9]
        for sender, kind in itertools.product(SENDERS, (134, 137, 151, 153)):
            own = self.hosts[sender]
            for target, to, chain in self._targets("ff02::1", chains):
                message = f.icmp6(own.local, target, kind, bytes(36) + SPACE)
                first, payload = f.extended(message, *chain)
                packet = f.ipv6(own.local, target, first, payload)
                yield Case(f"ICMPv6 {kind} behind {len(chain)} headers", sender, self._frame(to, sender, f.IP6, packet))
            victim = self.hosts["b2"]
            message = f.icmp6(own.local, victim.local, kind, bytes(36) + SPACE)
            first, payload = f.extended(message, f.OPTIONS)
            # The first fragment ends within an extension header; the second alone is nothing to anybody.
            part, _ = f.split6(own.local, victim.local, first, payload + bytes(-len(payload) % 8), 8)
            part += SPACE
            yield Case(f"ICMPv6 {kind}, first fragment", sender, self._frame(victim.mac, sender, f.IP6, part))
        for sender, (what, protocol, payload) in itertools.product(SENDERS, self._routing4()):
            for target, to in (("224.0.0.1", f.group_mac("224.0.0.1")), (self.hosts["b2"].v4, self.hosts["b2"].mac),
                               ("255.255.255.255", f.BROADCAST)):  # fmt: skip
                for options in (b"", b"\x94\x04\x00\x00"):
                    packet = f.ipv4(self.hosts[sender].v4, target, protocol, payload, options=options)
                    yield Case(what, sender, self._frame(to, sender, f.IP4, packet))
            packet = f.ipv6(self.hosts[sender].local, "ff02::d", f.PIM, b"\x20\0\0\0" + SPACE)
            yield Case("PIM by IPv6", sender, self._frame(f.group_mac("ff02::d"), sender, f.IP6, packet))

    @staticmethod
    def _routing4() -> list[tuple[str, int, bytes]]:
        return [("ICMP redirect", f.ICMP, f.icmp4(5)), ("ICMP router advertisement", f.ICMP, f.icmp4(9)),
                ("PIM hello", f.PIM, b"\x20\x00\xdf\xff" + SPACE), ("DVMRP", f.IGMP, f.igmp(0x13)),
                ("multicast router advertisement", f.IGMP, f.igmp(0x30))]  # fmt: skip

    def _targets(self, group: str, chains: list[tuple[int, ...]]) -> Iterator[tuple[str, bytes, tuple[int, ...]]]:
        for chain in chains:
            yield group, f.group_mac(group), chain
            for name in ("a2", "b2"):
                yield self.hosts[name].local, self.hosts[name].mac, chain

    def queries(self) -> Iterator[Case]:
        """IGMP and MLD queries in every version, tagged, in fragments, behind headers, to groups, hosts and all."""
        versions = {"IGMPv1": f.igmp(0x11, bytes(4), 0), "IGMPv2": f.igmp(0x11), "IGMPv3": f.igmp(0x11, bytes(8))}
        for sender, (name, message), octets in itertools.product(SENDERS, versions.items(), tags().values()):
            for to in (f.group_mac("224.0.0.1"), f.BROADCAST, self.hosts["b2"].mac):
                for target in ("224.0.0.1", self.hosts["b2"].v4):
                    for fragment in (0, 0x2000, 1):
                        packet = f.ipv4("0.0.0.1", target, f.IGMP, message, fragment=fragment)
                        yield Case(f"{name} query", sender, self._frame(to, sender, f.IP4, packet, octets))
        chains: list[tuple[int, ...]] = [
            (),
            (f.HOP,),
            (f.AH,),
            (f.HOP, f.AH),
            (f.OPTIONS,),
            (f.HOP, f.FRAGMENT),
            (f.FRAGMENT,),
        ]
        for sender, size, (target, to, chain) in itertools.product(SENDERS, (20, 24), self._targets("ff02::1", chains)):
            for tag, octets in (("", b""), ("8100/0", b"\x81\0\0\0"), ("88a8/5", b"\x88\xa8\0\5")):
                first, payload = f.extended(f.icmp6("fe80::1", target, 130, bytes(size)), *chain)
                packet = f.ipv6("fe80::1", target, first, payload, hops=1)
                yield Case(
                    f"MLD query{', tags ' + tag if tag else ''}", sender, self._frame(to, sender, f.IP6, packet, octets)
                )

    def reports(self) -> Iterator[Case]:
        """Reports are for the bridge: no pod sees them."""
        group = f.packed("239.2.2.2")
        v3 = bytes([0, 0, 0, 1, 4, 0, 0, 0]) + group
        for sender, source in itertools.product(SENDERS, ("a1", "b1", "c1")):
            own, address = self.hosts[sender], self.hosts[source].v4
            may = frozenset({NODE}) if sender == source else frozenset()
            for target, message in (("224.0.0.22", f.igmp(0x22, v3, 0)), ("224.0.0.2", f.igmp(0x17, group, 0)),
                                    ("239.2.2.2", f.igmp(0x16, group, 0))):  # fmt: skip
                packet = f.ipv4(address, target, f.IGMP, message, options=b"\x94\x04\x00\x00")
                yield Case("IGMP report", sender, self._frame(f.group_mac(target), sender, f.IP4, packet), may=may)
                packet = f.ipv4(own.v4, self.hosts["b2"].v4, f.IGMP, message)
                yield Case("IGMP report to one host", sender, self._frame(self.hosts["b2"].mac, sender, f.IP4, packet))
            body = bytes([0, 0, 0, 1, 4, 0, 0, 0]) + f.packed("ff15::2:2")
            first, payload = f.extended(f.icmp6(self.hosts[source].local, "ff02::16", 143, body), f.HOP)
            packet = f.ipv6(self.hosts[source].local, "ff02::16", first, payload, hops=1)
            yield Case("MLD report", sender, self._frame(f.group_mac("ff02::16"), sender, f.IP6, packet), may=may)

    def discovery(self) -> Iterator[Case]:
        """Neighbours are found across namespaces, by the groups that are for it, from the own address, whole."""
        for sender, target in itertools.product(SENDERS, ("a2", "b2")):
            own, other = self.hosts[sender], self.hosts[target]
            group = f"ff02::1:ff{f.packed(other.v6)[-3]:02x}:{f.packed(other.v6)[-2:].hex()}"
            body = f.packed(other.v6) + bytes([1, 1]) + own.mac
            to = f.group_mac(group)

            def ask(source: str, at: str, *, hops: int = 255, headers: tuple[int, ...] = (), to: bytes = to,
                    kind: int = 135, body: bytes = body, sender: str = sender) -> bytes:  # fmt: skip
                first, payload = f.extended(f.icmp6(source, at, kind, body), *headers)
                return self._frame(to, sender, f.IP6, f.ipv6(source, at, first, payload, hops=hops))

            yield Case(
                "neighbour solicitation", sender, ask(own.v6, group), frozenset({target}), frozenset({*PODS, NODE})
            )
            yield Case(
                "solicitation, other source", sender, ask(self.hosts["b1" if sender != "b1" else "a1"].v6, group)
            )
            yield Case("solicitation from afar", sender, ask(own.v6, group, hops=64))
            yield Case("solicitation in a fragment", sender, ask(own.v6, group, headers=(f.FRAGMENT,)),
                       may=frozenset({*PODS, NODE}))  # fmt: skip
            yield Case("solicitation to a group", sender, ask(own.v6, G6, to=f.group_mac(G6)))
            told = bytes(16) + SPACE
            yield Case("advertisement to a group", sender, ask(own.v6, G6, to=f.group_mac(G6), kind=136, body=told))
            yield Case(
                "advertisement to all routers", sender, ask(own.v6, "ff02::2", to=f.group_mac("ff02::2"), kind=136)
            )
            yield Case("neighbour advertisement", sender, ask(own.v6, "ff02::1", to=f.group_mac("ff02::1"), kind=136),
                       may=frozenset({*PODS, NODE}))  # fmt: skip

    def unreadable(self) -> Iterator[Case]:
        """Cut off, or with a header that is none."""
        whole = f.ipv4(self.hosts["a1"].v4, G4, f.UDP, f.udp())
        for name, packet in (
            ("IPv4 cut", whole[:12]),
            ("IPv4, header of 16", b"\x44" + whole[1:]),
            ("IPv4 that is 5", b"\x55" + whole[1:]),
        ):
            for to in (f.group_mac(G4), f.BROADCAST, self.hosts["b2"].mac):
                yield Case(name, "a1", self._frame(to, "a1", f.IP4, packet))
        six = f.ipv6(self.hosts["a1"].v6, G6, f.UDP, f.udp())
        for name, packet in (("IPv6 cut", six[:30]), ("IPv6 that is 5", b"\x50" + six[1:])):
            for to in (f.group_mac(G6), f.BROADCAST, self.hosts["b2"].mac):
                yield Case(name, "a1", self._frame(to, "a1", f.IP6, packet))

    def from_node(self) -> Iterator[Case]:
        """A node belongs to no namespace; groups of `node_groups` are every enabled namespace's."""
        own = self.hosts[NODE]
        members = frozenset(name for space in ENABLED for name in SPACES[space]) - UNJOINED
        for (tag, octets), group in itertools.product(tags().items(), (G4, G6, SHARED4)):
            source = own.v6 if ":" in group else own.v4
            may = members if group == SHARED4 and not tag else frozenset()
            for to in (f.group_mac(group), self.hosts["a2"].mac):
                must = may & ({"a2"} if to == self.hosts["a2"].mac else members)
                kind = f"from the node to {group}{', tags ' + tag if tag else ''}"
                yield Case(kind, NODE, self._frame(to, NODE, *f.ip(source, group, f.udp()), octets), must, must)
        for sender in SENDERS:
            must = self._others(sender, joined=True) | ({NODE} if sender[0] in ENABLED else set())
            packet = f.ip(self.hosts[sender].v4, SHARED4, f.udp())
            yield Case(
                "to a group of the node's", sender, self._frame(f.group_mac(SHARED4), sender, *packet), must, must
            )
        for target in ("a2", "c2"):
            packet = f.ip(own.v4, self.hosts[target].v4, f.udp())
            yield Case(
                "from the node to one host",
                NODE,
                self._frame(self.hosts[target].mac, NODE, *packet),
                frozenset({target}),
            )
            yield Case(
                "88b5 from the node", NODE, self._frame(self.hosts[target].mac, NODE, b"\x88\xb5", SPACE + bytes(60))
            )

    def takeover(self) -> Iterator[Case]:
        """With another's MAC address nothing is sent, or the bridge would take its frames to the sender."""
        for sender, victim in itertools.product(SENDERS, ("a2", "b2", NODE)):
            by = self.hosts[victim].mac
            for target in ("c2", NODE):
                if target == victim:
                    continue
                packet = f.ip(self.hosts[sender].v4, self.hosts[target].v4, f.udp())
                yield Case(f"as {victim}'s MAC to one host", sender, f.ethernet(self.hosts[target].mac, by, *packet))
            yield Case(f"as {victim}'s MAC to a group", sender,
                       f.ethernet(f.group_mac(G4), by, *f.ip(self.hosts[sender].v4, G4, f.udp())))  # fmt: skip
