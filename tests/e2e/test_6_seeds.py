"""The seeds' sequences as commands in the lab: tests/e2e/seeds/ has them as one types them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.e2e.conftest import MCASTLAB, CliLab

HERE = Path(__file__).parent
HELLO = HERE.parents[1] / "agents" / "hello" / "hello-send.py"


def run(lab: CliLab, script: str, **environment: str) -> str:
    """What a script of tests/e2e/seeds prints on the control plane."""
    argv = [MCASTLAB, "ssh", "k8s", "--", "env", *(f"{name}={value}" for name, value in environment.items())]
    done = subprocess.run(
        [*argv, "bash", "-s"],
        input=(HERE / "seeds" / script).read_text(),
        cwd=lab.folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_seed_002_mlistener_answers_msender(lab: CliLab) -> None:
    shown = run(lab, "002-ovn-kubernetes.sh", IMAGE=lab.image("tools"))
    assert "\nanswer: mlistener\n" in shown
    assert shown.endswith("answer when disabled: \n") or "\nanswer when disabled: \n" in shown


def test_seed_000_peers_discover_each_other(lab: CliLab) -> None:
    shown = run(lab, "000-openshift-sdn.sh", IMAGE=lab.image("discovery"))
    lines = shown.splitlines()
    found = [line for line in lines if line.startswith("found second-")]
    dead = next(line for line in lines if "is dead: silent for" in line)
    assert len(found) == 2
    assert dead.startswith("second-")
    # Marked dead within the seed's times: silent for more than 5 s, and looked for every 3 s.
    seconds = float(dead.split("silent for ")[1].split()[0])
    assert 5 < seconds < 8.5


def test_seed_003_hello_from_the_node_and_from_a_pod(lab: CliLab) -> None:
    shown = run(lab, "003-hello.sh", IMAGE=lab.image("tools"), SENDER=HELLO.read_text())
    assert "Sending multicast..." in shown
    from_node = next(line for line in shown.splitlines() if line.startswith("from the node: "))
    assert int(from_node.split()[-1]) >= 4  # the first one after a join may be lost
    assert shown.count("Received b'Hello Multicast!' from (") >= 8
    assert "Listening for multicast..." in shown


def test_the_demo_tells_its_story_and_leaves_nothing(lab: CliLab) -> None:
    shown = lab("demo", "discovery").stdout
    for part in ("first and second see each other", "all three see each other", "is marked dead"):
        assert part in shown, shown
    assert "sees second-" in shown
    assert "mcastlab-demo" not in lab.kubectl("get", "namespaces")


@pytest.mark.parametrize("group", ["namespace"])
def test_all_checks_of_the_switch_pass(lab: CliLab, group: str) -> None:
    report = lab.report("check", group)
    checks = {check["name"]: check for check in report["checks"]}
    assert len(checks) == 9
    assert {name: check["status"] for name, check in checks.items()} == dict.fromkeys(checks, "passed")
    figures = {name: {f["name"]: f["value"] for f in check["figures"]} for name, check in checks.items()}
    assert figures["namespace-isolation"]["received_within"] > 50
    assert figures["namespace-isolation"]["received_across"] == 0
    assert figures["namespace-isolation"]["received_without_policy"] > 10
    assert figures["node-isolation"]["received_by_node"] == figures["node-isolation"]["received_from_node"] == 0
    assert figures["hello"]["received_from_node"] >= 3
    left = json.loads(lab.kubectl("get", "namespaces,pods", "-A", "-l", "mcastlab.check", "-o", "json"))["items"]
    # Namespaces are being deleted, which nobody waits for.
    assert [item for item in left if "deletionTimestamp" not in item["metadata"]] == []


def test_enable_is_in_force_when_it_returns(lab: CliLab) -> None:
    lab.kubectl("create", "namespace", "switched")
    try:
        shown = lab("multicast", "enable", "switched").stdout
        assert "k8s.ovn.org/multicast-enabled=true set on the Namespace); on: 1 of 1 nodes" in shown
        assert "pod-to-pod-namespace" in lab("check", "--namespace", "switched").stderr
        found = json.loads(lab("multicast", "status", "switched", "--json").stdout)
        state = found["namespaces"][0]
        assert (found["backend"], state["wanted"], state["state"]) == ("lab", True, "on")
        assert (state["networks"], state["shared"]) == (["eth1-multicast"], ["eth1-multicast"])
        # By either annotation, and disabled whatever enabled it.
        lab.kubectl("annotate", "netnamespace", "switched", "netnamespace.network.openshift.io/multicast-enabled=true")
        shown = lab("multicast", "disable", "switched").stdout
        assert "removed from the Namespace" in shown
        assert "removed from the NetNamespace" in shown
        assert "off: 1 of 1 nodes" in shown
        assert "did not answer" in lab("check", "--namespace", "switched").stderr
        lab.kubectl("annotate", "namespace", "switched", "k8s.ovn.org/multicast-enabled=yes")
        shown = lab("multicast", "status", "switched").stdout
        assert "k8s.ovn.org/multicast-enabled on the Namespace is 'yes', and only 'true' counts" in shown
    finally:
        lab.kubectl("delete", "namespace", "switched", "--wait=false")


def test_disable_names_the_macvlan_pods_that_go_on(lab: CliLab) -> None:
    command = "iperf -s -u -B 224.0.67.99%eth1 -i 1"
    override = {"metadata": {"annotations": {"k8s.v1.cni.cncf.io/networks": "eth1-multicast@eth1"}}}
    lab.kubectl("create", "namespace", "shared-lan")
    try:
        lab("multicast", "enable", "shared-lan")
        image = lab.image("tools")
        run_ = ("run", "member", f"--image={image}", "--restart=Never", f"--overrides={json.dumps(override)}")
        lab.kubectl("--namespace=shared-lan", *run_, "--", *command.split())
        lab.kubectl("--namespace=shared-lan", "wait", "--for=condition=Ready", "--timeout=120s", "pod/member")
        shown = lab("multicast", "disable", "shared-lan").stdout
        assert "macvlan goes on, for the switch does not reach it:" in shown
        assert "pod shared-lan/member, eth1 (shared-lan/eth1-multicast, 10." in shown
        assert "joined 224.0.67.99" in shown
    finally:
        lab.kubectl("delete", "namespace", "shared-lan", "--wait=false")


def test_check_on_a_cluster_that_no_lab_describes(lab: CliLab) -> None:
    """The lab's own, known by its kubeconfig only."""
    path = lab.folder / "foreign.json"
    kubeconfig = str(lab.state / "kubeconfig")
    lab("check", "--kubeconfig", kubeconfig, "--json", str(path))
    checks = {check["name"]: check for check in json.loads(path.read_text())["checks"]}
    status = {name: check["status"] for name, check in checks.items()}
    assert status["nodes-ready"] == status["cluster-dns"] == status["multicast-off-by-default"] == "passed"
    for name in ("host-to-host", "source-to-pod", "pod-to-pod-macvlan", "host-network-pod", "networks-present"):
        assert status[name] == "not-applicable"
        assert checks[name]["reason"]
    shown = lab("check", "host-to-host", "--kubeconfig", kubeconfig).stderr
    assert "It needs the lab's hosts" in shown
