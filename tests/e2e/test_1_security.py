"""What agents may not do, asked of the real API server, and what the lab opens on this machine."""

from __future__ import annotations

import ipaddress
import json
from typing import Any

import pytest

from tests.e2e.conftest import CliLab, listening
from tests.e2e.policy_lab import until

KUBECTL = ("kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf")
NETATTACH = ("kubectl", "--kubeconfig", "/etc/cni/net.d/netattach.d/kubeconfig")
# What every authenticated user may do: ask what it may do.
EVERYBODY = {
    ("selfsubjectaccessreviews.authorization.k8s.io", "create"),
    ("selfsubjectreviews.authentication.k8s.io", "create"),
    ("selfsubjectrulesreviews.authorization.k8s.io", "create"),
}


@pytest.mark.parametrize("namespace", ["default", "kube-system"])
def test_netattach_may_do_what_it_needs_and_nothing_else(lab: CliLab, namespace: str) -> None:
    shown = lab.on("k8s", *NETATTACH, "auth", "can-i", "--list", "--no-headers", "-n", namespace)
    # Columns: resource, [non-resource URLs], [names], [verbs]; rows of URLs alone begin with a blank.
    rows = [line.split() for line in shown.splitlines() if line and not line.startswith(" ")]
    allowed = {(row[0], verb) for row in rows for verb in line_verbs(row)}
    assert allowed - EVERYBODY == {
        ("network-attachment-definitions.k8s.cni.cncf.io", "get"),
        ("pods/status", "patch"),
        ("validatingadmissionpolicies.admissionregistration.k8s.io", "get"),
        ("validatingadmissionpolicybindings.admissionregistration.k8s.io", "get"),
        ("events", "create"),
    }


def line_verbs(row: list[str]) -> list[str]:
    """The verbs of a row: what stands in its last brackets."""
    return " ".join(row).rsplit("[", 1)[1].rstrip("]").split()


@pytest.mark.parametrize(
    ("patch", "why"),
    [
        ({"status": {"phase": "Failed"}}, "may not change the status of a pod"),
        ({"metadata": {"annotations": {"k8s.ovn.org/pod-networks": "{}"}}}, "may change the network status annotation"),
        ({"metadata": {"labels": {"app": "other"}}}, "may not change labels and finalizers"),
        ({"metadata": {"finalizers": ["example.com/stay"]}}, "may not change labels and finalizers"),
    ],
)
def test_netattach_writes_its_annotation_and_nothing_else_into_a_pod(
    lab: CliLab, patch: dict[str, Any], why: str
) -> None:
    before = metadata(lab, "etcd-k8s")
    refused = patched(lab, "etcd-k8s", patch)
    assert "ValidatingAdmissionPolicy 'netattach'" in refused
    assert why in refused
    assert metadata(lab, "etcd-k8s") == before


def test_netattach_leaves_pods_of_other_nodes_alone(lab: CliLab) -> None:
    overrides = {"spec": {"nodeName": "elsewhere"}}
    admin = (*KUBECTL, "-n", "kube-system")
    lab.on("k8s", *admin, "run", "elsewhere", "--image=none", f"--overrides={json.dumps(overrides)}")
    try:
        status = {"metadata": {"annotations": {"k8s.v1.cni.cncf.io/network-status": "[]"}}}
        assert "may change pods of its own node only" in patched(lab, "elsewhere", status)
    finally:
        lab.on("k8s", *admin, "delete", "pod", "elsewhere", "--force", "--wait=false", "--ignore-not-found")


# kubectl would read the pod before it patches it, which netattach may not.
PATCH = """
import json, ssl, sys, urllib.error, urllib.request
config = json.load(open("/etc/cni/net.d/netattach.d/kubeconfig"))
cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
trust = ssl.create_default_context()
trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE  # the node's own API server
request = urllib.request.Request(
    f"{cluster['server']}/api/v1/namespaces/kube-system/pods/{sys.argv[1]}/status",
    sys.argv[2].encode(),
    {"Authorization": f"Bearer {user['token']}", "Content-Type": "application/merge-patch+json"},
    method="PATCH",
)
try:
    urllib.request.urlopen(request, context=trust, timeout=20)
    print("accepted")
except urllib.error.HTTPError as error:
    print(json.load(error)["message"])
"""


def patched(lab: CliLab, pod: str, patch: dict[str, Any]) -> str:
    """What the API server says when netattach's own credentials are used for `patch` on a pod's status."""
    return lab.on("k8s", "python3", "-I", "-c", PATCH, pod, json.dumps(patch))


def metadata(lab: CliLab, pod: str) -> dict[str, Any]:
    shown = lab.on("k8s", *KUBECTL, "-n", "kube-system", "get", "pod", pod, "-o", "json")
    found: dict[str, Any] = json.loads(shown)["metadata"]
    return {key: found.get(key) for key in ("annotations", "labels", "finalizers")}


def test_the_credentials_of_agents_are_roots_alone(lab: CliLab) -> None:
    shown = lab.on(
        "k8s", "stat", "--format=%a %U", "/etc/cni/net.d/netattach.d/kubeconfig", "/etc/kubernetes/admin.conf"
    )
    assert shown.splitlines() == ["600 root", "600 root"]


def test_the_lab_listens_on_its_own_networks_only(lab: CliLab, listening_before: set[str]) -> None:
    own = [ipaddress.ip_network(net) for net in ("10.98.1.0/24", "fd00:98:1::/64", "10.213.0.0/16", "127.0.0.0/8")]

    def elsewhere() -> list[str]:
        opened = listening() - listening_before
        return [one for one in opened if not any(ipaddress.ip_address(one.split("%")[0]) in net for net in own)]

    # What others on this machine open for a moment, as a resolver does, is gone by then.
    until("nothing listens elsewhere", lambda: not elsewhere(), 30)
