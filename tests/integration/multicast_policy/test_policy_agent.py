"""The agent's life: before it, while it is away, after it comes back; and a pod's first moment."""

from __future__ import annotations

import json
import time

from tests.integration.multicast_policy.policy_node import Node, Pod

G4 = "239.1.1.1"
LIVELY = 0.4


def heard_after(pod: Pod, text: str, seconds: float = 10) -> bool:
    """Whether `pod` hears `text` in time."""
    deadline = time.monotonic() + seconds
    while text not in pod.heard() and time.monotonic() < deadline:
        time.sleep(0.02)
    return text in pod.heard()


def test_a_pod_is_heard_from_its_first_instruction(node: Node) -> None:
    """Whoever sends right after the runtime's ADD has returned, once, is heard: twenty times of twenty."""
    node.start_agent("green")
    listener = node.pod("green")
    listener.hear(G4)
    for number in range(20):
        node.pod("green").say(G4, f"first {number}", "1")
    time.sleep(LIVELY)
    assert listener.heard() == {f"first {number}" for number in range(20)}


def test_the_last_rules_stay_while_the_agent_is_away(node: Node) -> None:
    node.start_agent("green")
    one, other = node.pod("green"), node.pod("green")
    other.hear(G4)
    node.stop_agent()
    one.say(G4, "without an agent")
    started = time.monotonic()
    late, red = node.pod("green"), node.pod("red")
    assert time.monotonic() - started < 5, "pods start without an agent"
    late.hear(G4)
    late.say(G4, "from a new pod")
    red.say(G4, "red")
    time.sleep(LIVELY)
    assert other.heard() == {"without an agent"}, "what is there goes on, and nothing is added"
    assert late.heard() <= {"from a new pod"}
    node.start_agent("green")
    late.say(G4, "bound")
    assert heard_after(other, "bound")
    red.say(G4, "red")
    time.sleep(LIVELY)
    assert "red" not in other.heard() | late.heard()


def test_a_crash_between_two_policies_is_made_good(node: Node) -> None:
    node.start_agent("green", "red")
    green, red = node.pod("green"), node.pod("red")
    others = [node.pod("green"), node.pod("red")]
    for pod in others:
        pod.hear(G4)
    node.stop_agent()
    node.delete(green)
    node.start_agent("red")
    red.say(G4, "red")
    assert heard_after(others[1], "red")
    listing = node.exec("nft", "-t", "list", "table", "bridge", "mcastlab")
    assert "ns_red" in listing
    assert "ns_green" not in listing
    assert green.port not in listing


def test_a_lost_table_is_made_again(node: Node) -> None:
    """Somebody flushes all rules: the default drop and the permissions are back within seconds."""
    node.start_agent("green")
    one, other, red = node.pod("green"), node.pod("green"), node.pod("red")
    for pod in (other, red):
        pod.hear(G4)
    node.exec("nft", "flush", "ruleset")
    time.sleep(6)
    one.say(G4, "again")
    time.sleep(LIVELY)
    assert (other.heard(), red.heard()) == ({"again"}, set())


def test_loading_the_default_again_keeps_permissions_and_counts(node: Node) -> None:
    node.start_agent("green")
    one, other = node.pod("green"), node.pod("green")
    other.hear(G4)
    one.say(G4, "before")
    time.sleep(LIVELY)
    counted = node.counters()
    node.exec("nft", "-f", node.folder / "base.nft")
    one.say(G4, "after")
    assert heard_after(other, "after")
    assert counted["delivered_green"] == 3
    assert node.counters()["delivered_green"] > 3


def test_what_ends_is_forgotten(node: Node) -> None:
    node.start_agent("green")
    pods = [node.pod("green") for _ in range(3)]
    assert len(list((node.folder / "ports").iterdir())) == 3
    for pod in pods:
        node.delete(pod)
    assert list((node.folder / "ports").iterdir()) == []
    node.permit("green")
    listing = node.exec("nft", "-t", "list", "table", "bridge", "mcastlab")
    assert "veth" not in listing
    assert "chain ns_green" not in listing


def metrics(node: Node) -> dict[str, float]:
    shown = node.exec("curl", "-sS", "http://127.0.0.1:9469/metrics")
    pairs = [line.rsplit(" ", 1) for line in shown.splitlines() if line.startswith("multicast_policy")]
    return {name: float(value) for name, value in pairs}


def test_metrics_count_and_never_shrink(node: Node) -> None:
    node.start_agent("green")
    one, other, red = node.pod("green", "one"), node.pod("green"), node.pod("red")
    for pod in (other, red):
        pod.hear(G4)
    one.say(G4, "hello", "5")
    red.say(G4, "hello", "7")
    time.sleep(LIVELY)
    before = metrics(node)
    sent = f'multicast_policy_received_frames_total{{namespace="green",pod="one",port="{one.port}"}}'
    delivered = 'multicast_policy_delivered_copies_total{namespace="green"}'
    assert before[sent] == before[delivered] == 5
    # One copy for the member in the other namespace; in its first ten seconds the bridge floods, to itself as well.
    assert before['multicast_policy_dropped_copies_total{namespace="green"}'] in {5, 10}
    assert before['multicast_policy_dropped_copies_total{namespace="red"}'] in {7, 14, 21}
    node.permit("green", "red")
    node.stop_agent()
    node.start_agent("green")
    assert all(metrics(node).get(name, 0) >= before[name] for name in (sent, delivered)), "over an agent's restart"
    node.exec("nft", "flush", "ruleset")
    time.sleep(6)
    one.say(G4, "more", "2")
    time.sleep(LIVELY)
    after = metrics(node)
    assert after[delivered] == 7, "over the loss of the table"


def test_health_says_what_is_in_force(node: Node) -> None:
    node.start_agent("green")
    node.pod("green")
    told = json.loads(node.exec("curl", "-sS", "http://127.0.0.1:9469/healthz"))
    assert (told["generation"], told["ports"], told["error"]) == (1, 1, "")
    (node.folder / "ports" / "broken@eth0").write_text("{")
    node.permit("green")
    assert json.loads(node.exec("curl", "-sS", "http://127.0.0.1:9469/healthz"))["ports"] == 1
