"""The programs one by one, on frames that never saw a wire (BPF_PROG_TEST_RUN): what they read and find."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agents.multicast_policy import bpf, elf
from agents.multicast_policy.model import Policy, Port, Tunnel
from agents.multicast_policy.tables import Counts, Tables, Wanted
from tests.integration.multicast_policy import frames as f
from tests.integration.multicast_policy.wire import mac

GO_ON, DROPPED = -1, 2
HERE = 1  # `lo` is the only interface that every network namespace has
AWAY = 4096 + HERE  # whose place in the array is taken by `lo`
OWN, OTHER = "0a:58:0a:f4:00:02", "0a:58:0a:f4:00:03"
V4, V6 = "10.244.0.2", "fd00:10:244::2"
G4, G6 = "239.1.1.1", "ff15::1:1"
LOSER, LOSER6 = "10.244.255.254", "fe80::ffff:ffff:ffff:ffff"
THERE4, THERE6 = "10.244.1.9", "fd00:10:244:1::9"  # of pods of another node


class Programs:
    """The programs loaded for this process alone, with `lo` as the port of a pod of green."""

    def __init__(self, found: elf.Object) -> None:
        maps = {name: bpf.Map.create(name, shape) for name, shape in found.maps.items()}
        descriptors = {name: made.fd for name, made in maps.items()}
        self._fds = {
            name: bpf.load_program(name, program.with_maps(descriptors), found.terms)
            for name, program in found.programs.items()
        }
        self.tables = Tables(maps=maps)
        self.know({HERE: port(OWN, V4, V6)}, "green")

    def close(self) -> None:
        """Give the descriptors back, and with them maps and programs: all tests together have too many."""
        self.tables.close()
        for fd in self._fds.values():
            os.close(fd)

    def know(self, ports: dict[int, Port], *enabled: str, shared: tuple[str, ...] = ()) -> None:
        self.tables.write(Wanted(ports, Policy(1, enabled, shared), (99, "0a:58:0a:f4:00:01")))

    def tunnel(self, ports: dict[int, Port], *enabled: str) -> None:
        """`lo` is the port of green's tunnel, on the node with the first part of the pods' subnets."""
        here = Tunnel("green", 10, ("10.244.0.0/24", "fd00:10:244::/64"), LOSER)
        policy = Policy(1, enabled)
        self.tables.write(Wanted(ports, policy, (99, "0a:58:0a:f4:00:01"), {HERE: here} if enabled else {}))

    def __call__(self, name: str, packet: bytes, *, kind: bytes = f.IP4, to: bytes = f.BROADCAST, by: str = OWN,
                 came_by: int = HERE) -> int:  # fmt: skip
        frame = f.ethernet(to, mac(by), kind, packet)
        return bpf.test_run(self._fds[name], frame + bytes(max(0, 60 - len(frame))), HERE, came_by)

    def counts(self) -> Counts:
        return self.tables.counts([HERE])[HERE]


def port(address: str, v4: str = "10.244.0.9", v6: str = "fd00:10:244::9", namespace: str = "green") -> Port:
    return Port("veth", "c", namespace, "pod", (v4, v6), address)


@pytest.fixture(scope="module")
def parsed(policy_object: Path) -> elf.Object:
    return elf.parse(policy_object.read_bytes())


@pytest.fixture
def run(parsed: elf.Object) -> Iterator[Programs]:
    with closing(Programs(parsed)) as loaded:
        yield loaded


@pytest.mark.parametrize("options", [0, 4, 20, 40])
def test_a_message_behind_ipv4_options_is_found(run: Programs, options: int) -> None:
    for kind, answer in ((0x22, GO_ON), (0x16, GO_ON), (0x11, DROPPED), (0x13, DROPPED), (0x30, DROPPED)):
        body = bytes(4) if kind != 0x22 else b"\0\0\0\1\4\0\0\0" + f.packed("239.2.2.2")
        packet = f.ipv4(V4, "224.0.0.22", f.IGMP, f.igmp(kind, body, 0), options=b"\1" * options)
        assert run("from_pod", packet, to=f.group_mac("224.0.0.22")) == answer, hex(kind)


CHAINS = [(), (f.HOP,), (f.OPTIONS,), (f.ROUTING,), (f.AH,), (f.FRAGMENT,), (f.HOP, f.AH)]


@pytest.mark.parametrize("headers", [*CHAINS, (f.HOP, f.ROUTING, f.OPTIONS, f.FRAGMENT, f.AH, f.OPTIONS)])
@pytest.mark.parametrize(
    ("kind", "answer"), [(128, GO_ON), (130, DROPPED), (134, DROPPED), (137, DROPPED), (153, DROPPED)]
)
def test_a_message_behind_extension_headers_is_found(
    run: Programs, headers: tuple[int, ...], kind: int, answer: int
) -> None:
    for target, to in (("ff02::1", f.group_mac("ff02::1")), ("fd00:10:244::3", mac(OTHER))):
        first, payload = f.extended(f.icmp6(V6, target, kind, bytes(24)), *headers)
        assert run("from_pod", f.ipv6(V6, target, first, payload), kind=f.IP6, to=to) == answer, target


@pytest.mark.parametrize("count", [8, 9, 30])
def test_eight_extension_headers_are_the_most(run: Programs, count: int) -> None:
    first, payload = f.extended(f.udp(), *[f.OPTIONS] * count, protocol=f.UDP)
    answer = run("from_pod", f.ipv6(V6, "fd00:10:244::3", first, payload), kind=f.IP6, to=mac(OTHER))
    assert answer == (GO_ON if count <= 8 else DROPPED)


def test_a_long_header_hides_nothing(run: Programs) -> None:
    """2,048 octets of destination options: the message behind them is read all the same, or dropped where it is cut."""
    options = bytes([f.ICMP6, 255]) + bytes(2046)
    for kind, answer in ((128, GO_ON), (134, DROPPED)):
        packet = f.ipv6(V6, "fd00:10:244::3", f.OPTIONS, options + f.icmp6(V6, "fd00:10:244::3", kind, bytes(8)))
        assert run("from_pod", packet, kind=f.IP6, to=mac(OTHER)) == answer
    assert run("from_pod", f.ipv6(V6, "fd00:10:244::3", f.OPTIONS, options), kind=f.IP6, to=mac(OTHER)) == DROPPED


def test_fragments(run: Programs) -> None:
    message = f.icmp6(V6, "fd00:10:244::3", 134, bytes(36))
    first, payload = f.extended(message, f.OPTIONS)
    for at, answer in ((8, DROPPED), (16, DROPPED), (24, DROPPED)):
        one, two = f.split6(V6, "fd00:10:244::3", first, payload + bytes(-len(payload) % 8), at)
        assert run("from_pod", one, kind=f.IP6, to=mac(OTHER)) == answer
        assert run("from_pod", two, kind=f.IP6, to=mac(OTHER)) == GO_ON, "nothing without the first"
    for fragment, answer in ((0, DROPPED), (0x2000, DROPPED), (0x0001, GO_ON)):
        packet = f.ipv4(V4, "10.244.0.3", f.ICMP, f.icmp4(5), fragment=fragment)
        assert run("from_pod", packet, to=mac(OTHER)) == answer


@pytest.mark.parametrize("length", range(0, 60, 3))
def test_frames_cut_anywhere(run: Programs, length: int) -> None:
    """The kernel pads to no length here; whatever is left, no group is heard and nothing breaks."""
    whole = f.ipv4(V4, G4, f.UDP, f.udp())[:length]
    answers = {run("to_pod", whole + bytes(60), to=f.group_mac(G4), came_by=77)}
    assert answers == {DROPPED}


def test_an_entry_whose_place_is_taken_is_found_as_well(run: Programs) -> None:
    packet = f.ipv4("10.244.0.3", G4, f.UDP, f.udp())
    run.know({HERE: port(OWN, V4, V6), AWAY: port(OTHER, "10.244.0.3")}, "green")
    assert run("to_pod", packet, to=f.group_mac(G4), by=OTHER, came_by=AWAY) == GO_ON
    run.know({HERE: port(OWN, V4, V6), AWAY: port(OTHER, "10.244.0.3", namespace="blue")}, "green", "blue")
    assert run("to_pod", packet, to=f.group_mac(G4), by=OTHER, came_by=AWAY) == DROPPED
    # The older one goes: its place becomes the other's, and never both's.
    run.know({AWAY: port(OTHER, "10.244.0.3")}, "green")
    assert run("to_pod", packet, to=f.group_mac(G4), by=OTHER, came_by=AWAY) == DROPPED, "`lo` is no port now"
    run.know({HERE: port(OWN, V4, V6), AWAY: port(OTHER, "10.244.0.3")}, "green")
    assert run("to_pod", packet, to=f.group_mac(G4), by=OTHER, came_by=AWAY) == GO_ON
    assert run.counts().delivered == 1, "a port that came again counts from nothing"


def test_counters_add_up(run: Programs) -> None:
    group = f.group_mac(G4)
    for _ in range(5):
        run("from_pod", f.ipv4(V4, G4, f.UDP, f.udp()), to=group)
    for _ in range(4):
        run("from_pod", f.ipv4("10.244.0.3", G4, f.UDP, f.udp()), to=group)
    for _ in range(3):
        run("from_pod", f.ipv4(V4, "224.0.0.1", f.IGMP, f.igmp(0x11)), to=f.group_mac("224.0.0.1"))
    for _ in range(2):
        run("from_pod", f.ipv4(V4, G4, f.UDP, f.udp())[:10], to=group, kind=b"\x81\0")
    run.know({HERE: port(OWN, V4, V6)})
    run("from_pod", f.ipv4(V4, G4, f.UDP, f.udp()), to=group)
    counted = run.counts()
    assert counted == Counts(received=15, off=1, forged=4, control=3, not_allowed=2)


def test_a_report_costs_what_it_can_add(run: Programs) -> None:
    """1,000 records and sources at once: of full reports with 183 records five, of sources as many as there are."""

    def report(records: int, sources: int) -> bytes:
        record = b"\4\0" + sources.to_bytes(2, "big") + f.packed("239.2.2.2") + bytes(4) * sources
        return f.ipv4(
            V4, "224.0.0.22", f.IGMP, f.igmp(0x22, b"\0\0" + records.to_bytes(2, "big") + record * records, 0)
        )

    to = f.group_mac("224.0.0.22")
    answers = [run("from_pod", report(183, 0), to=to) for _ in range(10)]
    assert answers == [GO_ON] * 5 + [DROPPED] * 5
    assert run.counts().not_allowed == 5
    lying = report(1, 0)
    assert run("from_pod", lying[:26] + b"\xff\xff" + lying[28:], to=to) == DROPPED, "more records than it has room for"


def from_peers() -> dict[str, tuple[bytes, bytes, bytes, int]]:
    """By name: Ethernet type, packet, Ethernet's destination, and what the program at the tunnel answers."""
    group4, group6, asked4, asked6 = (f.group_mac(group) for group in (G4, G6, "224.0.0.1", "ff02::1"))
    joined = b"\0\0\0\1\4\0\0\0" + f.packed("239.2.2.2")
    in_group = f.ipv4(THERE4, V4, f.UDP, f.udp())
    question6 = f.extended(f.icmp6(LOSER6, "ff02::1", 130, bytes(24)), f.HOP)
    return {
        "a datagram": (f.IP4, f.ipv4(THERE4, G4, f.UDP, f.udp()), group4, GO_ON),
        "over IPv6": (f.IP6, f.ipv6(THERE6, G6, f.UDP, f.udp()), group6, GO_ON),
        "a report": (f.IP4, f.ipv4(THERE4, "224.0.0.22", f.IGMP, f.igmp(0x22, joined, 0)), asked4, GO_ON),
        "a question": (f.IP4, f.ipv4(LOSER, "224.0.0.1", f.IGMP, f.igmp(0x11)), asked4, GO_ON),
        "one over IPv6": (f.IP6, f.ipv6(LOSER6, "ff02::1", *question6), asked6, GO_ON),
        "a question that could win": (f.IP4, f.ipv4("10.244.1.1", "224.0.0.1", f.IGMP, f.igmp(0x11)), asked4, DROPPED),
        "in a pod's name here": (f.IP4, f.ipv4("10.244.0.7", G4, f.UDP, f.udp()), group4, DROPPED),
        "that over IPv6": (f.IP6, f.ipv6("fd00:10:244::7", G6, f.UDP, f.udp()), group6, DROPPED),
        "in nobody's name": (f.IP4, f.ipv4("0.0.0.0", G4, f.UDP, f.udp()), group4, DROPPED),  # noqa: S104
        "to a host": (f.IP4, f.ipv4(THERE4, V4, f.UDP, f.udp()), mac(OWN), DROPPED),
        "to a host by a frame to a group": (f.IP4, in_group, group4, DROPPED),
        "to all": (f.IP4, f.ipv4(THERE4, G4, f.UDP, f.udp()), f.BROADCAST, DROPPED),
        "a group by a host's frame": (f.IP4, f.ipv4(THERE4, G4, f.UDP, f.udp()), mac(OWN), DROPPED),
        "a tagged one": (b"\x81\0", b"\0\1" + f.IP4 + f.ipv4(THERE4, G4, f.UDP, f.udp()), group4, DROPPED),
        "ARP": (f.ARP, bytes(28), f.BROADCAST, DROPPED),
        "another type": (b"\x88\xb5", bytes(40), group4, DROPPED),
        "PIM": (f.IP4, f.ipv4(THERE4, "224.0.0.13", f.PIM, bytes(20)), f.group_mac("224.0.0.13"), DROPPED),
    }


