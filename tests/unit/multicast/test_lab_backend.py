"""The lab's own backend: what nodes report, a node whose kernel takes no programs, and that nobody waits for it."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from provision import config, multicast
from provision.cluster.api import Node
from provision.commands import multicast as show
from provision.core.errors import HostError, WaitError
from provision.core.wait import Deadline
from provision.multicast.backends.lab import BACKEND, NODES, POLICY, late
from provision.multicast.detect import NETWORK, detect, wait_until_detected
from provision.pipeline.stages import namespaces as stage

NOT_PERMITTED = "loading program 'from_pod': Operation not permitted"
REFUSAL = f"node 'k8s' cannot keep namespaces apart: {NOT_PERMITTED}"
NOTE = "snooping was lost on 'cni0' and put back; times since the agent began: 1"


class Cluster:
    """A lab's API server with one node; `statuses` are those that the agent reports, one for each question."""

    def __init__(self, *statuses: dict[str, Any], ready: int = 1) -> None:
        self.statuses, self.ready = list(statuses), ready
        self.written: list[Any] = []

    def nodes(self) -> list[Node]:
        return [Node("k8s", ready=True, version="v1.36.3")]

    def find(self, path: str) -> Any:
        if path == NETWORK:
            return {"spec": {"networkType": "mcastlab"}}
        if path == POLICY:
            return {"metadata": {"generation": 7}, "spec": {"namespaces": [{"name": "app"}]}}
        return {"metadata": {"name": path.rsplit("/", 1)[1]}} if "/namespaces/" in path else None

    def items(self, path: str) -> list[Any]:
        if path == NODES:
            status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
            return [{"metadata": {"name": "k8s"}, "status": status}]
        if path.endswith("daemonsets"):
            metadata = {"namespace": "mcastlab-system", "name": "multicast-policy"}
            status = {"numberReady": self.ready, "desiredNumberScheduled": 1}
            return [{"metadata": metadata, "spec": {"template": {"spec": {"containers": []}}}, "status": status}]
        return []

    def merge(self, path: str, body: Any, *, dry_run: bool = False) -> None:
        self.written += [] if dry_run else [(path, body)]

    def apply(self, manifest: Any) -> None:
        raise AssertionError(manifest)


def cluster(*statuses: dict[str, Any], ready: int = 1) -> Any:
    return Cluster(*statuses, ready=ready)


def test_notes_are_facts_with_their_node_and_a_line_for_each() -> None:
    found = detect(cluster({"observedGeneration": 7, "notes": [NOTE, "two"], "refused": ""}))
    assert (found.facts, found.obstacle) == ((f"node 'k8s': {NOTE}", "node 'k8s': two"), "")
    assert show.cluster_lines(found) == [
        "Backend lab: networkType is 'mcastlab', and DaemonSet mcastlab-system/multicast-policy has 1 of 1 pods ready",
        f"  node 'k8s': {NOTE}",
        "  node 'k8s': two",
    ]
    assert show.cluster(found)["settings"] == list(found.facts)


@pytest.mark.parametrize("ready", [0, 1])
def test_a_node_that_refuses_is_an_obstacle_whether_its_agent_is_ready_or_not(ready: int) -> None:
    found = detect(cluster({"refused": NOT_PERMITTED}, ready=ready))
    assert (found.name, found.facts, found.obstacle) == ("lab", (REFUSAL,), REFUSAL)
    with pytest.raises(HostError) as caught:
        found.needed()
    assert str(caught.value) == (
        f"The annotation would be without effect: {REFUSAL}\n"
        "  remedy: Use a kernel, and a container around it, that allows bpf(); without one, enable no namespace"
    )
    assert found.known() is BACKEND


def test_an_agent_that_does_not_run_for_another_reason_is_none() -> None:
    assert detect(cluster({"observedGeneration": 7}, ready=0)).backend is None


def test_enabling_there_writes_nothing_and_says_so_at_once() -> None:
    refusing = cluster({"refused": NOT_PERMITTED})
    with pytest.raises(HostError, match="would be without effect"):
        multicast.enable(refusing, detect(refusing), ["app"])
    assert refusing.written == []


def test_the_stage_makes_no_namespace_there(monkeypatch: pytest.MonkeyPatch) -> None:
    refusing = cluster({"refused": NOT_PERMITTED}, ready=0)
    monkeypatch.setattr(stage, "Kube", lambda _path: refusing)
    listed = config.load(None).multicast.model_copy(update={"namespaces": ("app",)})
    run: Any = SimpleNamespace(
        lab=config.load(None).model_copy(update={"multicast": listed}), directory=SimpleNamespace(kubeconfig=None)
    )
    with pytest.raises(HostError, match="would be without effect"):
        stage.Namespaces().run(run)


def test_a_node_that_refuses_later_ends_the_wait_at_once() -> None:
    began = time.monotonic()
    late_refusal = cluster({}, {}, {"refused": NOT_PERMITTED})
    with pytest.raises(HostError) as caught:
        BACKEND.wait(late_refusal, ["app"], Deadline.after(600), on=True)
    assert not isinstance(caught.value, WaitError)
    assert caught.value.problem == f"app cannot be enabled: {REFUSAL}"
    assert time.monotonic() - began < 60


def test_a_lab_that_was_just_made_is_waited_for_until_its_node_has_reported() -> None:
    kube = cluster({}, {}, {}, {"observedGeneration": 1})
    assert wait_until_detected(kube).obstacle == ""
    assert len(kube.statuses) == 1
    # The agent is there, has said nothing yet, and then says no.
    assert wait_until_detected(cluster({}, {}, {"refused": NOT_PERMITTED})).obstacle == REFUSAL


def test_who_enforces_what() -> None:
    def seen(**status: Any) -> dict[str, Any]:
        return {"k8s": status}

    assert late(["k8s"], seen(refused=NOT_PERMITTED, error="other"), 7) == [REFUSAL]
    assert late(["k8s"], seen(refused="", observedGeneration=7), 7) == []
    (force,) = BACKEND.force(cluster({"refused": NOT_PERMITTED}), ["app"])
    assert str(force) == f"pending: {REFUSAL}"
    (force,) = BACKEND.force(cluster({"observedGeneration": 7}), ["app"])
    assert str(force) == "on: 1 of 1 nodes"
