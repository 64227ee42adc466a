"""Networks that tenants write, on the real API server: what admission refuses, whom it trusts, and who is told what."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from kubernetes import client as api
from kubernetes import config as kubeconfig

from agents.netattach.admission import manifests
from tests.e2e.conftest import CliLab, bundle
from tests.e2e.policy_lab import add_pod, create, get, ready_agents, until
from tests.tenant_cases import CASES, POLICY, Case

LABEL = "mcastlab.io/tenant"
NAD = "network-attachment-definitions"
ADMISSION = ("validatingadmissionpolicies,validatingadmissionpolicybindings", "tenant-networks")
PLAIN = json.dumps({"cniVersion": "0.3.1", "type": "macvlan", "master": "eth1"})
BRIDGE = json.dumps({"cniVersion": "0.3.1", "type": "bridge", "bridge": "cni0"})

# What the refusal of a case says.
SAID = {
    "the node's own interface": "'master' must be one of: eth1",
    "ptp": "'type' may not be ptp",
    "DATADIR": "no tenant may have the key 'DATADIR'",
    "a second master": "key 'master' is there twice",
    "passthru": '"mode":"passthru" is not allowed',
    "a host's address": "'ipam.addresses' must be of the namespace's ranges: 10.0.0.64/26, fd00:10::100/120",
    "a whole subnet": "'ipam.subnet', or rangeStart and rangeEnd, must be of the namespace's ranges: 10.0.0.64/26",
    "the pod network's name": "'name' is that of a network of the lab's own",
    "long": "'config' is longer than 4096 octets",
    "an escape in a value": "'config' cannot be judged here",
}


def nad(name: str, text: str, namespace: str = "video", *, labelled: bool = True) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace, "labels": {LABEL: ""} if labelled else {"a": "b"}}
    kind = {"apiVersion": "k8s.cni.cncf.io/v1", "kind": "NetworkAttachmentDefinition"}
    return {**kind, "metadata": metadata, "spec": {"config": text}}


@pytest.fixture(scope="module")
def tenants(lab: CliLab) -> Iterator[CliLab]:
    """Namespaces of the policy's tenants, and `alice`, who may write their networks, as a team may that is given it."""
    names = ("video", "routed", "trusted", "poor")
    for name in names:
        lab.kubectl("create", "namespace", name)
    verbs = "--verb=get,list,create,update,patch,delete"
    lab.kubectl("create", "clusterrole", "network-writer", verbs, f"--resource={NAD}.k8s.cni.cncf.io")
    lab.kubectl("create", "clusterrolebinding", "network-writer", "--clusterrole=network-writer", "--user=alice")
    try:
        yield lab
    finally:
        lab.kubectl("delete", "clusterrolebinding,clusterrole", "network-writer")
        lab.kubectl("delete", "namespace", *names, "--timeout=120s")


