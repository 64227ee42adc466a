"""Who hears whom: real datagrams between pods of enabled namespaces, of others, and the node."""

from __future__ import annotations

import time
from typing import Any

import pytest

from provision.core.wait import NotYet, until
from tests.integration.multicast_policy.patience import LIVELY, patient, within
from tests.integration.multicast_policy.policy_node import Node
from tests.integration.multicast_policy.policy_pod import PEER, Pod

G4, G6 = "239.1.1.1", "ff1e::1:1"
GROUPS = (G4, G6, "224.0.0.251", "ff02::fb")


def by_group(pod: Pod) -> dict[str, set[str]]:
    """Texts heard on each group."""
    assert pod.hearing
    found: dict[str, set[str]] = {}
    for text, _, group in pod.hearing.all[1:]:
        found.setdefault(group, set()).add(text)
    return found


def say_all(*pods: Pod) -> None:
    for pod in pods:
        for group in GROUPS:
            pod.say(group, pod.name)
    time.sleep(LIVELY)


def node_says(node: Node, group: str, text: str) -> None:
    node.exec(*PEER, "say", "cni0", group, text)


def test_nothing_passes_by_default_and_unicast_and_broadcast_do(node: Node) -> None:
    """No agent at all, as between boot and its first rules."""
    one, other = node.pod("green", "one"), node.pod("green", "other")
    own = [other.address(4), other.address(6)]
    other.hear(*GROUPS, "0.0.0.0", "::")  # noqa: S104
    in_node = node.peer(node.netns, "hear", "cni0", *GROUPS)
    assert in_node.next() == "ready"
    say_all(one)
    for group in GROUPS:
        node_says(node, group, "node")
    for address in [*own, "10.244.0.255"]:
        one.say(address, f"to {address}")
    unicast = {*(f"to {address}" for address in own), "to 10.244.0.255"}
    assert other.heard_with(*unicast) >= unicast
    assert not other.heard() & {"one", "node"}
    assert {text for text, _, _ in in_node.all[1:]} <= {"node"}, "it hears itself at most"
    assert node.figures()["unbound"]["not_allowed"] == 3 * len(GROUPS)


def test_without_programs_all_of_it_passes(bare_node: Node) -> None:
    """The positive twin of most that follows."""
    node = bare_node
    one, other = node.pod("green", "one"), node.pod("red", "other")
    other.hear(*GROUPS)
    in_node = node.peer(node.netns, "hear", "cni0", *GROUPS)
    assert in_node.next() == "ready"
    say_all(one)
    node_says(node, G4, "node")
    assert in_node.heard_with("one", "node") == other.heard_with("one", "node") == {"one", "node"}
    assert by_group(other)[G4] == {"one", "node"}
    assert all("one" in by_group(other)[group] for group in GROUPS)


def test_unicast_over_ipv6_finds_its_neighbour_whatever_the_policy(node: Node) -> None:
    """Neighbour discovery passes before there is an agent, between namespaces, and to and from the node."""
    one, other = node.pod("green", "one"), node.pod("red")
    other.hear("::")
    one.say(other.address(6), "unbound")
    node.start_agent("green")
    third = node.pod("blue", "third")
    in_node = node.peer(node.netns, "hear", "cni0", "::")
    assert in_node.next() == "ready"
    for pod in (one, third):
        pod.say(other.address(6), pod.name)
        pod.say("fd00:10:244::1", pod.name)
    node_says(node, other.address(6), "node")
    wanted = {"unbound", "one", "third", "node"}
    assert other.heard_with(*wanted) == wanted
    assert in_node.heard_with("one", "third") == {"one", "third"}


def test_namespaces_hear_themselves_and_nobody_else(node: Node) -> None:
    node.start_agent("green", "blue")
    names = ("green-1", "green-2", "blue-1", "blue-2", "red-1", "red-2")
    pods = {name: node.pod(name.split("-")[0], name) for name in names}
    for pod in pods.values():
        pod.hear(*GROUPS)
    say_all(*pods.values())
    for group in GROUPS:
        heard = {name: by_group(pod).get(group, set()) - {name} for name, pod in pods.items()}
        assert heard == {
            "green-1": {"green-2"}, "green-2": {"green-1"}, "blue-1": {"blue-2"}, "blue-2": {"blue-1"},
            "red-1": set(), "red-2": set(),
        }, group  # fmt: skip
    counted = node.figures()["pods"]
    for name in ("green-1", "green-2", "blue-1", "blue-2"):
        assert counted[name]["received"] == counted[name]["delivered"] == 3 * len(GROUPS), name
        assert counted[name]["withheld"] >= 2 * 3 * len(GROUPS), (
            "of two pods elsewhere; red's came no further than its port"
        )
    assert counted["red-1"]["received"] == counted["red-1"]["off"] == 3 * len(GROUPS)
    assert counted["red-1"]["delivered"] == 0


