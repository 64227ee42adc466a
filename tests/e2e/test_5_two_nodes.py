"""A lab with a worker: what joins, what crosses between nodes, and what happens when nodes come and go."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from provision.providers.podman.cli import Podman
from tests.e2e.conftest import CliLab, assert_nothing_left, make_lab

NET, NET6 = "10.98.12", "fd00:98:12:"
WORKER = f'  - {{name: w1, role: worker, address: {NET}.21, address6: "{NET6}:21"}}\n'
ACROSS = {"macvlan-across-nodes", "namespace-across-nodes"}


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[CliLab, dict[str, Any]]]:
    """The lab, and what its first `up` reported."""
    lab = make_lab(tmp_path_factory.mktemp("nodes"), "e2e-nodes", 12)
    one = (lab.folder / "lab.yml").read_text().replace("range_start: 10.98.12.13", "range_start: 10.98.12.30")
    (lab.folder / "lab.yml").write_text(one.replace("lan:", f"{WORKER}lan:", 1))
    (lab.folder / "one.yml").write_text(one)
    try:
        yield lab, lab.report("up")
    finally:
        lab("down")
        assert_nothing_left(lab)


@pytest.fixture
def lab(first: tuple[CliLab, dict[str, Any]]) -> CliLab:
    return first[0]


def nodes(lab: CliLab) -> dict[str, dict[str, Any]]:
    listed = json.loads(lab.kubectl("get", "nodes", "-o", "json"))["items"]
    return {item["metadata"]["name"]: item for item in listed}


def statuses(report: dict[str, Any]) -> dict[str, str]:
    return {check["name"]: check["status"] for check in report["checks"]}


def test_a_lab_with_a_worker_comes_up_and_shows_what_crosses(first: tuple[CliLab, dict[str, Any]]) -> None:
    lab, report = first
    found = statuses(report)
    assert set(found.values()) == {"passed"}
    assert set(found) >= ACROSS
    subnets = [item["spec"]["podCIDRs"] for _, item in sorted(nodes(lab).items())]
    assert subnets == [["10.244.0.0/24", "fd00:10:244::/64"], ["10.244.1.0/24", "fd00:10:244:1::/64"]]


def test_nodes_have_their_addresses_apart_from_the_lan_and_live_without_it(lab: CliLab) -> None:
    for item in nodes(lab).values():
        addresses = [one["address"] for one in item["status"]["addresses"] if one["type"] == "InternalIP"]
        assert len(addresses) == 2
        assert not any(address.startswith((NET, NET6)) for address in addresses)
    lab.on("w1", "ip", "link", "set", "eth1", "down")
    try:
        lab.kubectl("run", "without-lan", f"--image={lab.image('pause')}", "--image-pull-policy=Never",
                    "--overrides", json.dumps({"spec": {"nodeName": "w1"}}))  # fmt: skip
        lab.kubectl("wait", "--for=condition=Ready", "pod/without-lan", "--timeout=60s")
    finally:
        lab.on("w1", "ip", "link", "set", "eth1", "up")
        lab.kubectl("delete", "pod", "without-lan", "--wait=false")


def test_no_token_is_left_and_none_is_in_a_log(lab: CliLab) -> None:
    listed = lab.on("k8s", "/opt/mcastlab/bundle/bin/kubeadm token list --kubeconfig=/etc/kubernetes/admin.conf")
    assert listed.splitlines()[1:] == []
    assert "kubeadm-discovery" not in lab.on("w1", "ls /etc/mcastlab")
    token = re.compile(r"\b[a-z0-9]{6}\.[a-z0-9]{16}\b")
    for log in [*(lab.state / "logs").rglob("*.log"), lab.folder / "shown.txt"]:
        assert not token.search(log.read_text()), log


def test_what_passes_between_nodes_is_shown_by_its_group_of_checks_and_a_second_up_changes_nothing(lab: CliLab) -> None:
    assert set(statuses(lab.report("check", "nodes"))) == ACROSS
    assert "nothing to change on k8s, mcastsrc and w1" in lab("up").stderr


def test_unicast_between_pods_of_two_nodes_keeps_its_source(lab: CliLab) -> None:
    for name, node in (("here", "k8s"), ("there", "w1")):
        lab.kubectl("run", name, f"--image={lab.image('tools')}", "--image-pull-policy=Never",
                    "--overrides", json.dumps({"spec": {"nodeName": node, "terminationGracePeriodSeconds": 0}}),
                    "--", "socat", "TCP-LISTEN:5000,fork,reuseaddr", "SYSTEM:echo $SOCAT_PEERADDR")  # fmt: skip
    try:
        lab.kubectl("wait", "--for=condition=Ready", "pod/here", "pod/there", "--timeout=60s")
        address = {
            name: lab.kubectl("get", "pod", name, "-o", "jsonpath={.status.podIP}") for name in ("here", "there")
        }
        seen = lab.kubectl("exec", "here", "--", "sh", "-c", f"socat -T2 - TCP:{address['there']}:5000 </dev/null")
        assert seen.strip() == address["here"]
    finally:
        lab.kubectl("delete", "pod", "here", "there", "--wait=false")


def test_a_worker_that_died_is_made_anew(lab: CliLab) -> None:
    before = nodes(lab)["w1"]["metadata"]["uid"]
    Podman().remove_containers(["mcastlab-e2e-nodes-w1"])
    assert set(statuses(lab.report("up")).values()) == {"passed"}
    assert nodes(lab)["w1"]["metadata"]["uid"] != before


def test_a_worker_that_lab_yml_no_longer_has_is_drained_and_removed(lab: CliLab) -> None:
    (lab.folder / "lab.yml").write_text((lab.folder / "one.yml").read_text())
    shown = lab("up", "--verbose").stderr
    assert "removed 'w1'" in shown
    assert list(nodes(lab)) == ["k8s"]
    assert Podman().run(["container", "exists", "mcastlab-e2e-nodes-w1"], check=False).returncode == 1
    assert "10.244." not in lab.on("k8s", "ip route show proto 110")
    assert "vx" not in lab.on("k8s", "ip -brief link show type vxlan")
