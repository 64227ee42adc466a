"""Frames that are not what they seem: tags, other Ethernet types, headers that hide a query."""

from __future__ import annotations

import time

from tests.integration.multicast_policy import forged
from tests.integration.multicast_policy.policy_node import Node, Pod

G4 = "239.1.1.1"
LIVELY = 0.4
ZERO = b"\x00\x00"
TAGS = {
    "8100/0": b"\x81\x00" + ZERO,
    "8100/5": b"\x81\x00\x00\x05",
    "88a8/0": b"\x88\xa8" + ZERO,
    "8100/0 twice": (b"\x81\x00" + ZERO) * 2,
    "88a8/0 8100/0": b"\x88\xa8" + ZERO + b"\x81\x00" + ZERO,
    "8100/0 thrice": (b"\x81\x00" + ZERO) * 3,
    "9100/0": b"\x91\x00" + ZERO,
}


def mac_of(pod: Pod) -> bytes:
    return bytes.fromhex(next(i["mac"] for i in pod.result["interfaces"] if i.get("sandbox")).replace(":", ""))


def tagged(frame: str, tags: bytes, destination: bytes) -> str:
    octets = bytes.fromhex(frame)
    return (destination + octets[6:12] + tags + octets[12:]).hex()


def test_tags_take_no_datagram_out_of_its_namespace(node: Node) -> None:
    """By broadcast and to the victim's own address: the kernel peels tags of id 0 one by one and hears the group."""
    node.start_agent("green", "red")
    attacker, victim = node.pod("green"), node.pod("red")
    victim.hear(G4)
    forged.MAC = mac_of(attacker)

    def attack() -> None:
        for name, tags in TAGS.items():
            for destination in (b"\xff" * 6, mac_of(victim)):
                attacker.frames(tagged(forged.udp(attacker.address(), G4, name), tags, destination))

    attack()
    time.sleep(LIVELY)
    assert victim.heard() == set()
    node.exec("nft", "delete", "table", "bridge", "mcastlab")
    attack()
    time.sleep(LIVELY)
    assert victim.heard() >= {"8100/0", "8100/0 twice", "88a8/0 8100/0", "8100/0 thrice"}, "the positive twin"


def test_no_header_hides_a_query(node: Node) -> None:
    """Behind tags, and of MLD behind an authentication header: nobody falls back to a version without sources."""
    node.start_agent("green", "red")
    attacker, victim = node.pod("green"), node.pod("red")
    victim.hear(G4)
    forged.MAC = mac_of(attacker)
    query = forged.ipv4(attacker.address(), "224.0.0.1", forged.IGMP, forged.igmp(0x11, bytes(4), 0))

    def attack() -> None:
        for tags in TAGS.values():
            attacker.frames(tagged(query, tags, bytes.fromhex(query)[:6]), tagged(query, tags, mac_of(victim)))

    attack()
    assert victim.igmp_version() == "V3"
    attacker.frames(forged.behind_ah(forged.ipv6("fe80::1", "ff02::1", 130, bytes(24))))
    assert node.counters()["dropped_control"] == 2 * (2 * len(TAGS) + 1)
    node.exec("nft", "delete", "table", "bridge", "mcastlab")
    attack()
    assert victim.igmp_version() == "V1", "the positive twin"
