"""The switch on OVN-Kubernetes and openshift-sdn: the lab's API server with the objects that such clusters have."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import CliLab

CLUSTERS = Path(__file__).parent / "clusters"
OVN, SDN = "k8s.ovn.org/multicast-enabled", "netnamespace.network.openshift.io/multicast-enabled"
NAMESPACES = {"ovn-kubernetes": "openshift-ovn-kubernetes", "openshift-sdn": "openshift-sdn"}
TYPES = {"ovn-kubernetes": "OVNKubernetes", "openshift-sdn": "OpenShiftSDN"}
REQUESTED = "requested, not provable from the API: `mcastlab check --namespace {}` proves it"


def network_type(lab: CliLab, value: str) -> None:
    patch = json.dumps({"status": {"networkType": value}})
    lab.kubectl("patch", "networks.config.openshift.io", "cluster", "--type=merge", f"--patch={patch}")


def annotations(lab: CliLab, kind: str, name: str) -> dict[str, str]:
    found: dict[str, Any] = json.loads(lab.kubectl("get", kind, name, "-o", "json"))["metadata"]
    return dict(found.get("annotations", {}))


@contextmanager
def cluster(lab: CliLab, name: str) -> Iterator[None]:
    """The lab's API server with what a cluster of the kind `name` has, until its agents run; then as it was."""
    text = (CLUSTERS / f"{name}.yml").read_text().replace("IMAGE", lab.image("tools"))
    definitions, _, objects = text.partition("---\napiVersion: apps/v1")
    try:
        lab.kubectl("apply", "-f", "-", stdin=definitions)
        if "CustomResourceDefinition" in definitions:
            lab.kubectl("wait", "--for=condition=Established", "crd/clusternetworks.network.openshift.io")
        lab.kubectl("apply", "-f", "-", stdin=f"apiVersion: apps/v1{objects}")
        lab.kubectl("rollout", "status", "--namespace", NAMESPACES[name], "--timeout=90s", "daemonset")
        network_type(lab, TYPES[name])
        yield
    finally:
        network_type(lab, "mcastlab")
        lab.kubectl("delete", "--ignore-not-found", "-f", "-", stdin=text)


@pytest.fixture(scope="module")
def numbers() -> Iterator[int]:
    return itertools.count()


@pytest.fixture
def namespaces(lab: CliLab, numbers: Iterator[int]) -> Iterator[tuple[str, str]]:
    """Two that nobody has used: those of the test before may still be on their way out."""
    number = next(numbers)
    names = (f"switch-one-{number}", f"switch-two-{number}")
    try:
        for name in names:
            lab.kubectl("create", "namespace", name)
        yield names
    finally:
        lab.kubectl("delete", "namespace", "--wait=false", *names)