def test_names_that_are_alike(node: Node) -> None:
    node.start_agent("a-b", "ab")
    one, other, third = node.pod("a-b", "one"), node.pod("a-b", "other"), node.pod("ab", "third")
    for pod in (other, third):
        pod.hear(G4)
    one.say(G4, "hello")
    assert (other.heard_with("hello"), third.heard()) == ({"hello"}, set())


def test_the_node_belongs_to_no_namespace(node: Node) -> None:
    node.start_agent("green")
    green, red = node.pod("green", "green"), node.pod("red", "red")
    for pod in (green, red):
        pod.hear(*GROUPS)
    in_node = node.peer(node.netns, "hear", "cni0", *GROUPS)
    assert in_node.next() == "ready"
    for group in GROUPS:
        node_says(node, group, "node")
    say_all(green, red)
    assert green.heard() - {"green"} == red.heard() - {"red"} == set()
    assert {text for text, _, _ in in_node.all[1:]} <= {"node"}, "it hears itself at most"


def test_groups_declared_for_nodes_reach_enabled_namespaces_only(node: Node) -> None:
    node.start_agent("green", node_groups=(G4, G6))
    green, red = node.pod("green", "green"), node.pod("red", "red")
    for pod in (green, red):
        pod.hear(*GROUPS)
    in_node = node.peer(node.netns, "hear", "cni0", *GROUPS)
    assert in_node.next() == "ready"
    for group in GROUPS:
        node_says(node, group, "node")
    say_all(green, red)
    assert {group for group, texts in by_group(green).items() if "node" in texts} == {G4, G6}
    assert red.heard() <= {"red"}
    from_pods = {(text, group) for text, _, group in in_node.all[1:] if text != "node"}
    assert from_pods == {("green", G4), ("green", G6)}
    counted = node.figures()
    assert counted["pods"]["green"]["delivered"] == 2 * 3
    assert (counted["node"]["received"] - counted["node"]["not_allowed"], counted["node"]["delivered"]) == (
        2 * 3,
        2 * 3,
    )
    node.permit("green")
    before = len(in_node.all), len(green.heard())
    node_says(node, G4, "again")
    green.say(G4, "green")
    time.sleep(LIVELY)
    assert "again" not in green.heard()
    assert {text for text, _, _ in in_node.all[before[0] :]} <= {"again"}


def test_switching_off_stops_a_flow_that_runs(node: Node) -> None:
    node.start_agent("green")
    sender, other = node.pod("green"), node.pod("green")
    other.hear(G4)
    flow = node.peer(sender.netns, "say", "eth0", G4, "flow", str(int(patient(20_000))), "0.005")
    assert other.hearing
    assert other.hearing.next()[0] == "flow"
    node.permit()
    stopped = other.hearing.quiet()
    assert flow.process.poll() is None, "the sender still sends"
    node.permit("green")
    other.hearing.more_than(stopped)


def test_sources_are_told_apart(node: Node) -> None:
    """SSM: the bridge holds (S,G), and only the source that was joined is heard."""
    node.start_agent("green")
    wanted, unwanted, receiver = node.pod("green", "wanted"), node.pod("green", "unwanted"), node.pod("green")
    receiver.hear(f"232.1.1.1<{wanted.address()}")

    def with_source() -> list[dict[str, Any]] | NotYet:
        # The bridge makes the group's entry first and then the source's: between them only the first is seen.
        found = [entry for entry in node.groups() if entry["grp"] == "232.1.1.1"]
        return found if any("src" in entry for entry in found) else NotYet(f"the bridge holds {found}")

    entries = until("the bridge to know of the source", with_source, within(5), interval=0.02)
    assert {entry["port"] for entry in entries} == {receiver.port}
    assert {entry["filter_mode"] for entry in entries} == {"include"}, "exclude would be any source"
    assert [entry["src"] for entry in entries if "src" in entry] == [wanted.address()]
    for pod in (unwanted, wanted):
        pod.say("232.1.1.1", pod.name)
    assert receiver.heard_with("wanted") == {"wanted"}


@pytest.mark.parametrize("octets", [100, 1472, 60_000])
@pytest.mark.parametrize("group", [G4, G6])
def test_whole_datagrams_of_any_length_pass_within(node: Node, group: str, octets: int) -> None:
    """In fragments as well, also where the bridge's packets go through the node's connection tracking."""
    node.exec("sh", "-c", "echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables")
    node.exec("sh", "-c", "echo 1 >/proc/sys/net/bridge/bridge-nf-call-ip6tables")
    node.exec(
        "nft", "-f", "-", text="table inet t { chain c { type filter hook forward priority 0; ct state new accept; }; }"
    )
    node.start_agent("green", "blue")
    one, other, blue = node.pod("green", "one"), node.pod("green", "other"), node.pod("blue", "blue")
    for pod in (other, blue):
        pod.hear(group)
    one.say(group, "x" * octets, "5", "0.05")
    assert other.hearing
    other.hearing.more_than(5)  # it says first that it is ready
    other.heard_with("x" * octets)
    assert ([len(text) for text, _, _ in other.hearing.all[1:]], blue.heard()) == ([octets] * 5, set())
