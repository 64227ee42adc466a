"""One pod, or ten, that report as much as they can: snooping stays on, and others join and hear."""

from __future__ import annotations

import pytest

from provision.core.wait import NotYet, until
from tests.integration.multicast_policy import frames as f
from tests.integration.multicast_policy.patience import patient, within
from tests.integration.multicast_policy.policy_node import BRIDGE, Node
from tests.integration.multicast_policy.policy_pod import Pod, mac_of
from tests.integration.multicast_policy.test_policy_agent import heard_after

G4, G6 = "239.1.1.1", "ff1e::1:1"
RECORDS = 183  # of eight octets in a report of 1,500


def full_report(pod: Pod, number: int) -> str:
    """An IGMPv3 report that joins as many groups as it holds, all of them new ones."""
    groups = (b"\x04\0\0\0" + bytes([239, 100 + number, index // 250, index % 250]) for index in range(RECORDS))
    message = f.igmp(0x22, b"\0\0" + RECORDS.to_bytes(2, "big") + b"".join(groups), 0)
    packet = f.ipv4(pod.address(), "224.0.0.22", f.IGMP, message)
    return f.ethernet(f.group_mac("224.0.0.22"), mac_of(pod), f.IP4, packet).hex()


def snooping(node: Node) -> str:
    return node.exec("cat", f"/sys/class/net/{BRIDGE}/bridge/multicast_snooping").strip()


def spoilt(node: Node, attackers: list[Pod], count: int) -> int:
    """Have all of them send so many full reports; how many entries the bridge's table then has."""
    for pod in attackers:
        pod.frames(*(full_report(pod, number) for number in range(count)), count=1)
    return len(node.groups())


@pytest.mark.parametrize("attackers", [1, 10])
def test_reports_of_one_pod_or_of_ten_leave_others_whole(node: Node, attackers: int) -> None:
    node.start_agent("green")
    one, other, late = node.pod("green"), node.pod("green"), node.pod("green")
    other.hear(G4, G6)
    node.settle(G4, 1)
    flow = node.peer(one.netns, "say", "eth0", G4, "flow", "500", "0.005")
    assert heard_after(other, "flow")
    # The limit for each: 1,000 at once and 4 a second; a report of 183 costs 184.
    assert spoilt(node, [node.pod("green") for _ in range(attackers)], 30) <= attackers * 1100 + 100
    assert snooping(node) == "1"
    late.hear(G4)
    one.say(G4, "after")
    assert heard_after(late, "after", 2)
    flow.process.wait(patient(60))
    assert other.hearing
    other.hearing.quiet()
    assert sum(text == "flow" for text, _, _ in other.hearing.all[1:]) == 500
    assert node.figures()["pods"][other.name]["not_allowed"] == 0


def test_without_programs_a_small_table_is_full_at_once(bare_node: Node) -> None:
    """The positive twin, with the table that the kernel has by default."""
    bare_node.ip("link", "set", BRIDGE, "type", "bridge", "mcast_hash_max", "4096")
    spoilt(bare_node, [bare_node.pod("green")], 30)
    assert snooping(bare_node) == "0"


def test_an_application_that_joins_sixty_groups_hears_each_within_a_second(node: Node) -> None:
    """A kernel reports a join by itself, and once more within a second (RFC 3376, 8.11; RFC 3810, 9.11).

    So nobody asks until the bridge knows all, and no report is refused: a clock would judge the machine's load.
    """
    node.start_agent("green")
    node.ip("link", "set", BRIDGE, "type", "bridge", "mcast_querier", "0")
    one, other = node.pod("green"), node.pod("green")
    groups = [*(f"239.3.3.{number}" for number in range(1, 61)), *(f"ff1e::3:{number:x}" for number in range(1, 61))]
    other.unlimited()
    other.hear(*groups)

    def known() -> bool | NotYet:
        missing = set(groups) - {entry["grp"] for entry in node.groups() if entry["port"] == other.port}
        return NotYet(f"{len(missing)} are missing, such as {sorted(missing)[:3]}") if missing else True

    until("the bridge to know of all groups", known, within(20), interval=0.05)
    assert node.figures()["pods"][other.name]["not_allowed"] == 0
    node.settle(groups[-1], 1)
    for group in groups:
        one.say(group, group, "1")
    assert other.heard_with(*groups) == set(groups)
    assert node.figures()["pods"][other.name]["not_allowed"] == 0


def test_a_pod_with_as_many_groups_as_a_report_holds_keeps_them(node: Node) -> None:
    """Linux answers a query with all of them in one report, again and again."""
    node.start_agent("green")
    pod = node.pod("green")
    pod.unlimited()
    pod.hear(*(f"239.4.{number // 100}.{number % 100 + 1}" for number in range(RECORDS)))
    # Of the 1,000 at once the joins take 366 and a few, said twice; the port's first query, at some moment of its first
    # ten seconds, 184 and each of these 184. A third of these within seconds would be refused, and none asks so often.
    for _ in range(2):
        node.settle("239.4.0.1", 1)
    held = [entry for entry in node.groups() if entry["port"] == pod.port and entry["grp"].startswith("239.4.")]
    assert len(held) == RECORDS
    assert node.figures()["pods"][pod.name]["not_allowed"] == 0