def alice(lab: CliLab, *args: str, manifest: dict[str, Any] | None = None) -> str:
    """What kubectl says to her, whether it does it or not."""
    done = subprocess.run(
        [bundle() / "bin" / "kubectl", "--as=alice", "--as-group=system:authenticated", *args],
        env={"KUBECONFIG": str(lab.state / "kubeconfig"), "HOME": str(lab.folder)},
        input=json.dumps(manifest) if manifest else "",
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    return done.stdout + done.stderr


def in_force(lab: CliLab, policy: str) -> None:
    """Put an admission policy in place of the one there, and wait until the API server goes by it."""
    lab.kubectl("apply", "-f", "-", stdin=policy)
    generation = get(lab, "validatingadmissionpolicy", "tenant-networks")["metadata"]["generation"]

    def seen() -> bool:
        status = get(lab, "validatingadmissionpolicy", "tenant-networks").get("status", {})
        return int(status.get("observedGeneration", 0)) == generation

    until("the API server has looked at the policy", seen, 30)


@pytest.fixture(scope="class")
def own_policy(tenants: CliLab) -> Iterator[CliLab]:
    """The lab with the policy of the cases, which names interfaces that its hosts have not."""
    in_force(tenants, "\n---\n".join(json.dumps(one) for one in manifests(POLICY)))
    try:
        until("the new policy judges", lambda: not refusal(tenants, CASES["static"]), 30)
        yield tenants
    finally:
        in_force(tenants, tenants("render", "tenants").stdout)


def refusal(lab: CliLab, case: Case) -> str:
    """Why the API server refuses a network with the tenants' label; nothing is made."""
    loaded = kubeconfig.new_client_from_config(str(lab.state / "kubeconfig"))
    try:
        api.CustomObjectsApi(loaded).create_namespaced_custom_object(
            "k8s.cni.cncf.io", "v1", case.namespace, NAD, nad(case.name, case.text, case.namespace), dry_run="All"
        )
    except api.ApiException as error:
        return str(json.loads(error.body)["message"])
    return ""


class TestCases:
    """All under one policy, which is put in place once."""

    def test_every_case_is_judged_as_netattach_judges_it(self, own_policy: CliLab) -> None:
        """And those are refused that docs/security.md lists as refused without need."""
        said = {title: refusal(own_policy, case) for title, case in CASES.items()}
        assert {title for title, text in said.items() if text} == {
            title for title, case in CASES.items() if case.key or case.needless
        }
        for title, text in said.items():
            assert not text or f"network '{CASES[title].namespace}/{CASES[title].name}': " in text

    @pytest.mark.parametrize(("title", "says"), SAID.items())
    def test_a_refusal_names_key_and_rule(self, own_policy: CliLab, title: str, says: str) -> None:
        assert says in refusal(own_policy, CASES[title])


def test_a_tenant_does_not_get_past_the_label(tenants: CliLab) -> None:
    """Left out at create; dropped by replace, patches and server-side apply; an administrator's network taken over."""
    asks = f"give it the label '{LABEL}'"
    assert "created" in alice(tenants, "create", "-f", "-", manifest=nad("hers", PLAIN))
    assert asks in alice(tenants, "create", "-f", "-", manifest=nad("other", PLAIN, labelled=False))
    assert asks in alice(tenants, "replace", "-f", "-", manifest=nad("hers", BRIDGE, labelled=False))
    assert asks in alice(tenants, "-n", "video", "label", NAD, "hers", f"{LABEL}-")
    merge = json.dumps({"metadata": {"labels": None}, "spec": {"config": BRIDGE}})
    assert asks in alice(tenants, "-n", "video", "patch", NAD, "hers", "--type=merge", "-p", merge)
    removed = json.dumps([{"op": "remove", "path": "/metadata/labels"}])
    assert asks in alice(tenants, "-n", "video", "patch", NAD, "hers", "--type=json", "-p", removed)
    applied = ("apply", "--server-side", "--force-conflicts", "-f", "-")
    assert asks in alice(tenants, *applied, manifest=nad("new", PLAIN, labelled=False))
    assert "serverside-applied" in alice(tenants, *applied, manifest=nad("applied", PLAIN))
    assert asks in alice(tenants, *applied, manifest=nad("applied", PLAIN, labelled=False))
    assert "'type' may not be bridge" in alice(tenants, *applied, manifest=nad("applied", BRIDGE))
    assert "deleted" in alice(tenants, "-n", "video", "delete", NAD, "hers")
    assert asks in alice(tenants, "create", "-f", "-", manifest=nad("hers", BRIDGE, labelled=False))
    create(tenants, nad("by-hand", BRIDGE, labelled=False))
    own = "only administrators change them"
    assert own in alice(tenants, "-n", "video", "label", NAD, "by-hand", f"{LABEL}=")
    assert own in alice(tenants, "replace", "-f", "-", manifest=nad("by-hand", PLAIN))
    found = get(tenants, "-n", "video", NAD)["items"]
    assert {(item["metadata"]["name"], LABEL in item["metadata"].get("labels", {})) for item in found} == {
        ("applied", True), ("by-hand", False),
    }  # fmt: skip


def test_an_administrator_writes_without_the_label_and_takes_it_off(tenants: CliLab) -> None:
    create(tenants, nad("judged", PLAIN))
    assert "'type' may not be bridge" in tenants.kubectl(
        "apply", "-f", "-", stdin=json.dumps(nad("judged", BRIDGE)), code=1
    )
    tenants.kubectl("-n", "video", "label", NAD, "judged", f"{LABEL}-")
    tenants.kubectl("apply", "-f", "-", stdin=json.dumps(nad("judged", BRIDGE, labelled=False)))
    tenants.kubectl("-n", "video", "delete", NAD, "judged")


def refused(lab: CliLab, pod: str) -> str:
    """What an Event says of the pod's attachment, if there is one."""
    query = f"reason=FailedNetworkAttachment,involvedObject.name={pod}"
    events = get(lab, "-n", "video", "events", "--field-selector", query)["items"]
    return str(events[0]["message"]) if events else ""


def test_a_tenants_pod_attaches_and_one_that_is_refused_is_told(tenants: CliLab) -> None:
    """The second is refused by netattach itself: the network was there before the admission policy came.

    Multus runs what stands there: the check alone tells of it.
    """
    create(tenants, nad("own", PLAIN))
    policy = tenants("render", "tenants").stdout
    tenants.kubectl("delete", *ADMISSION)
    try:
        until("nothing judges", lambda: not refusal(tenants, Case(BRIDGE, name="early")), 30)
        create(tenants, nad("early", BRIDGE))
        said = tenants.report("check", "tenant-networks", code=1)["checks"][0]["reason"]
        assert "no admission policy 'tenant-networks' in force" in said
    finally:
        in_force(tenants, policy)
    said = tenants.report("check", "tenant-networks", code=1)["checks"][0]["reason"]
    assert 'Network \'video/early\': "type": "bridge" may not stand here' in said
    for name, network in (("works", "own"), ("waits", "early")):
        add_pod(tenants, "video", name, "sleep", "600", networks=network)
    tenants.kubectl("-n", "video", "wait", "--for=condition=Ready", "pod/works", "--timeout=60s")
    if tenants.attacher == "multus":
        tenants.kubectl("-n", "video", "wait", "--for=condition=Ready", "pod/waits", "--timeout=60s")
    else:
        said = str(until("the pod is told", lambda: refused(tenants, "waits"), 60))
        assert '"video/early" is not one that namespace "video" may have' in said
    tenants.kubectl("-n", "video", "delete", "pod", "works", "waits", "--now")
    tenants.kubectl("-n", "video", "delete", NAD, "own", "early")
    assert tenants.report("check", "tenant-networks")["checks"][0]["status"] == "passed"


def test_check_and_status_say_whom_is_trusted_with_what(tenants: CliLab) -> None:
    tenants.kubectl("apply", "-f", "-", stdin=json.dumps(nad("by-hand", BRIDGE, labelled=False)))
    said = tenants.report("check", "tenant-networks")["checks"][0]
    assert said["status"] == "passed"
    assert (
        "trusted as administrators', and more than their namespaces may have: Network 'video/by-hand'" in said["reason"]
    )
    shown = tenants("status").stdout
    assert f"Networks without the label '{LABEL}' are trusted" in shown
    assert "macvlan on eth1" in shown
    facts = json.loads(tenants("status", "--json").stdout)["tenants"]
    assert facts["administrators"]["groups"] == ["system:masters", "kubeadm:cluster-admins"]


def test_a_bridge_of_a_tenants_does_not_stop_the_switch(tenants: CliLab) -> None:
    """An administrator may let one be made; agents that start anew beside it still enable namespaces."""
    mine = json.dumps({"cniVersion": "0.3.1", "type": "bridge", "bridge": "mine"})
    tenants.kubectl("apply", "-f", "-", stdin=json.dumps(nad("mine", mine, labelled=False)))
    add_pod(tenants, "video", "bridged", "sleep", "600", networks="mine")
    tenants.kubectl("-n", "video", "wait", "--for=condition=Ready", "pod/bridged", "--timeout=60s")
    tenants.kubectl("-n", "mcastlab-system", "delete", "pod", "-l", "app.kubernetes.io/name=multicast-policy", "--now")
    until("another agent runs", lambda: "0" not in ready_agents(tenants), 60)
    tenants("multicast", "enable", "video")
    tenants("multicast", "disable", "video")
    tenants.kubectl("-n", "video", "delete", "pod", "bridged", "--now")


def test_the_policy_on_the_node_is_roots_alone(lab: CliLab) -> None:
    path = "/etc/cni/net.d/netattach.d/tenants.json"
    if lab.attacher == "multus":  # it would not read it
        lab.on("k8s", "test", "!", "-e", path)
        return
    assert lab.on("k8s", "stat", "-c", "%a %U", path).split() == ["600", "root"]
    wanted = yaml.safe_load(lab("render", "inventory").stdout)["all"]["vars"]["mcastlab_tenants"]
    assert json.loads(lab.on("k8s", "cat", path)) == wanted
