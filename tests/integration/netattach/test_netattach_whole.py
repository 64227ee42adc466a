"""What pods have lost is seen, told and, where it is asked for, repaired; with the real plug-ins."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from netattach_ctr import Ctr
from netattach_node import Node, Pod, ip

from agents.netattach import multus_cache
from agents.netattach.kubelet import Kubelet
from agents.netattach.repair import Repair, cannot_attach
from agents.netattach.request import Pod as Named
from agents.netattach.runtime import Runtime, Unknown
from agents.netattach.settings import Settings
from agents.netattach.store import Store
from agents.netattach.watch import Watch
from agents.netattach.whole import Broken, examine


class Recorded(Kubelet):
    """A kubelet whose API server is a test's."""

    def __init__(self) -> None:
        super().__init__("")
        self.told: list[tuple[str, str, str]] = []
        self.pods: dict[str, dict[str, Any]] = {}

    def tell_pod(self, pod: Named, reason: str, text: str) -> None:
        self.told.append((str(pod), reason, text))

    def pod(self, pod: Named) -> dict[str, Any] | None:
        return self.pods.get(str(pod))


class Bench:
    """A node with a network `lan`, its runtime and its watch."""

    def __init__(self, node: Node) -> None:
        self.node = node
        node.nad("lan", node.macvlan())
        self.ctr = Ctr(node.folder / "ctr")
        self.settings = Settings(node.own_settings())
        self.runtime = Runtime([str(self.ctr.command)])
        self.kubelet = Recorded()
        self.watch = Watch(self.settings, self.runtime, self.kubelet)
        (node.net_d / "00-netattach.conflist").write_text("{}")

    def attached(self, networks: str = "lan@eth1") -> Pod:
        pod = self.node.pod(networks)
        self.node.call("ADD", pod).good()
        self.ctr.knows(*self.node.pods)
        self.kubelet.pods[pod.key] = {"metadata": {"uid": pod.uid}, "spec": {"restartPolicy": "Always"}}
        return pod

    def lasting(self) -> list[str]:
        """The pods that two looks in a row find broken."""
        self.look()
        return [str(broken.sandbox.pod) for broken in self.look()]

    def look(self) -> list[Broken]:
        """One look of the node's unit."""
        self.runtime.look()
        return self.watch.look()


@pytest.fixture
def bench(node: Node) -> Bench:
    return Bench(node)


def delete(bench: Bench, pod: Pod) -> None:
    ip("-n", pod.netns, "link", "delete", "eth1")


def renew_master(bench: Bench, pod: Pod) -> None:
    """As a driver that is loaded again, or a cable that podman pulls and puts back."""
    ip("-n", bench.node.netns, "link", "delete", "eth1")
    ip("-n", bench.node.netns, "link", "add", "eth1", "up", "type", "veth", "peer", "name", "lan")


def rename(bench: Bench, pod: Pod) -> None:
    ip("-n", pod.netns, "link", "set", "eth1", "down")
    ip("-n", pod.netns, "link", "set", "eth1", "name", "other")


def put_down(bench: Bench, pod: Pod) -> None:
    ip("-n", pod.netns, "link", "set", "eth1", "down")


def flush(bench: Bench, pod: Pod) -> None:
    ip("-n", pod.netns, "address", "flush", "dev", "eth1")


@pytest.mark.parametrize(
    ("lose", "fault"),
    [
        (delete, "interface 'eth1' of network 'default/lan' is not there"),
        (renew_master, "interface 'eth1' of network 'default/lan' is not there"),
        (rename, "interface 'eth1' of network 'default/lan' is not there"),
        (put_down, "interface 'eth1' of network 'default/lan' is down"),
        (flush, "interface 'eth1' of network 'default/lan' has lost 10.0.0.13/24"),
    ],
)
def test_each_way_to_lose_an_interface_is_told_once(
    bench: Bench, lose: Callable[[Bench, Pod], None], fault: str
) -> None:
    pod = bench.attached()
    assert bench.lasting() == []
    lose(bench, pod)
    assert bench.lasting() == [pod.key]
    assert bench.lasting() == [pod.key]
    assert len(bench.kubelet.told) == 1
    whose, reason, text = bench.kubelet.told[0]
    assert (whose, reason) == (pod.key, "NetworkInterfaceLost")
    assert text.startswith(fault[:1].upper() + fault[1:] + ". The pod goes on without it until it is made anew: ")
    assert f"`kubectl --namespace=default delete pod {pod.name}`" in text


