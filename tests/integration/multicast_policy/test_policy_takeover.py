"""A pod that wants to take over: queries, routers' messages and forged sources change nothing for the others."""

from __future__ import annotations

import json
import time

from provision.core.wait import NotYet, until
from tests.integration.multicast_policy import forged
from tests.integration.multicast_policy.lines import run
from tests.integration.multicast_policy.patience import LIVELY, patient, within
from tests.integration.multicast_policy.policy_node import Node
from tests.integration.multicast_policy.policy_pod import Pod, mac_of

G4, G6 = "239.1.1.1", "ff1e::1:1"


def attack(pod: Pod, victim: Pod) -> None:
    """Queries in every version, from the pod's own address (lower than the bridge's) and from the bridge's own."""
    forged.MAC = mac_of(pod)
    for source, source6 in (("0.0.0.1", "fe80::1"), (pod.address(), "fe80::2"), ("10.244.0.1", "fe80::3")):
        pod.frames(*forged.queries(source, source6, mac_of(victim)))


EVERY_HALF_SECOND = ["mcast_query_interval", "50", "mcast_startup_query_interval", "50"]
QUERIES = """\
table inet t {
	counter four { }
	counter six { }
	chain c {
		type filter hook prerouting priority 0;
		igmp type membership-query counter name four
		icmpv6 type mld-listener-query counter name six
	}
}
"""


def asked(pod: Pod, seconds: float) -> set[str]:
    """Which queries reach `pod` within `seconds`."""
    inside = ("ip", "netns", "exec", pod.netns, "nft")
    run(*inside, "-f", "-", text=QUERIES)
    time.sleep(patient(seconds))
    shown = json.loads(run(*inside, "-j", "list", "counters"))
    run(*inside, "delete", "table", "inet", "t")
    found = [item["counter"] for item in shown["nftables"] if "counter" in item]
    return {counter["name"] for counter in found if counter["packets"]}


def test_queries_from_pods_change_nothing(node: Node) -> None:
    """The bridge goes on asking, no port becomes a router's, and no pod falls back to a version without sources."""
    for settings in (["mcast_querier", "0"], [*EVERY_HALF_SECOND, "mcast_querier", "1"]):
        node.ip("link", "set", "cni0", "type", "bridge", *settings)
    node.start_agent("green")
    attacker, victim, sender = (node.pod("green") for _ in range(3))
    victim.hear(G4, G6)
    attack(attacker, victim)
    assert asked(victim, 2) == {"four", "six"}
    assert node.routers() == []
    assert victim.igmp_version() == "V3"
    assert node.figures()["pods"][attacker.name]["control"] == 3 * 2 * 11, "every one of them"
    sender.say(G4, "still")
    sender.say(G6, "still6")
    assert victim.heard_with("still", "still6") == {"still", "still6"}


def test_without_programs_queries_take_over(bare_node: Node) -> None:
    """The positive twin: the same frames silence the bridge and make the victim fall back."""
    node = bare_node
    for settings in (["mcast_querier", "0"], [*EVERY_HALF_SECOND, "mcast_querier", "1"]):
        node.ip("link", "set", "cni0", "type", "bridge", *settings)
    attacker, victim = node.pod("green"), node.pod("green")
    victim.hear(G4, G6)
    attack(attacker, victim)
    assert victim.igmp_version() == "V1"
    assert asked(victim, 2) == set()


def test_ports_are_never_routers(node: Node) -> None:
    node.start_agent("green")
    pod = node.pod("green")
    flag = f"/sys/class/net/{pod.port}/brport/multicast_router"
    assert node.exec("cat", flag).strip() == "0"
    node.exec("sh", "-c", f"echo 1 >{flag}")

    def closed() -> bool | NotYet:
        return node.exec("cat", flag).strip() == "0" or NotYet("it is open")

    until("the agent to close it again", closed, within(5), interval=0.1)


def test_forged_sources_are_dropped(node: Node) -> None:
    node.start_agent("green")
    attacker, victim, other = node.pod("green", "attacker"), node.pod("green"), node.pod("green", "other")
    victim.hear(G4)
    forged.MAC = mac_of(attacker)
    for source in (other.address(), "10.244.0.1", "192.0.2.1", "0.0.0.0", "127.0.0.1"):  # noqa: S104
        attacker.frames(forged.udp(source, G4, f"as {source}"))
    attacker.frames(forged.udp(attacker.address(), G4, "as myself"))
    assert victim.heard_with("as myself") == {"as myself"}
    assert node.figures()["pods"]["attacker"]["forged"] == 5 * 2


def test_forged_reports_change_nothing(node: Node) -> None:
    """A leave in another's name, and a report from an address that is not the pod's, never reach the bridge."""
    node.start_agent("green")
    attacker, victim, sender = (node.pod("green") for _ in range(3))
    victim.hear(G4)
    forged.MAC = mac_of(attacker)
    group = bytes([239, 1, 1, 1])
    leave = forged.igmp(0x17, group, 0)
    v3_leave = forged.igmp(0x22, bytes([0, 0, 0, 1, 3, 0, 0, 0]) + group, 0)
    for source in (victim.address(), sender.address(), "10.244.0.1"):
        attacker.frames(forged.ipv4(source, "224.0.0.2", forged.IGMP, leave))
        attacker.frames(forged.ipv4(source, "224.0.0.22", forged.IGMP, v3_leave))
    time.sleep(LIVELY)
    assert node.figures()["pods"][attacker.name]["forged"] == 3 * 2 * 2
    ports = [entry["port"] for entry in node.groups() if entry["grp"] == G4]
    assert ports == [victim.port]
    sender.say(G4, "still")
    assert victim.heard_with("still") == {"still"}


def test_reports_reach_the_bridge_before_the_port_is_bound(node: Node) -> None:
    """No agent: the pod joins all the same, and is heard and hears as soon as there is one."""
    one, other = node.pod("green"), node.pod("green")
    other.hear(G4, G6)

    def joined() -> bool | NotYet:
        groups = {entry["grp"] for entry in node.groups() if entry["port"] == other.port}
        return True if groups >= {G4, G6} else NotYet(f"the bridge knows of {sorted(groups)}")

    until("the bridge to know of both groups", joined, within(10), interval=0.1)
    one.say(G4, "early")
    node.start_agent("green")
    one.say(G4, "late")
    one.say(G6, "late6")
    assert other.heard_with("late", "late6") == {"late", "late6"}
