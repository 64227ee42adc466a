"""Multus for real, where its image is there (MCASTLAB_MULTUS_IMAGE=FILE); without, its manifests on the API server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from provision.artifacts.store import Store
from provision.core.wait import Deadline
from tests.e2e.conftest import CliLab
from tests.e2e.test_1_main_job import OTHERS, TRAFFIC, by_name, figures

IMAGE = os.environ.get("MCASTLAB_MULTUS_IMAGE", "")
KUBECTL = ("kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf")
with_image = pytest.mark.skipif(not IMAGE, reason="Multus: not run, no image")

# The role's own template, as it is applied, but by the server without effect.
DRY_RUN = """\
- hosts: control_plane
  gather_facts: false
  tasks:
    - ansible.builtin.include_vars: {{dir: "{roles}/multus/defaults"}}
    - ansible.builtin.include_vars: {{dir: "{roles}/multus/vars"}}
    - ansible.builtin.command:
        argv: [kubectl, --kubeconfig, /etc/kubernetes/admin.conf, apply, --dry-run=server, --filename, "-"]
        stdin: |
          {{{{ lookup('ansible.builtin.file', '{roles}/netattach/files/network-attachment-definitions.yml') }}}}
          {{{{ lookup('ansible.builtin.template', '{roles}/multus/templates/multus.yml.j2') }}}}
      register: applied
      vars: {{role_path: "{roles}/multus", multus_image: "localhost/mcastlab/multus-cni:none"}}
    - ansible.builtin.debug: {{var: applied.stdout_lines}}
"""


def test_manifests_are_accepted_by_the_api_server(lab: CliLab) -> None:
    playbook = lab.folder / "dry-run.yml"
    playbook.write_text(DRY_RUN.format(roles=Path(__file__).resolve().parents[2] / "roles"))
    command = Path(sys.executable).parent / "ansible-playbook"
    argv = [command, "-i", lab.state / "inventory.json", playbook]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    for kind in ("serviceaccount", "clusterrole", "clusterrolebinding", "configmap", "daemonset.apps"):
        assert f"{kind}" in done.stdout
    assert done.stdout.count("(server dry run)") == 10


def set_attacher(lab: CliLab, name: str) -> None:
    path = lab.folder / "lab.yml"
    old = {"multus": "netattach", "netattach": "multus"}[name]
    path.write_text(path.read_text().replace(f"attacher: {old}", f"attacher: {name}"))


def start(lab: CliLab, *names: str) -> None:
    """Pods with a second interface, ready."""
    image = next(
        name
        for name in lab.on("k8s", "/opt/mcastlab/bundle/bin/ctr", "-n", "k8s.io", "images", "ls", "-q").split()
        if "/tools:" in name
    )
    for name in names:
        container = {"name": "c", "image": image, "imagePullPolicy": "Never", "command": ["sleep", "infinity"]}
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "annotations": {"k8s.v1.cni.cncf.io/networks": "eth1-multicast@eth1"}},
            "spec": {"terminationGracePeriodSeconds": 0, "containers": [container]},
        }
        lab.on("k8s", "sh", "-c", f"echo '{json.dumps(pod)}' | {' '.join(KUBECTL)} apply -f -")
    lab.on("k8s", *KUBECTL, "wait", "--for=condition=Ready", "--timeout=90s", *(f"pod/{name}" for name in names))


def held(lab: CliLab) -> dict[str, set[str]]:
    """The addresses that host-local keeps, by network."""
    shown = lab.on("k8s", "find", "/var/lib/cni/networks", "-type", "f", "-printf", "%P\\n").split()
    pairs = [line.split("/") for line in shown if "lock" not in line and "last_reserved" not in line]
    return {network: {ip for name, ip in pairs if name == network} for network in ("pods", "eth1-multicast")}


def settled(lab: CliLab) -> dict[str, set[str]]:
    """What is held once the pods of checks, which nobody waits for, have given theirs back."""
    deadline = Deadline.after(60)
    last = held(lab)
    while not deadline.expired:
        time.sleep(3)
        if last == (last := held(lab)):
            return last
    pytest.fail(f"addresses still come and go: {last}")


def eventually(get: Callable[[], Any], wanted: object, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while (found := get()) != wanted and time.monotonic() < deadline:
        time.sleep(0.5)
    assert found == wanted


def delete_in_three_ways(lab: CliLab, first: str, forced: str, last: str) -> None:
    """Usual, without waiting for the node, and after its network's definition has gone."""
    lab.on("k8s", *KUBECTL, "delete", "pod", first)
    lab.on("k8s", *KUBECTL, "delete", "pod", forced, "--grace-period=0", "--force")
    lab.on("k8s", *KUBECTL, "delete", "net-attach-def", "eth1-multicast")
    lab.on("k8s", *KUBECTL, "delete", "pod", last)


