"""The agent's life: before it, while it is away, after it comes back; and a pod's first moment."""

from __future__ import annotations

import json
import subprocess
import time

from tests.integration.multicast_policy import forged
from tests.integration.multicast_policy.patience import LIVELY, patient, within
from tests.integration.multicast_policy.policy_node import Node
from tests.integration.multicast_policy.policy_pod import Pod, mac_of

G4 = "239.1.1.1"
REFUSALS = ("off", "forged", "control", "not_allowed")


def heard_after(pod: Pod, text: str, seconds: float = 10) -> bool:
    """Whether `pod` hears `text` in time."""
    deadline = within(seconds)
    while text not in pod.heard() and not deadline.expired:
        time.sleep(0.02)
    return text in pod.heard()


def test_a_pod_is_heard_from_its_first_instruction(node: Node) -> None:
    """Whoever sends right after the runtime's ADD has returned, once, is heard: twenty times of twenty."""
    node.start_agent("green")
    listener = node.pod("green")
    listener.hear(G4)
    for number in range(20):
        node.pod("green").say(G4, f"first {number}", "1")
    wanted = {f"first {number}" for number in range(20)}
    assert listener.heard_with(*wanted) == wanted


def test_the_last_rules_stay_while_the_agent_is_away(node: Node) -> None:
    node.start_agent("green")
    started = time.monotonic()
    one, other = node.pod("green"), node.pod("green")
    usual = time.monotonic() - started
    other.hear(G4)
    node.stop_agent()
    one.say(G4, "without an agent")
    started = time.monotonic()
    late, red = node.pod("green"), node.pod("red")
    assert time.monotonic() - started < 3 * usual + patient(5), "pods start without an agent"
    late.hear(G4)
    late.say(G4, "from a new pod")
    red.say(G4, "red")
    assert other.heard_with("without an agent") == {"without an agent"}, "what is there goes on, and nothing is added"
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
    late = node.pod("green")
    node.start_agent("red")
    red.say(G4, "red")
    assert heard_after(others[1], "red")
    late.say(G4, "late")
    time.sleep(LIVELY)
    assert "late" not in others[0].heard()
    counted = node.figures()["pods"]
    assert counted[late.name]["off"] == 3
    assert green.name not in counted


def test_what_ends_is_forgotten(node: Node) -> None:
    node.start_agent("green")
    pods = [node.pod("green") for _ in range(3)]
    assert len(list((node.folder / "ports").iterdir())) == 3
    for pod in pods:
        node.delete(pod)
    assert list((node.folder / "ports").iterdir()) == []
    node.permit("green")
    assert node.entries() == 0


def metrics(node: Node) -> dict[str, float]:
    shown = node.exec("curl", "-sS", "http://127.0.0.1:9469/metrics")
    pairs = [line.rsplit(" ", 1) for line in shown.splitlines() if line.startswith("multicast_policy")]
    return {name: float(value) for name, value in pairs}


def test_figures_add_up_over_restarts_of_the_agent(node: Node) -> None:
    """Known numbers are sent; each is counted once, as what it was, at the pod that sent it and at those that heard."""
    node.start_agent("green", "blue")
    one, other, blue, red = (node.pod(space, name) for space, name in
                             (("green", "one"), ("green", "other"), ("blue", "blue"), ("red", "red")))  # fmt: skip
    for pod in (other, blue, red):
        pod.hear(G4)
    node.settle(G4, 3)
    one.say(G4, "hello", "5")
    red.say(G4, "hello", "7")
    own, victim = mac_of(one), mac_of(other)
    forged.MAC = own
    one.frames(forged.udp(other.address(), G4, "as another"), count=3)
    one.frames(*forged.queries(one.address(), "fe80::1", victim), count=1)
    one.frames("ffffffffffff" + own.hex() + "81000005" + forged.udp(one.address(), G4, "tagged")[24:], count=4)
    time.sleep(LIVELY)
    counted = node.figures()["pods"]
    assert {name: counted["one"][name] for name in REFUSALS} == {"off": 0, "forged": 3, "control": 11, "not_allowed": 4}
    assert counted["one"]["received"] == 5 + 3 + 11 + 4
    assert (counted["red"]["received"], counted["red"]["off"]) == (7, 7)
    assert (counted["other"]["delivered"], counted["other"]["withheld"]) == (5, 0)
    assert (counted["blue"]["delivered"], counted["blue"]["withheld"]) == (0, 5)
    assert (counted["red"]["delivered"], counted["red"]["withheld"]) == (0, 5)
    shown = metrics(node)
    assert shown['multicast_policy_received_frames_total{namespace="green",pod="one"}'] == 23
    assert shown['multicast_policy_refused_frames_total{namespace="red",pod="red",why="off"}'] == 7
    assert not any(pod.port in name for name in shown for pod in node.pods), "names of ports are nobody's business"
    node.permit("green", "red", "blue")
    node.stop_agent()
    node.start_agent("green")
    one.say(G4, "more", "2")
    time.sleep(LIVELY)
    assert node.figures()["pods"]["one"]["received"] == 25, "over an agent's restart"


def test_health_says_what_is_in_force(node: Node) -> None:
    node.start_agent("green")
    node.pod("green")
    told = json.loads(node.exec("curl", "-sS", "http://127.0.0.1:9469/healthz"))
    assert (told["generation"], told["ports"], told["error"]) == (1, 1, "")
    (node.folder / "ports" / "broken@eth0").write_text("{")
    node.permit("green")
    assert json.loads(node.exec("curl", "-sS", "http://127.0.0.1:9469/healthz"))["ports"] == 1


def test_metrics_are_not_to_be_had_from_a_pod(node: Node) -> None:
    node.start_agent("green")
    pod = node.pod("green")
    words = ["ip", "netns", "exec", pod.netns, "curl", "-sS", "-m", "5", "http://10.244.0.1:9469/metrics"]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (7, ""), "refused: nobody listens there"
