"""The filter of the tunnels' port as text, and the entry that the programs have of a tunnel."""

from __future__ import annotations

from agents.multicast_policy.model import Node, Tunnel
from agents.multicast_policy.tables import packed_tunnel, space
from agents.multicast_policy.tunnel import Place, filter_text

HERE = Node("k8s", "10.89.0.11", ("10.244.0.0/24", "fd00:10:244::/64"))
PEERS = (Node("w2", "10.89.0.13", ("10.244.2.0/24",)), Node("w1", "10.89.0.12", ("10.244.1.0/24",)))


def test_the_filter_names_peers_interface_and_own_address_in_one_order() -> None:
    text = filter_text(Place("eth0", HERE, PEERS))
    assert 'iifname != "eth0" counter drop' in text
    assert "ip saddr != { 10.89.0.12, 10.89.0.13 } counter drop" in text
    assert "ip daddr != 10.89.0.11 counter drop" in text
    assert "ip ttl != 255 counter drop" in text
    assert "udp dport 4789 ip daddr { 10.89.0.11, 10.89.0.12, 10.89.0.13 } counter drop" in text
    assert text == filter_text(Place("eth0", HERE, PEERS[::-1])), "the order of nodes changes nothing"


def test_a_tunnel_is_named_by_its_netid() -> None:
    assert Tunnel("green", 0x2A4711, HERE.subnets, "10.244.255.254").device == "vx2a4711"


def test_a_tunnels_entry_has_this_nodes_subnets_and_the_address_that_loses() -> None:
    entry = packed_tunnel(Tunnel("green", 10, HERE.subnets, "10.244.255.254"))
    assert entry[:8] == space("green").to_bytes(8, "little")
    assert entry[8:16] == bytes(6) + b"\x00\x01", "no MAC address, not enabled yet, a tunnel"
    assert entry[20:28] == bytes([10, 244, 0, 0, 255, 255, 255, 0])
    assert entry[28:36] == bytes.fromhex("fd00001002440000")
    assert entry[56:60] == bytes([10, 244, 255, 254])
    assert len(packed_tunnel(Tunnel("green", 10, ("10.244.0.0/24",), "10.244.255.254"))) == len(entry)