@pytest.fixture(scope="module")
def imported(lab: CliLab) -> Iterator[None]:
    """The image in the user's cache for as long as these tests run; then the one that was there before, or none."""
    pointer = Store.of_user().home / "imported/multus.current"
    before = pointer.read_bytes() if pointer.exists() else None
    lab("artifacts", "import", IMAGE, "--as", "multus")
    try:
        yield
    finally:
        pointer.unlink()
        if before is not None:
            pointer.write_bytes(before)


@pytest.fixture
def on_multus(lab: CliLab, imported: None) -> None:
    """Multus attaches: the tests before left it so, or it is brought up for one that runs alone."""
    set_attacher(lab, "multus")
    if "multus" not in lab.on("k8s", "ls", "/opt/cni/bin", "/etc/cni/net.d"):
        lab("up")


@with_image
@pytest.mark.usefixtures("imported")
def test_multus_takes_over_and_frees_what_netattach_attached(lab: CliLab) -> None:
    lab.report("up")
    clean = settled(lab)
    start(lab, "one", "two", "three", "four")
    set_attacher(lab, "multus")
    report = lab.report("up")
    assert report["attacher"]["name"] == "multus"
    checks = by_name(report)
    assert {name: checks[name]["status"] for name in TRAFFIC | OTHERS} == dict.fromkeys(TRAFFIC | OTHERS, "passed")
    assert all(figures(checks[name])["received"] > 400 for name in TRAFFIC)
    assert "eth1" in lab.on("k8s", *KUBECTL, "exec", "four", "--", "ip", "-br", "link")
    delete_in_three_ways(lab, "one", "two", "three")
    lab.on("k8s", *KUBECTL, "delete", "pod", "four")
    eventually(lambda: held(lab), clean)


@with_image
@pytest.mark.usefixtures("imported")
def test_second_up_on_multus_changes_nothing(lab: CliLab) -> None:
    set_attacher(lab, "multus")
    lab("up")  # brings the network back that the test before deleted
    shown = lab("up", "--verbose").stderr
    assert " s  nothing to change on k8s and mcastsrc\n" in shown


@with_image
@pytest.mark.usefixtures("on_multus")
def test_another_namespaces_network_is_refused(lab: CliLab) -> None:
    lab.on("k8s", *KUBECTL, "create", "namespace", "elsewhere")
    try:
        lab.on(
            "k8s",
            *KUBECTL,
            "--namespace=elsewhere",
            "run",
            "thief",
            "--image=none",
            "--restart=Never",
            "--annotations=k8s.v1.cni.cncf.io/networks=default/eth1-multicast",
        )
        events = ("get", "events", "--namespace=elsewhere", "--output=jsonpath={..message}")
        eventually(lambda: "annotation violates permission" in lab.on("k8s", *KUBECTL, *events), wanted=True)
        lab.on(
            "k8s",
            *KUBECTL,
            "--namespace=elsewhere",
            "run",
            "other",
            "--image=none",
            "--restart=Never",
            "--annotations=v1.multus-cni.io/default-network=default/eth1-multicast",
            code=1,
        )
    finally:
        lab.on("k8s", *KUBECTL, "delete", "namespace", "elsewhere")


@with_image
@pytest.mark.parametrize(
    ("allowed", "verb", "what"),
    [
        ("yes", "list", "network-attachment-definitions"),
        ("yes", "update", "pods --subresource=status"),
        ("no", "get", "network-attachment-definitions"),
        ("no", "update", "network-attachment-definitions"),
        ("no", "update", "pods"),
        ("no", "delete", "pods"),
        ("no", "get", "secrets"),
    ],
)
@pytest.mark.usefixtures("on_multus")
def test_what_multus_may_do(lab: CliLab, allowed: str, verb: str, what: str) -> None:
    who = "--as=system:serviceaccount:kube-system:multus"
    shown = lab.on("k8s", "sh", "-c", f"{' '.join(KUBECTL)} auth can-i {verb} {what} --all-namespaces {who} || true")
    assert shown.strip() == allowed


@with_image
@pytest.mark.usefixtures("imported")
def test_netattach_takes_over_and_frees_what_multus_attached(lab: CliLab) -> None:
    set_attacher(lab, "multus")
    lab("up")
    clean = settled(lab)
    start(lab, "one", "two", "three", "four")
    set_attacher(lab, "netattach")
    assert lab.report("up")["attacher"]["name"] == "netattach"
    assert "eth1" in lab.on("k8s", *KUBECTL, "exec", "four", "--", "ip", "-br", "link")
    delete_in_three_ways(lab, "one", "two", "three")
    lab.on("k8s", *KUBECTL, "delete", "pod", "four")
    eventually(lambda: held(lab), clean)
    assert "multus" not in lab.on("k8s", "ls", "/opt/cni/bin", "/etc/cni/net.d")
    lab("up")