@pytest.mark.parametrize("what", from_peers())
def test_what_comes_out_of_a_tunnel(run: Programs, what: str) -> None:
    kind, packet, to, answer = from_peers()[what]
    run.tunnel({}, "green")
    assert run("from_tunnel", packet, kind=kind, to=to, by=OTHER) == answer
    assert run("from_tunnel", packet, kind=kind, to=to, by="0a:58:0a:f4:00:01") == DROPPED, "the bridge's own address"
    run.tunnel({})
    assert run("from_tunnel", packet, kind=kind, to=to, by=OTHER) == DROPPED, "no tunnel that the agent knows"


@pytest.mark.parametrize(
    ("namespace", "enabled", "answer"),
    [("green", ("green",), GO_ON), ("blue", ("green", "blue"), DROPPED), ("blue", ("green",), DROPPED)],
)
def test_what_goes_into_a_tunnel_is_of_its_namespace(
    run: Programs, namespace: str, enabled: tuple[str, ...], answer: int
) -> None:
    joined = b"\0\0\0\1\4\0\0\0" + f.packed("239.2.2.2")
    run.tunnel({AWAY: port(OTHER, "10.244.0.3", namespace=namespace)}, *enabled)
    for packet, to in (
        (f.ipv4("10.244.0.3", G4, f.UDP, f.udp()), f.group_mac(G4)),
        (f.ipv4("10.244.0.3", "224.0.0.22", f.IGMP, f.igmp(0x22, joined, 0)), f.group_mac("224.0.0.22")),
    ):
        assert run("to_tunnel", packet, to=to, by=OTHER, came_by=AWAY) == answer
    unicast = f.ipv4("10.244.0.3", THERE4, f.UDP, f.udp())
    assert run("to_tunnel", unicast, to=mac(OWN), by=OTHER, came_by=AWAY) == DROPPED, "what a bridge would flood"


def test_of_the_node_only_its_bridges_questions_go_into_a_tunnel(run: Programs) -> None:
    run.tunnel({}, "green")
    question = f.ipv4("10.244.0.1", "224.0.0.1", f.IGMP, f.igmp(0x11))
    assert run("to_tunnel", question, to=f.group_mac("224.0.0.1"), by="0a:58:0a:f4:00:01", came_by=0) == GO_ON
    said = f.ipv4("10.244.0.1", G4, f.UDP, f.udp())
    assert run("to_tunnel", said, to=f.group_mac(G4), by="0a:58:0a:f4:00:01", came_by=0) == DROPPED