def test_a_pod_that_was_never_attached_is_told(bench: Bench) -> None:
    """As when it starts while Multus' configuration is away: the runtime then calls the pod network alone."""
    pod = bench.node.pod("lan,lan@second")
    bench.ctr.knows(pod)
    assert bench.lasting() == [pod.key]
    assert bench.kubelet.told[0][2].startswith(
        "Interface 'net1' of network 'default/lan' is not there: it was never attached; interface 'second' of network"
    )


def test_what_multus_attached_is_judged_by_its_own_record(bench: Bench) -> None:
    pod = bench.attached()
    store = Store(str(bench.node.cache))
    record = store.load(pod.id, "eth0")
    assert record is not None
    multus_cache.hand_over(store, str(bench.node.folder / "multus"), record)
    assert bench.lasting() == []
    flush(bench, pod)
    assert bench.lasting() == [pod.key]
    assert "has lost 10.0.0.13/24" in bench.kubelet.told[0][2]
    assert (bench.node.folder / "multus" / pod.id).exists(), "a look takes nothing over"


def test_pods_that_end_and_pods_without_networks_are_whole(bench: Bench) -> None:
    plain, ends = bench.node.pod(None), bench.attached()
    bench.ctr.knows(plain, ends)
    delete(bench, ends)
    assert bench.look() == [], "once is not lasting"
    ip("netns", "delete", ends.netns)
    assert bench.lasting() == []
    assert bench.kubelet.told == []


def looked(bench: Bench) -> dict[str, Any]:
    """What the node's program says that `mcastlab status` and the check ask."""
    words = ["whole", f"--set={json.dumps(bench.node.own_settings())}", "--", str(bench.ctr.command)]
    done = subprocess.run([bench.node.executable, *words], capture_output=True, text=True, check=True, timeout=60)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_program_counts_whole_and_broken(bench: Bench) -> None:
    first, second = bench.attached(), bench.attached()
    assert looked(bench) == {"whole": sorted([first.key, second.key]), "broken": []}
    delete(bench, second)
    fault = "interface 'eth1' of network 'default/lan' is not there"
    assert looked(bench) == {"whole": [first.key], "broken": [{"pod": second.key, "faults": [fault]}]}


def repaired(bench: Bench, repair: Repair, now: float) -> list[str]:
    bench.look()
    with bench.node.inside():
        repair.step(bench.look(), now)
    return bench.ctr.killed


def test_repair_makes_one_sandbox_anew_at_a_time(bench: Bench) -> None:
    """The next one only once the one before is whole again, or its time is up."""
    first, second = bench.attached(), bench.attached()
    repair = Repair(bench.settings, bench.runtime, bench.kubelet)
    assert repaired(bench, repair, 0) == []
    for pod in (first, second):
        delete(bench, pod)
    assert repaired(bench, repair, 10) == [first.id]
    assert repaired(bench, repair, 20) == [first.id], "under way"
    bench.node.call("DEL", first).good()
    ip("netns", "delete", first.netns)
    again = bench.attached()
    again.uid, again.name = first.uid, first.name
    bench.ctr.knows(second, again)
    assert repaired(bench, repair, 30) == [first.id, second.id]
    assert repaired(bench, repair, 150) == [first.id, second.id], "under way"
    assert repaired(bench, repair, 220) == [first.id, second.id], "tried a moment ago"
    assert repaired(bench, repair, 700) == [first.id, second.id, second.id]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"spec": {"restartPolicy": "Never"}}, "nobody would start it again (restartPolicy: Never)"),
        ({"metadata": {"uid": "another"}}, "it is ending"),
        ({"metadata": {"deletionTimestamp": "2026-11-26T00:00:00Z"}}, "it is ending"),
        (None, "the API server does not tell whether kubelet would start it again"),
    ],
)
def test_what_nobody_starts_again_is_left_running(
    bench: Bench, capsys: pytest.CaptureFixture[str], change: dict[str, Any] | None, why: str
) -> None:
    pod = bench.attached()
    delete(bench, pod)
    known = bench.kubelet.pods.pop(pod.key)
    if change is not None:
        bench.kubelet.pods[pod.key] = {key: {**known[key], **change.get(key, {})} for key in known}
    repair = Repair(bench.settings, bench.runtime, bench.kubelet)
    assert repaired(bench, repair, 0) == []
    assert repaired(bench, repair, 10) == []
    assert capsys.readouterr().out.count(f"Pod '{pod.key}' is not made anew: {why}\n") == 1


