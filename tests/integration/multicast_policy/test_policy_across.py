"""Multicast of an enabled namespace between nodes: to its pods there and nobody else, while one of them is a member."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from provision.core.wait import NotYet, until
from tests.integration.multicast_policy.patience import patient, within
from tests.integration.multicast_policy.policy_node import BRIDGE, Node, netid
from tests.integration.multicast_policy.policy_nodes import Nodes

G4, G6 = "239.1.1.1", "ff1e::1:1"


@pytest.fixture
def nodes(tmp_path: Path, cni_bin: Path, policy_object: Path) -> Iterator[Nodes]:
    made = Nodes(tmp_path, cni_bin, policy_object, 3)
    try:
        yield made
    finally:
        made.close()


def member_elsewhere(node: Node, namespace: str, group: str) -> None:
    """Wait until the node's bridge knows that a pod behind the namespace's tunnel is a member."""
    device = f"vx{netid(namespace):06x}"

    def known() -> bool | NotYet:
        found = {entry["port"] for entry in node.groups() if entry["grp"] == group}
        return device in found or NotYet(f"ports with {group} are {sorted(found)}")

    until(f"{node.name} to know of a member behind {device}", known, within(15), interval=0.05)


@pytest.mark.parametrize("group", [G4, G6])
def test_pods_of_a_namespace_hear_each_other_across_nodes(nodes: Nodes, group: str) -> None:
    nodes.enable("green", "blue")
    here, there, third = nodes.pods("green")
    strangers = [*nodes.pods("blue"), *nodes.pods("off")]
    for pod in (here, there, *strangers):
        pod.hear(group)
    for node in (nodes.all[0], nodes.all[2]):
        member_elsewhere(node, "green", group)
    third.say(group, "from the third")
    here.say(group, "from here", "1")
    assert there.heard_with("from the third", "from here") == {"from the third", "from here"}
    assert here.heard_with("from the third") >= {"from the third"}
    assert [pod.heard() for pod in strangers] == [set()] * len(strangers)
    assert there.hearing
    assert [text for text, _, _ in there.hearing.all[1:]].count("from here") == 1, "none comes twice"


def crossings(node: Node, namespace: str) -> int:
    """Packets that the namespace's tunnel has sent."""
    shown = json.loads(node.ip("-json", "-statistics", "link", "show", "dev", f"vx{netid(namespace):06x}"))
    return int(shown[0]["stats64"]["tx"]["packets"])


def test_a_group_crosses_while_somebody_elsewhere_is_a_member(nodes: Nodes) -> None:
    """Not before, and no longer than five seconds after the last one has left."""
    nodes.enable("green")
    here, there, _ = nodes.pods("green")
    other = nodes.all[0].pod("green")
    other.hear(G4)
    nodes.all[0].settle(G4, 1)  # or a bridge that has only begun to ask floods
    before = crossings(nodes.all[0], "green")
    here.say(G4, "to nobody", "50", "0.005")
    assert other.heard_with("to nobody") == {"to nobody"}
    assert crossings(nodes.all[0], "green") - before < 50
    there.hear(G4)
    member_elsewhere(nodes.all[0], "green", G4)
    here.say(G4, "to there")
    assert there.heard_with("to there") == {"to there"}
    assert there.hearing
    there.hearing.process.terminate()
    gone = within(5)

    def forgotten() -> bool | NotYet:
        ports = {entry["port"] for entry in nodes.all[0].groups() if entry["grp"] == G4}
        return NotYet(f"{sorted(ports)}") if f"vx{netid('green'):06x}" in ports else True

    until("the member elsewhere to be forgotten", forgotten, gone, interval=0.05)


