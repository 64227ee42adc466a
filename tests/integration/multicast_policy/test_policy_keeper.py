"""What others do to the bridge behind the policy's back: it is seen within a second, put right, and told."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.multicast_policy import hooks
from provision.core.wait import NotYet, until
from tests.damage import STRANGER
from tests.integration.multicast_policy.kinds import kinds
from tests.integration.multicast_policy.lines import run
from tests.integration.multicast_policy.patience import LIVELY, patient, within
from tests.integration.multicast_policy.policy_node import BRIDGE, Node
from tests.integration.multicast_policy.policy_pod import Pod
from tests.integration.multicast_policy.test_policy_agent import heard_after

G4 = "239.1.1.1"


@pytest.fixture(params=kinds())
def hooked(request: pytest.FixtureRequest, tmp_path: Path, cni_bin: Path, policy_object: Path) -> Iterator[Node]:
    """A node by each kind of hook."""
    made = Node(tmp_path, cni_bin)
    try:
        made.load(policy_object, request.param)
        yield made
    finally:
        made.close()


def three(node: Node) -> tuple[Pod, Pod, Pod]:
    """Two pods of green, and one of red; the last two have joined."""
    one, other, red = node.pod("green"), node.pod("green"), node.pod("red")
    for pod in (other, red):
        pod.hear(G4)
    return one, other, red


def restored(node: Node, device: str, seconds: float = 3) -> None:
    """Within a second it is seen; the rest is a busy machine's."""
    until(
        f"'{device}' to have its programs",
        lambda: node.has_programs(device) or NotYet("it has not"),
        within(seconds),
        interval=0.05,
    )


def test_programs_that_were_removed_are_put_back(hooked: Node) -> None:
    node = hooked
    node.start_agent("green")
    one, other, red = three(node)
    for device in (red.port, one.port, BRIDGE):
        assert node.has_programs(device)
        node.strip(device)
        restored(node, device)
    one.say(G4, "again")
    assert heard_after(other, "again")
    assert red.heard() == set()


def test_without_an_agent_a_bridge_has_its_programs_and_a_pod_gets_its_own(hooked: Node) -> None:
    assert hooked.has_programs(BRIDGE)
    assert hooked.has_programs(hooked.pod("green").port)


def test_another_program_on_a_port_goes_on_behind_ours(hooked: Node) -> None:
    """Somebody else's filter counts what a pod sends (here our other program): it still does, and ours come first."""
    node = hooked
    node.start_agent("green")
    one, other = node.pod("green"), node.pod("green")
    other.hear(G4)
    node.exec("tc", "qdisc", "replace", "dev", one.port, "clsact")
    theirs = ("ingress", "pref", "7", "protocol", "all", "bpf", "da", "pinned", f"{hooks.PINS}/to_pod")
    node.exec("tc", "filter", "add", "dev", one.port, *theirs)
    one.say(G4, "both", "5")
    assert heard_after(other, "both")
    time.sleep(LIVELY)
    assert node.figures()["pods"][one.name]["delivered"] == 5
    assert node.has_programs(one.port)


def test_lost_pins_are_loaded_again(hooked: Node) -> None:
    """Somebody removes all pins and the programs of a port: the agent loads them anew, and all pods are known again."""
    node = hooked
    node.start_agent("green")
    one, other, red = three(node)
    node.exec("sh", "-c", f"rm -r {hooks.FOLDER}/bpf/[0-9a-f]*")
    until("the pins to be back", lambda: node.pinned() or NotYet("they are not"), within(30), interval=0.1)
    for pod in (one, other, red):
        restored(node, pod.port)
    until("all pods to be known", lambda: node.entries() == 3 or NotYet("not yet"), within(5), interval=0.1)
    one.say(G4, "again")
    assert heard_after(other, "again")
    assert red.heard() == set()


def test_other_programs_take_over(hooked: Node, tmp_path: Path, policy_object: Path) -> None:
    """A newer object is loaded while a flow runs: nothing that is forbidden passes, and the flow goes on after it."""
    node = hooked
    node.start_agent("green")
    one, other, red = three(node)
    kind = (node.folder / hooks.KIND).read_text()
    flow = node.peer(one.netns, "say", "eth0", G4, "flow", str(int(patient(20_000))), "0.005")
    assert heard_after(other, "flow")
    newer = tmp_path / "newer.o"
    newer.write_bytes(policy_object.read_bytes() + b"\0")
    before = node.pinned()
    node.load(newer, kind)
    assert node.pinned() != before
    assert len(node.pins()) == 1, "the older ones are gone"
    until("the flow to go on", lambda: node.entries() == 3 or NotYet("not yet"), within(5), interval=0.1)
    assert other.hearing
    other.hearing.more_than(len(other.hearing.all))
    assert red.heard() == set()
    flow.end()


