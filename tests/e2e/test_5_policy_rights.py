"""What the agents' and the controller's tokens can do on the lab, and what the API server refuses them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.e2e.conftest import CliLab
from tests.e2e.policy_lab import OVN, SYSTEM, create, get, tried, until
from tests.e2e.test_1_security import EVERYBODY, line_verbs


def token(lab: CliLab, account: str, *more: str) -> str:
    return lab.kubectl("-n", SYSTEM, "create", "token", account, "--duration=10m", *more).strip()


def agent_pod(lab: CliLab) -> str:
    """The agent that runs; one that was deleted, or that the node's restart ended, may still be there."""

    def running() -> str:
        pods = get(lab, "-n", SYSTEM, "pods", "-l", "app.kubernetes.io/name=multicast-policy")["items"]
        alive = [
            pod for pod in pods if pod["status"]["phase"] == "Running" and not pod["metadata"].get("deletionTimestamp")
        ]
        return str(alive[0]["metadata"]["name"]) if len(alive) == 1 else ""

    return str(until("one agent runs", running, 60))


def created_as(lab: CliLab, secret: str, manifest: dict[str, Any]) -> str:
    server = "--server=https://127.0.0.1:6443 --certificate-authority=/etc/kubernetes/pki/ca.crt"
    line = f'printf %s "$1" | kubectl --kubeconfig=/dev/null {server} --token="$2" create --validate=false -f - 2>&1'
    return tried(lab, "sh", "-c", line, "sh", json.dumps(manifest), secret)


def as_account(lab: CliLab, secret: str, *args: str, code: int = 0) -> str:
    """What kubectl says as a ServiceAccount: with its token, and without the administrator's certificate."""
    server = ("--server=https://127.0.0.1:6443", "--certificate-authority=/etc/kubernetes/pki/ca.crt")
    done = lab("ssh", "k8s", "--", "kubectl", "--kubeconfig=/dev/null", *server, f"--token={secret}", *args, code=code)
    return done.stdout + done.stderr


PATCH = """
import ssl, sys, urllib.error, urllib.request
secret, name = sys.argv[1:]
request = urllib.request.Request(
    f"https://127.0.0.1:6443/apis/mcastlab.io/v1alpha1/nodemulticasts/{name}/status", b'{"status":{"error":""}}',
    {"Authorization": f"Bearer {secret}", "Content-Type": "application/merge-patch+json"}, method="PATCH",
)
try:
    answer = urllib.request.urlopen(request, context=ssl.create_default_context(cafile="/etc/kubernetes/pki/ca.crt"))
except urllib.error.HTTPError as error:
    answer = error
print(answer.read().decode())
"""


def status_written(lab: CliLab, secret: str, name: str) -> str:
    """What the API server answers to an agent that writes a status; kubectl would read the object first."""
    return lab.on("k8s", "python3", "-c", PATCH, secret, name)


def test_an_agent_writes_the_status_of_its_own_node_and_nothing_else(lab: CliLab) -> None:
    bound = token(lab, "multicast-policy", "--bound-object-kind=Pod", f"--bound-object-name={agent_pod(lab)}")
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "elsewhere"}}
    try:
        create(lab, node)
        until("it has its object", lambda: "elsewhere" in lab.kubectl("get", "nodemulticasts"))
        refused = status_written(lab, bound, "elsewhere")
    finally:
        lab.kubectl("delete", "node", "elsewhere", "--ignore-not-found")
    until("its object is gone", lambda: "elsewhere" not in lab.kubectl("get", "nodemulticasts"))
    assert "an agent may write the NodeMulticast of its own node only" in refused
    assert '"observedGeneration"' in status_written(lab, bound, "k8s")
    of_no_node = token(lab, "multicast-policy")
    assert "its own node only" in status_written(lab, of_no_node, "k8s")
    for forbidden in (
        ("get", "pods", "-A"),
        ("get", "namespaces"),
        ("delete", "nodemulticast", "k8s"),
        ("annotate", "namespace", "default", f"{OVN}=true"),
        ("patch", "multicastpolicy", "cluster", "--type=merge", "-p", '{"spec":{"namespaces":[]}}'),
        ("patch", "nodemulticast", "k8s", "--type=merge", "-p", '{"metadata":{"labels":{"a":"b"}}}'),
    ):
        assert "cannot" in as_account(lab, bound, *forbidden, code=1), forbidden