def status(lab: CliLab, *names: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(lab("multicast", "status", *names, "--json").stdout)
    return found


@pytest.fixture(scope="class")
def ovn_kubernetes(lab: CliLab) -> Iterator[None]:
    with cluster(lab, "ovn-kubernetes"):
        yield


@pytest.mark.usefixtures("ovn_kubernetes")
class TestOvnKubernetes:
    def test_enabled_disabled_and_requested(self, lab: CliLab, namespaces: tuple[str, str]) -> None:
        one, two = namespaces
        shown = lab("multicast", "enable", one, two).stdout
        assert "Backend ovn-kubernetes: networkType is 'OVNKubernetes'" in shown
        assert "DaemonSet openshift-ovn-kubernetes/ovnkube-node has 1 of 1 pods ready" in shown
        assert "enable-multicast is on (--enable-multicast in Deployment" in shown
        for name in namespaces:
            assert f"{OVN}=true set on the Namespace); {REQUESTED.format(name)}" in shown
        assert annotations(lab, "namespace", one)[OVN] == "true"
        found = status(lab, one)
        assert (found["backend"], found["namespaces"][0]["state"]) == ("ovn-kubernetes", "requested")
        assert found["namespaces"][0]["by"] == [OVN]
        assert "nothing to change" in lab("multicast", "enable", one).stdout
        assert f"{OVN} removed from the Namespace" in lab("multicast", "disable", one).stdout
        assert OVN not in annotations(lab, "namespace", one)
        assert status(lab, one)["namespaces"][0]["state"] == "off"

    def test_all_namespaces_or_none(self, lab: CliLab, namespaces: tuple[str, str]) -> None:
        error = lab("multicast", "enable", namespaces[0], "no-such", "nor-this", code=2).stderr
        assert "Namespace 'no-such' does not exist" in error
        assert "Namespace 'nor-this' does not exist" in error
        assert "remedy: Run `kubectl create namespace no-such`" in error
        assert OVN not in annotations(lab, "namespace", namespaces[0])

    def test_without_permission_nothing_is_changed(self, lab: CliLab, namespaces: tuple[str, str]) -> None:
        """A user who may change one namespace and not the other changes neither."""
        one, two = namespaces
        lab.kubectl("create", "serviceaccount", "half", "--namespace", one)
        account = f"--serviceaccount={one}:half"
        try:
            lab.kubectl("create", "clusterrolebinding", "switch-half", "--clusterrole=view", account)
            rules = ("--verb=get,list", "--resource=namespaces,netnamespaces.network.openshift.io")
            lab.kubectl("create", "clusterrole", "switch-half-read", *rules)
            lab.kubectl("create", "clusterrolebinding", "switch-half-read", "--clusterrole=switch-half-read", account)
            read = ("--verb=get", "--resource=networks.config.openshift.io")
            lab.kubectl("create", "clusterrole", "switch-half-type", *read)
            lab.kubectl("create", "clusterrolebinding", "switch-half-type", "--clusterrole=switch-half-type", account)
            lab.kubectl("create", "role", "half", "--verb=patch", "--resource=namespaces", "--namespace", one)
            lab.kubectl("create", "rolebinding", "half", "--role=half", account, "--namespace", one)
            path = lab.folder / "half.kubeconfig"
            path.write_text(kubeconfig_of(lab, lab.kubectl("create", "token", "half", "--namespace", one).strip()))
            error = lab("multicast", "enable", one, two, "--kubeconfig", str(path), code=3).stderr
            assert "The API server answered 403" in error
            assert "remedy: Use a kubeconfig whose user may do this" in error
            assert OVN not in annotations(lab, "namespace", one) | annotations(lab, "namespace", two)
            assert "enabled" in lab("multicast", "enable", one, "--kubeconfig", str(path)).stdout
        finally:
            for kind in ("clusterrolebinding", "clusterrole"):
                names = ("switch-half", "switch-half-read", "switch-half-type")
                lab.kubectl("delete", kind, "--ignore-not-found", *names)

    def test_multicast_switched_off_globally(self, lab: CliLab, namespaces: tuple[str, str]) -> None:
        workload = ("--namespace", "openshift-ovn-kubernetes", "deployment/ovnkube-control-plane")
        script = "/spec/template/spec/containers/0/command/2"
        patch = [
            {
                "op": "replace",
                "path": script,
                "value": "ovnkube() { sleep infinity; }; ovnkube --enable-multicast=false",
            }
        ]
        lab.kubectl("patch", *workload, "--type=json", f"--patch={json.dumps(patch)}")
        error = lab("multicast", "enable", namespaces[0], code=3).stderr
        assert "The annotation would be without effect: OVN-Kubernetes' global setting enable-multicast is off" in error
        assert "remedy: Start OVN-Kubernetes with --enable-multicast" in error
        assert OVN not in annotations(lab, "namespace", namespaces[0])


def test_openshift_sdn(lab: CliLab, namespaces: tuple[str, str]) -> None:
    one, two = namespaces
    with cluster(lab, "openshift-sdn"):
        # As openshift-sdn's own controller does there, the lab's makes one for each namespace.
        for name in namespaces:
            lab.kubectl("wait", "--for=create", f"netnamespace/{name}", "--timeout=30s")
        shown = lab("multicast", "enable", one).stdout
        assert "its plug-in is redhat/openshift-ovs-multitenant" in shown
        assert f"{one}: enabled ({SDN}=true set on the NetNamespace); {REQUESTED.format(one)}" in shown
        assert annotations(lab, "netnamespace", one)[SDN] == "true"
        assert OVN not in annotations(lab, "namespace", one)
        # What an administrator wrote by hand, and does not count.
        lab.kubectl("annotate", "netnamespace", two, f"{SDN}=yes")
        found = {item["namespace"]: item for item in status(lab)["namespaces"]}
        assert (found[one]["wanted"], found[two]["wanted"]) == (True, False)
        assert found[two]["ignored"] == [f"{SDN} on the NetNamespace is 'yes', and only 'true' counts"]
        lab("multicast", "disable", one, two)
        assert SDN not in annotations(lab, "netnamespace", one) | annotations(lab, "netnamespace", two)


def test_a_network_type_whose_agent_does_not_run_is_no_backend(lab: CliLab, namespaces: tuple[str, str]) -> None:
    network_type(lab, "OVNKubernetes")
    try:
        error = lab("multicast", "enable", namespaces[0], code=3).stderr
        assert "its networkType is 'OVNKubernetes', but there is no DaemonSet ovnkube-node" in error
        assert OVN not in annotations(lab, "namespace", namespaces[0])
    finally:
        network_type(lab, "mcastlab")


def test_another_network_is_named_with_what_is_known(lab: CliLab) -> None:
    network_type(lab, "Calico")
    try:
        error = lab("multicast", "enable", "default", code=3).stderr
        assert "its networkType is 'Calico'" in error
        assert "known, lab (networkType mcastlab), ovn-kubernetes (networkType OVNKubernetes)" in error
    finally:
        network_type(lab, "mcastlab")


def kubeconfig_of(lab: CliLab, token: str) -> str:
    import yaml

    content = yaml.safe_load((lab.state / "kubeconfig").read_text())
    content["users"] = [{"name": content["users"][0]["name"], "user": {"token": token}}]
    return str(yaml.safe_dump(content))


def test_an_api_server_that_is_not_there(lab: CliLab) -> None:
    path = lab.folder / "gone.kubeconfig"
    path.write_text((lab.state / "kubeconfig").read_text().replace(":6443", ":6444"))
    started = time.monotonic()
    error = lab("multicast", "status", "--kubeconfig", str(path), code=3).stderr
    assert "The API server does not answer" in error
    assert "Check that the cluster runs and that this kubeconfig is its" in error
    assert time.monotonic() - started < 40
    path.write_text("not: [a kubeconfig")
    assert "The kubeconfig cannot be used" in lab("multicast", "status", "--kubeconfig", str(path), code=2).stderr
    path.unlink()
    assert "There is no such kubeconfig" in lab("multicast", "status", "--kubeconfig", str(path), code=2).stderr