def test_repair_waits_until_a_new_attachment_succeeds(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    pod = bench.attached()
    ip("-n", bench.node.netns, "link", "delete", "eth1")
    record = Store(str(bench.node.cache)).load(pod.id, "eth0")
    assert record is not None
    with bench.node.inside():
        assert cannot_attach(bench.settings, record.attachments[1]) == 'plug-in "macvlan": Link not found'
    repair = Repair(bench.settings, bench.runtime, bench.kubelet)
    assert repaired(bench, repair, 0) == []
    assert "is not made anew: a new attachment to 'default/lan' fails" in capsys.readouterr().out
    ip("-n", bench.node.netns, "link", "add", "eth1", "up", "type", "veth", "peer", "name", "lan")
    assert repaired(bench, repair, 10) == [pod.id]
    assert bench.node.leases("lan") == {"10.0.0.13"}, "the trial took no address"
    assert not [name for name in ip("netns", "list").split() if name.startswith("mcastlab-trial")]


def test_repair_waits_for_a_meta_plugin(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    pod = bench.attached()
    delete(bench, pod)
    (bench.node.net_d / "00-netattach.conflist").unlink()
    assert repaired(bench, Repair(bench.settings, bench.runtime, bench.kubelet), 0) == []
    assert "no meta-plug-in is configured" in capsys.readouterr().out


@pytest.mark.parametrize("damage", ["{}", "", '{"Extensions": {}}'])
def test_what_containerd_does_not_say_is_an_error(bench: Bench, damage: str) -> None:
    pod = bench.attached()
    (bench.node.folder / "ctr" / pod.id).write_text(damage)
    with pytest.raises(Unknown, match=f"what containerd says of sandbox {pod.id[:12]} is not understood"):
        bench.runtime.look()


def test_a_sandbox_that_ends_while_it_is_looked_at_is_none(bench: Bench) -> None:
    """As checks' own pods do when `status` looks: between the list and what is asked of each."""
    stays, ends = bench.attached(), bench.attached()
    (bench.node.folder / "ctr" / ends.id).unlink()
    assert bench.runtime.look() == {stays.id, stays.id[::-1], ends.id[::-1]}
    assert [sandbox.id for sandbox in bench.runtime.sandboxes()] == [stays.id]


def test_a_pod_whose_annotation_nobody_understands_is_left_alone(bench: Bench) -> None:
    pod = bench.attached()
    pod.annotations = dict.fromkeys(pod.annotations, "[")
    bench.ctr.knows(pod)
    runtime = Runtime([str(bench.ctr.command)])
    runtime.look()
    [sandbox] = runtime.sandboxes()
    assert examine(bench.settings, sandbox) is None


def test_the_runtime_is_asked_once_a_look_and_for_each_new_sandbox(bench: Bench) -> None:
    first = bench.attached()
    assert bench.runtime.look() == {first.id, first.id[::-1]}
    assert [words.split()[1] for words in bench.ctr.asked()] == ["list", "list", "info"]
    assert [sandbox.id for sandbox in bench.runtime.sandboxes()] == [first.id]
    for _ in range(3):
        bench.look()
    assert bench.ctr.asked() == ["containers list --quiet"] * 3
    second = bench.attached()
    bench.look()
    assert [words.split()[1:3] for words in bench.ctr.asked()][2:] == [["info", second.id]]
    assert {sandbox.id for sandbox in bench.runtime.sandboxes()} == {first.id, second.id}
    bench.ctr.knows(second)
    bench.look()
    assert [sandbox.id for sandbox in bench.runtime.sandboxes()] == [second.id]


@pytest.mark.parametrize("said", ["", "{", "[]", "null", '{"metadata": {}}', "[" * 100_000])
def test_a_pod_that_kubectl_does_not_tell_is_none(tmp_path: Path, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The unit goes on, whatever is printed."""
    kubectl = tmp_path / "kubectl"
    (tmp_path / "said").write_text(said)
    kubectl.write_text(f"#!/bin/sh\ncat {tmp_path}/said\n")
    kubectl.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert Kubelet("none").pod(Named("default", "app", "1")) is None
    (tmp_path / "said").write_text('{"metadata": {"uid": "1"}, "spec": {}}')
    assert Kubelet("none").pod(Named("default", "app", "1")) == {"metadata": {"uid": "1"}, "spec": {}}