MAY = {
    "multicast-policy": {
        ("multicastpolicies.mcastlab.io", "list"), ("multicastpolicies.mcastlab.io", "watch"),
        ("nodemulticasts.mcastlab.io/status", "patch"), ("events", "create"),
    },
    "multicast-controller": {
        *((kind, verb) for kind in ("namespaces", "nodes", "configmaps") for verb in ("list", "watch")),
        *(("netnamespaces.network.openshift.io", verb) for verb in ("list", "watch", "create", "delete")),
        *(("multicastpolicies.mcastlab.io", verb) for verb in ("list", "watch", "create", "patch")),
        *(("nodemulticasts.mcastlab.io", verb) for verb in ("list", "watch", "create", "delete")),
        *(("network-attachment-definitions.k8s.cni.cncf.io", verb)
          for verb in ("list", "watch", "create", "patch", "delete")),
    },
}  # fmt: skip


@pytest.mark.parametrize("account", MAY)
def test_what_each_token_can_do(lab: CliLab, account: str) -> None:
    """All of it, as the API server has it, where it can do most; whoever adds to it is asked here."""
    shown = as_account(lab, token(lab, account), "auth", "can-i", "--list", "--no-headers", "-n", SYSTEM)
    rows = [line.split() for line in shown.splitlines() if line and not line.startswith(" ")]
    allowed = {(row[0], verb) for row in rows for verb in line_verbs(row)}
    assert allowed - EVERYBODY == MAY[account]


def test_the_controller_makes_the_labs_networks_as_they_are_and_no_others(lab: CliLab) -> None:
    secret = token(lab, "multicast-controller")
    ours = get(lab, "-n", "default", "network-attachment-definition", "eth1-multicast")["spec"]
    metadata = {"name": "eth1-multicast", "namespace": SYSTEM, "labels": {"mcastlab.io/by": "multicast-controller"}}
    good = {
        "apiVersion": "k8s.cni.cncf.io/v1",
        "kind": "NetworkAttachmentDefinition",
        "metadata": metadata,
        "spec": ours,
    }
    try:
        for change in (
            {"spec": {"config": ours["config"].replace('"eth1"', '"eth0"')}},
            {"spec": {}},
            {"metadata": {**metadata, "name": "another"}},
            {"metadata": {**metadata, "labels": {}}},
        ):
            assert "only the lab's own networks" in created_as(lab, secret, {**good, **change}), change
        assert "created" in created_as(lab, secret, good)
    finally:
        lab.kubectl("-n", SYSTEM, "delete", "network-attachment-definition", "eth1-multicast", "--ignore-not-found")


def test_the_controller_leaves_other_networks_and_the_rest_alone(lab: CliLab) -> None:
    secret = token(lab, "multicast-controller")
    refused = as_account(lab, secret, "delete", "network-attachment-definition", "eth1-multicast", code=1)
    assert "only networks that it made" in refused
    for forbidden in (
        ("get", "secrets", "-A"),
        ("get", "configmaps", "-n", "kube-system"),
        ("annotate", "namespace", "default", f"{OVN}=true"),
        ("get", "pods", "-A"),
    ):
        assert "cannot" in as_account(lab, secret, *forbidden, code=1), forbidden


def test_an_agent_says_of_pods_and_its_node_what_it_has_to_and_nothing_else(lab: CliLab) -> None:
    secret = token(lab, "multicast-policy", "--bound-object-kind=Pod", f"--bound-object-name={agent_pod(lab)}")
    about = {"apiVersion": "v1", "kind": "Pod", "name": "x", "namespace": "default", "uid": "u"}
    good = {
        "apiVersion": "v1", "kind": "Event", "metadata": {"generateName": "x.", "namespace": "default"},
        "involvedObject": about, "reason": "MulticastRefused", "message": "m", "type": "Warning",
        "source": {"component": "multicast-policy", "host": "k8s"}, "reportingComponent": "multicast-policy",
        "reportingInstance": "k8s",
    }  # fmt: skip
    node = {"apiVersion": "v1", "kind": "Node", "name": "k8s", "uid": "k8s"}
    assert "created" in created_as(lab, secret, good)
    assert "created" in created_as(lab, secret, {**good, "involvedObject": node, "reason": "MulticastPolicy"})
    for change in (
        {"reason": "Killing"},
        {"source": {"component": "kubelet", "host": "k8s"}},
        {"source": {"component": "multicast-policy", "host": "elsewhere"}},
        {"involvedObject": {**about, "kind": "Secret"}},
        {"involvedObject": {**node, "name": "elsewhere"}, "reason": "MulticastPolicy"},
    ):
        assert "an agent may only say why" in created_as(lab, secret, {**good, **change}), change
    lab.kubectl("-n", "default", "delete", "events", "--field-selector", "involvedObject.name=x")