def test_an_object_that_the_kernel_refuses_changes_nothing(node: Node, tmp_path: Path, policy_object: Path) -> None:
    node.start_agent("green")
    broken = bytearray(policy_object.read_bytes())
    at = broken.index(b"\x85\x00\x00\x00\x01\x00\x00\x00")  # a call of helper 1
    broken[at + 4] = 200
    path = tmp_path / "broken.o"
    path.write_bytes(bytes(broken))
    before = node.pinned()
    node.load(path)
    assert node.pinned() == before
    assert len(node.pins()) == 1
    assert not (node.folder / hooks.REFUSED).exists(), "or pods would start without any"
    assert "the older ones go on: loading program" in node.told("newest")
    done = subprocess.run(node.loading(policy_object, sha256="0" * 64), check=False, capture_output=True, text=True)
    assert (done.returncode, "is not the object that the bundle has" in done.stderr) == (1, True)
    for content in (b"", b"\x7fELF", b"text" * 1000):
        path.write_bytes(content)
        done = subprocess.run(node.loading(path), check=False, capture_output=True, text=True)
        assert done.returncode == 1
        assert f"'{path}': " in done.stderr
        assert "Traceback" not in done.stderr


def stranger(node: Node) -> str:
    """A hand-made port of cni0 with a host behind it; the name of the host's namespace."""
    netns = f"{node.netns}s"
    run("ip", "netns", "add", netns)
    node.ip("link", "add", "stranger0", "type", "veth", "peer", "name", "eth0", "netns", netns)
    node.ip("link", "set", "stranger0", "master", BRIDGE, "up")
    for words in (["link", "set", "eth0", "up"], ["address", "add", "10.244.0.99/24", "dev", "eth0"],
                  ["route", "add", "default", "dev", "eth0"]):  # fmt: skip
        run("ip", "-n", netns, *words)
    return netns


def test_a_port_of_nobodys_is_closed_for_groups_and_told(hooked: Node) -> None:
    node = hooked
    node.start_agent("green")
    one, other = node.pod("green"), node.pod("green")
    other.hear(G4)
    netns = stranger(node)
    try:
        restored(node, "stranger0")
        ear = node.peer(netns, "hear", "eth0", G4)
        assert ear.next() == "ready"
        one.say(G4, "secret")
        assert heard_after(other, "secret")
        say = node.peer(netns, "say", "eth0", G4, "intruder")
        say.process.wait(patient(10))
        other.hear("0.0.0.0")  # noqa: S104
        node.peer(netns, "say", "eth0", other.address(), "unicast").process.wait(patient(10))
        assert heard_after(other, "unicast"), "to one host it may"
        assert {text for text, _, _ in ear.all[1:]} <= {"intruder"}, "itself at most"
        assert other.heard() == {"unicast"}
        told = node.told("stranger0")
        assert told == "port 'stranger0' of 'cni0' is no pod's of the pod network: it is closed for groups"
        assert one.port in node.exec("ls", f"/sys/class/net/{BRIDGE}/brif"), "and later policies are not stopped"
        assert node.permit("green", "red")["error"] == ""
    finally:
        run("ip", "netns", "del", netns)


def test_a_port_that_cannot_be_given_programs_is_locked_whatever_its_carrier_does(node: Node) -> None:
    """Attaching is made to fail; the host behind the port takes its interface down and up, and counts what it hears."""
    node.start_agent("green")
    one, other = node.pod("green"), node.pod("green")
    other.hear(G4)
    (node.folder / hooks.KIND).write_text("clsact")
    node.exec("mount", "--bind", "/dev/null", "/usr/sbin/tc")  # in this node's own view
    netns = stranger(node)
    try:
        told = node.told("stranger0")
        assert told.startswith("port 'stranger0' is locked, since it cannot be given the policy's programs: ")
        ear = node.peer(netns, "hear", "eth0", G4)
        assert ear.next() == "ready"
        for _ in range(10):
            run("ip", "-n", netns, "link", "set", "eth0", "down")
            run("ip", "-n", netns, "link", "set", "eth0", "up")
            one.say(G4, "secret", "5")
        time.sleep(LIVELY)
        assert ear.all == ["ready"]
    finally:
        run("ip", "netns", "del", netns)