def test_members_that_stay_hear_on_when_one_on_their_node_leaves(nodes: Nodes) -> None:
    """The other node's bridge asks, through the tunnel, whether anybody is left."""
    nodes.enable("green")
    here, there, _ = nodes.pods("green")
    leaving = nodes.all[1].pod("green")
    for pod in (there, leaving):
        pod.hear(G4, G6)
    for group in (G4, G6):
        member_elsewhere(nodes.all[0], "green", group)
    assert leaving.hearing
    leaving.hearing.process.terminate()
    time.sleep(patient(3))  # longer than last members are asked (RFC 3376, 8.8: twice, a second apart)
    for group in (G4, G6):
        here.say(group, group)
    assert there.heard_with(G4, G6) == {G4, G6}


def test_off_ends_a_flow_that_crosses(nodes: Nodes) -> None:
    nodes.enable("green")
    here, there, _ = nodes.pods("green")
    there.hear(G4)
    member_elsewhere(nodes.all[0], "green", G4)
    here.say(G4, "on")
    assert there.heard_with("on") == {"on"}
    for node in nodes.all:
        node.permit()
    here.say(G4, "off")
    assert there.heard_with() == {"on"}
    assert nodes.all[0].ip("-json", "link", "show", "type", "vxlan").strip() in {"[]", "[{}]", ""}
    assert "mcastlab-tunnel" not in nodes.all[0].exec("nft", "list", "tables"), "nothing to keep"


def test_a_node_that_comes_later_learns_and_is_learnt_of(nodes: Nodes) -> None:
    early, late = nodes.all[:2], nodes.all[2]
    nodes.know(early)
    nodes.enable("green")
    here, _, third = nodes.pods("green")
    here.hear(G4)
    third.hear(G6)
    nodes.know(nodes.all)
    nodes.enable("green")
    member_elsewhere(late, "green", G4)
    member_elsewhere(early[0], "green", G6)
    third.say(G4, "from the late one")
    here.say(G6, "to the late one")
    assert here.heard_with("from the late one") == {"from the late one"}
    assert third.heard_with("to the late one") == {"to the late one"}


def test_each_node_goes_on_asking_its_own_pods(nodes: Nodes) -> None:
    """Questions cross from an address that wins no election."""
    for node in nodes.all:
        for setting in (["mcast_querier", "0"], ["mcast_query_interval", "100"], ["mcast_querier", "1"]):
            node.ip("link", "set", BRIDGE, "type", "bridge", "mcast_startup_query_interval", "100", *setting)
    nodes.enable("green")
    pods = nodes.pods("green")
    asked = [pod.node.peer(pod.netns, "questions", "eth0", "6") for pod in pods]
    own = {f"10.244.{node.number}.1" for node in nodes.all}
    for pod, lines in zip(pods, asked, strict=True):
        by = set(lines.next(20))
        assert by >= {f"10.244.{pod.node.number}.1", "10.244.255.254"}, "its own bridge, and the others'"
        assert not by & (own - {f"10.244.{pod.node.number}.1"})


@pytest.mark.parametrize("octets", [1472, 60_000])
@pytest.mark.parametrize("group", [G4, G6])
def test_whole_datagrams_cross(nodes: Nodes, group: str, octets: int) -> None:
    nodes.enable("green")
    here, there, _ = nodes.pods("green")
    neighbour = nodes.all[0].pod("green")
    for pod in (there, neighbour):
        pod.hear(group)
    member_elsewhere(nodes.all[0], "green", group)
    text = "x" * octets
    here.say(group, text)
    assert there.heard_with(text) == {text}
    assert neighbour.heard_with(text) == {text}


def test_what_does_not_cross_is_told(tmp_path: Path, cni_bin: Path, policy_object: Path) -> None:
    """A network between nodes that is too small for IPv6; the lab's own is not."""
    made = Nodes(tmp_path, cni_bin, policy_object, 2, mtu=1500)
    try:
        made.enable("green")
        here, there = made.pods("green")
        there.hear(G6)
        member_elsewhere(made.all[0], "green", G6)
        here.say(G6, "x" * 1472)
        here.say(G6, "small")
        assert there.heard_with("small") == {"small"}
        told = made.all[0].permit("green")["note"]
        assert (
            "more than 1450 octets to groups do not cross nodes: the MTU of 'eth0' is 1500, and 1550 are needed" in told
        )
    finally:
        made.close()
