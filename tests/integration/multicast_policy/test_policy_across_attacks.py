"""Nobody but a node writes into a tunnel: by every address of every node, from pods, from the multicast LAN."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.multicast_policy import frames as f
from tests.integration.multicast_policy.lines import run
from tests.integration.multicast_policy.policy_node import Node, netid
from tests.integration.multicast_policy.policy_nodes import Nodes, address
from tests.integration.multicast_policy.policy_pod import PEER, Pod
from tests.integration.multicast_policy.test_policy_across import G4, member_elsewhere

PORT = 4789
LAN = "10.98.0.11"


@pytest.fixture
def nodes(tmp_path: Path, cni_bin: Path, policy_object: Path) -> Iterator[Nodes]:
    made = Nodes(tmp_path, cni_bin, policy_object, 2)
    try:
        made.enable("green", "blue")
        yield made
    finally:
        made.close()


def forged(text: str) -> bytes:
    """What green's tunnel would carry: a datagram of a pod of the first node, within VXLAN (RFC 7348)."""
    content = text.encode()
    datagram = struct.pack("!HHHH", 5005, 5005, 8 + len(content), 0) + content
    packet = f.ipv4("10.244.0.99", G4, f.UDP, datagram, ttl=5)
    frame = f.ethernet(f.group_mac(G4), b"\x0a\x58\x0a\xf4\x00\x63", f.IP4, packet)
    return struct.pack("!II", 0x08000000, netid("green") << 8) + frame


def throw(pod: Pod, target: str, text: str, ttl: int) -> None:
    run("ip", "netns", "exec", pod.netns, *PEER, "datagrams", target, str(PORT), str(ttl), forged(text).hex())


def listening(nodes: Nodes) -> Pod:
    """A pod of green on the second node that has joined the group; the first node knows it."""
    nodes.all[0].pod("green")
    receiver = nodes.all[1].pod("green")
    receiver.hear(G4)
    member_elsewhere(nodes.all[0], "green", G4)
    return receiver


def unfiltered(nodes: Nodes) -> None:
    """Without the filter, and nobody who would put it back."""
    for node in nodes.all:
        node.stop_agent()
        node.exec("nft", "delete", "table", "inet", "mcastlab-tunnel")


@pytest.mark.parametrize("namespace", ["blue", "off", "green"])
def test_no_pod_writes_into_a_tunnel_by_any_address_of_a_node(nodes: Nodes, namespace: str) -> None:
    receiver = listening(nodes)
    here, there = nodes.all
    attackers = [here.pod(namespace), there.pod(namespace)]
    targets = [address(node) for node in nodes.all] + ["10.244.0.1", "10.244.1.1"]
    for attacker in attackers:
        for target in targets:
            for ttl in (64, 255):
                throw(attacker, target, "forged", ttl)
    assert receiver.heard_with() == set()
    unfiltered(nodes)
    throw(attackers[0], address(there), "without the filter", 255)
    assert receiver.heard_with("without the filter") == {"without the filter"}, "by its node's own address, masqueraded"


def on_the_lan(node: Node) -> str:
    """A host on a LAN of the node's; its network namespace."""
    rogue = f"{node.netns}lan"
    run("ip", "netns", "add", rogue)
    node.ip("link", "add", "eth1", "type", "veth", "peer", "name", "eth0", "netns", rogue)
    node.ip("address", "add", f"{LAN}/24", "dev", "eth1")
    node.ip("link", "set", "eth1", "up")
    run("ip", "-n", rogue, "link", "set", "eth0", "up")
    return rogue


def test_nobody_on_the_multicast_lan_writes_into_a_tunnel(nodes: Nodes) -> None:
    """In the name of a node, with the TTL of one, to each of the node's addresses."""
    receiver = listening(nodes)
    here, there = nodes.all
    rogue = on_the_lan(there)
    try:
        mac = bytes.fromhex(there.exec("cat", "/sys/class/net/eth1/address").strip().replace(":", ""))
        there.exec("sh", "-c", "for f in all eth1; do echo 0 >/proc/sys/net/ipv4/conf/$f/rp_filter; done")

        def send(text: str) -> None:
            content = forged(text)
            for target in (address(there), LAN):
                datagram = struct.pack("!HHHH", PORT, PORT, 8 + len(content), 0) + content
                packet = f.ipv4(address(here), target, f.UDP, datagram, ttl=255)
                frame = f.ethernet(mac, b"\x02" + bytes(5), f.IP4, packet)
                run("ip", "netns", "exec", rogue, *PEER, "frames", "eth0", "2", frame.hex())

        send("forged")
        assert receiver.heard_with() == set()
        unfiltered(nodes)
        send("without the filter")
        assert receiver.heard_with("without the filter") == {"without the filter"}
    finally:
        run("ip", "netns", "del", rogue)