def test_a_pod_that_flaps_its_interface_hears_nothing_that_it_may_not(node: Node) -> None:
    node.start_agent("green")
    one, other, red = three(node)
    flow = node.peer(one.netns, "say", "eth0", G4, "flow", "800", "0.002")
    assert heard_after(other, "flow")
    while flow.process.poll() is None:
        run("ip", "-n", red.netns, "link", "set", "eth0", "down")
        run("ip", "-n", red.netns, "link", "set", "eth0", "up")
    assert red.heard() == set()
    assert node.has_programs(red.port)


def test_snooping_that_was_lost_is_restored_and_told(node: Node) -> None:
    node.start_agent("green")
    node.exec("sh", "-c", f"echo 0 >/sys/class/net/{BRIDGE}/bridge/multicast_snooping")
    told = node.told("snooping")
    assert told == "snooping was lost on 'cni0' and put back; times since the agent began: 1"
    assert node.exec("cat", f"/sys/class/net/{BRIDGE}/bridge/multicast_snooping") == "1\n"


def test_records_that_others_touched_bind_nothing_and_hurt_nobody(node: Node) -> None:
    node.start_agent("green")
    one, other = node.pod("green"), node.pod("green")
    other.hear(G4)
    ports = node.folder / "ports"
    good = (ports / f"{one.id}@eth0").read_text()
    (ports / "empty@eth0").write_text("")
    (ports / "cut@eth0").write_text(good[:40])
    (ports / "binary@eth0").write_bytes(b"\xff\xfe" * 50)
    (ports / "long@eth0").write_bytes(b"[" * 100_000)
    (ports / "deep@eth0").write_text("[" * 50_000)
    (ports / "folder@eth0").mkdir()
    (ports / "link@eth0").symlink_to("/dev/zero")
    os.mkfifo(ports / "fifo@eth0")
    (ports / "stranger@eth0").write_text(good)
    os.chown(ports / "stranger@eth0", STRANGER, STRANGER)
    (ports / "address@eth0").write_text(good.replace(one.address(), "banana"))
    (ports / "many@eth0").write_text(json.dumps({**json.loads(good), "addresses": [f"10.0.0.{n}" for n in range(9)]}))
    assert node.permit("green", "red")["error"] == ""
    one.say(G4, "still")
    assert heard_after(other, "still")


def test_a_binding_is_for_the_pods_own_port_alone(node: Node) -> None:
    """As in a network that a tenant wrote: with a result that names another's port, or for a second interface."""
    victim, attacker = node.pod("green", "victim"), node.pod("red", "attacker")
    others = {**attacker.result, "interfaces": [
        {**i, "name": victim.port} if i["name"] == attacker.port else i for i in attacker.result["interfaces"]
    ]}  # fmt: skip
    with pytest.raises(AssertionError, match=f"port '{victim.port}' is not the other end of the pod's 'eth0'"):
        node.bind(attacker, others)
    with pytest.raises(AssertionError, match="'net1' is not the pod network's interface, which is 'eth0'"):
        node.bind(attacker, attacker.result, "net1")
    assert len(list((node.folder / "ports").iterdir())) == 2
    node.bind(attacker, attacker.result)
    node.collect("tenants", [])
    assert len(list((node.folder / "ports").iterdir())) == 2, "another network's GC is not about ports"
    node.collect("pods", [victim])
    assert [path.name for path in (node.folder / "ports").iterdir()] == [f"{victim.id}@eth0"]


def test_a_port_that_is_renamed_is_nobodys_and_the_others_go_on(node: Node) -> None:
    """Renamed, or moved to another bridge, while policies change: nothing breaks, and it is told."""
    node.start_agent("green")
    one, other, moved = (node.pod("green") for _ in range(3))
    other.hear(G4)
    node.ip("link", "add", "elsewhere", "type", "bridge")
    name = one.port
    for number in range(5):
        node.ip("link", "set", name, "down")
        node.ip("link", "set", name, "name", f"renamed{number}", "up")
        name = f"renamed{number}"
        node.ip("link", "set", moved.port, "master", "elsewhere" if number % 2 == 0 else BRIDGE)
        assert node.permit("green", *(["red"] if number % 2 else []))["error"] == ""
    assert "port 'renamed4' of 'cni0' is no pod's" in node.told("renamed4")
    one.say(G4, "renamed")
    late = node.pod("green")
    late.say(G4, "late")
    assert heard_after(other, "late")
    assert "renamed" not in other.heard()
