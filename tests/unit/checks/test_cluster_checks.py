"""The checks that judge objects of the API: what is missing, what is not ready, what differs."""

import copy
import json
from typing import Any

import pytest

from provision.checks.cluster import cluster_dns, networks_present, nodes_ready, system_pods_ready
from provision.cluster.api import NetworkAttachment, Node, node_of
from provision.cluster.pods import exit_code, pod_state
from provision.core.errors import CommandError


def node(status: str | None, message: str = "kubelet is posting ready status") -> dict[str, Any]:
    conditions = [{"type": "MemoryPressure", "status": "False"}]
    if status:
        conditions.append({"type": "Ready", "status": status, "message": message})
    info = {"kubeletVersion": "v1.36.3"}
    return {"metadata": {"name": "k8s"}, "status": {"conditions": conditions, "nodeInfo": info}}


def test_node_ready_is_the_ready_condition_only() -> None:
    assert node_of(node("True")) == Node("k8s", True, "v1.36.3", "kubelet is posting ready status")
    assert not node_of(node("False")).ready
    assert not node_of(node("Unknown")).ready
    assert node_of(node(None)).detail == "the kubelet has not reported yet"
    assert not node_of({"metadata": {"name": "k8s"}}).ready


def test_nodes() -> None:
    ready, other = Node("k8s", True, "v1"), Node("worker", False, "v1", "cni plugin not initialized")
    assert nodes_ready.unready({"k8s"}, [ready]) == []
    assert nodes_ready.unready({"k8s"}, []) == ["the cluster has no nodes"]
    assert nodes_ready.unready({"k8s", "w2"}, [ready, other]) == [
        "node 'w2' is not registered",
        "node 'worker' is not ready: cni plugin not initialized",
    ]


def pod(label: str, value: str, *, ready: str = "True", phase: str = "Running") -> dict[str, Any]:
    return {
        "metadata": {"name": f"{value}-k8s", "labels": {label: value}},
        "status": {"phase": phase, "conditions": [{"type": "Ready", "status": ready}]},
    }


SYSTEM = [pod(label, value) for label, value in system_pods_ready._COMPONENTS]


def test_system_pods() -> None:
    assert system_pods_ready.unready(SYSTEM) == []
    assert len(system_pods_ready.unready([])) == 6
    assert system_pods_ready.unready(SYSTEM[1:]) == ["there is no pod of 'etcd'"]
    unready = [*SYSTEM[:-1], pod("k8s-app", "kube-dns", ready="False")]
    assert system_pods_ready.unready(unready) == ["pod 'kube-dns-k8s' is not ready: phase Running"]
    done = [*SYSTEM, pod("job", "once", ready="False", phase="Succeeded")]
    assert system_pods_ready.unready(done) == []


def test_pod_state() -> None:
    running = {"status": {"phase": "Running", "containerStatuses": [{"state": {"running": {}}}]}}
    assert pod_state(running) == (True, "phase Running", False)
    assert pod_state({"status": {"phase": "Succeeded"}})[0]
    assert pod_state({})[:2] == (False, "phase Pending")
    never = {"reason": "ErrImageNeverPull", "message": "image is not present"}
    waiting = {"status": {"phase": "Pending", "containerStatuses": [{"state": {"waiting": never}}]}}
    assert pod_state(waiting) == (False, "phase Pending; ErrImageNeverPull image is not present", True)
    ended = {"status": {"phase": "Failed", "containerStatuses": [{"state": {"terminated": {"exitCode": 127}}}]}}
    assert pod_state(ended) == (False, "phase Failed; container ended with exit code 127", True)


def test_exit_code_of_an_exec() -> None:
    assert exit_code('{"metadata":{},"status":"Success"}') == 0
    # Recorded from an API server: `exec … false`
    failure = {"status": "Failure", "reason": "NonZeroExitCode", "message": "command terminated with exit code 1"}
    failure["details"] = {"causes": [{"reason": "ExitCode", "message": "1"}]}
    assert exit_code(json.dumps(failure)) == 1
    with pytest.raises(CommandError, match="did not start: container not found"):
        exit_code('{"status":"Failure","message":"container not found"}')
    with pytest.raises(CommandError, match="the connection was lost"):
        exit_code("")


CONFIG = {"cniVersion": "0.3.0", "type": "macvlan", "master": "eth1"}
RENDERED = [{"metadata": {"namespace": "default", "name": "eth1-multicast"}, "spec": {"config": json.dumps(CONFIG)}}]


def test_networks() -> None:
    same = NetworkAttachment("default", "eth1-multicast", json.dumps(CONFIG, indent=4))
    assert networks_present.differences(RENDERED, [same]) == []
    assert networks_present.differences(RENDERED, []) == ["Network 'default/eth1-multicast' is missing"]
    elsewhere = NetworkAttachment("other", "eth1-multicast", same.config)
    assert networks_present.differences(RENDERED, [elsewhere]) == ["Network 'default/eth1-multicast' is missing"]
    changed = NetworkAttachment("default", "eth1-multicast", '{"type": "bridge"}')
    assert networks_present.differences(RENDERED, [changed]) == [
        'Network \'default/eth1-multicast\' is not as rendered: its configuration is {"type": "bridge"}'
    ]
    assert networks_present.differences(RENDERED, [NetworkAttachment("default", "eth1-multicast", "{")]) != []


ANSWER = {"servers": ["10.96.0.10"], "answers": ["10.96.0.1"], "error": "", "seconds": 0.02}


@pytest.mark.parametrize(
    ("change", "status", "reason"),
    [
        ({}, "passed", "10.96.0.10 resolves 'kubernetes.default.svc' to 10.96.0.1"),
        ({"servers": []}, "failed", "The pod asks no name server, but the DNS service has 10.96.0.10"),
        ({"servers": ["10.0.2.3"]}, "failed", "The pod asks 10.0.2.3, but the DNS service has 10.96.0.10"),
        (
            {"answers": ["10.0.0.99"]},
            "failed",
            "'kubernetes.default.svc' resolves to 10.0.0.99, but the API has 10.96.0.1",
        ),
        (
            {"answers": [], "error": "[Errno -3] Temporary failure in name resolution"},
            "failed",
            "'kubernetes.default.svc' was not resolved by 10.96.0.10: [Errno -3] Temporary failure in name resolution."
            " Likely: replies from a pod on the same node are lost",
        ),
    ],
)
def test_dns(change: dict[str, Any], status: str, reason: str) -> None:
    outcome = cluster_dns.judge(json.dumps({**copy.deepcopy(ANSWER), **change}), ["10.96.0.10"], ["10.96.0.1"])
    assert (outcome.status, outcome.reason) == (status, reason)


@pytest.mark.parametrize("output", ["", "Traceback (most recent call last):\n", "[]", "{}"])
def test_dns_without_an_answer_of_the_pod(output: str) -> None:
    assert cluster_dns.judge(output, ["10.96.0.10"], ["10.96.0.1"]).reason == "The pod that asks printed no answer"


def test_dns_that_both_sides_lack_is_no_match() -> None:
    empty = json.dumps({**ANSWER, "servers": [], "answers": []})
    assert cluster_dns.judge(empty, [], []).status == "failed"
    assert cluster_dns.judge(json.dumps(ANSWER), [], ["10.96.0.1"]).status == "failed"
