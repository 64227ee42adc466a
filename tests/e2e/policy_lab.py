"""What the tests of multicast per namespace ask of the lab, of its node and of its pods."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from provision.core.errors import CommandError
from provision.providers.podman.cli import Podman
from tests.e2e.conftest import CliLab

KUBECTL = ("kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf")
OVN = "k8s.ovn.org/multicast-enabled"
OPENSHIFT = "netnamespace.network.openshift.io/multicast-enabled"
SYSTEM = "mcastlab-system"
BOTH = ("red", "green")
PINS = "/run/mcastlab/multicast-policy/bpf"
HOOKS_OF = Path(__file__).parents[1] / "integration/multicast_policy/hooks_of.py"


def get(lab: CliLab, *args: str) -> Any:
    return json.loads(lab.kubectl("get", *args, "-o", "json"))


def create(lab: CliLab, manifest: dict[str, Any]) -> None:
    lab.kubectl("create", "-f", "-", stdin=json.dumps(manifest))


def until(what: str, probe: Callable[[], Any], seconds: float = 20) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := probe()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.2)
    return found


def acknowledged(lab: CliLab, names: set[str]) -> bool:
    """Whether every node has in force that exactly `names`, of those that these tests use, are enabled."""
    policy = get(lab, "multicastpolicy", "cluster")
    listed = {item["name"] for item in policy["spec"]["namespaces"]} & set(BOTH)
    nodes = get(lab, "nodemulticasts")["items"]
    in_force = [item.get("status", {}).get("observedGeneration", 0) for item in nodes]
    return bool(nodes) and listed == names and min(in_force) >= policy["metadata"]["generation"]


def tried(lab: CliLab, *command: str) -> str:
    """What a command on the node prints, whether it succeeds or not."""
    return lab.start("ssh", "k8s", "--", *command).communicate(timeout=60)[0]


def bound(lab: CliLab) -> dict[str, int]:
    """How many pods of each enabled namespace the node's agent has in force."""
    return {item["name"]: item["ports"] for item in get(lab, "nodemulticast", "k8s")["status"]["namespaces"]}


def ready_agents(lab: CliLab) -> str:
    words = ("-n", SYSTEM, "get", "daemonset", "multicast-policy", "-o", "jsonpath={.status.numberReady}")
    return lab.kubectl(*words) or "0"


def figures_of(lab: CliLab, namespace: str) -> dict[str, dict[str, Any]]:
    shown = json.loads(lab("multicast", "status", namespace, "--json").stdout)
    return {entry["pod"]: entry for entry in shown["namespaces"][0]["pods"]}


def add_pod(lab: CliLab, namespace: str, name: str, *command: str, networks: str = "", restart: str = "Always") -> None:
    container = {"name": "c", "image": lab.image("tools"), "imagePullPolicy": "Never", "command": [*command]}
    spec = {"terminationGracePeriodSeconds": 0, "restartPolicy": restart, "containers": [container]}
    annotations = {"k8s.v1.cni.cncf.io/networks": networks} if networks else {}
    metadata = {"name": name, "namespace": namespace, "annotations": annotations}
    create(lab, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})


def hooks_of(lab: CliLab, what: str) -> str:
    """`look` whether `all` ports and the bridge have their programs, or only `some`, or `strip` them of theirs.

    Nothing is said where no programs are pinned.
    """
    return tried(lab, "env", "PYTHONPATH=/usr/local/lib/mcastlab", "python3", "-c", HOOKS_OF.read_text(), what).strip()


def reboot(lab: CliLab) -> None:
    """Restart the node; at load Podman gives up waiting for what it has killed, and then it is started again."""
    name = f"mcastlab-{lab.name}-k8s"
    with contextlib.suppress(CommandError):
        Podman().run(["restart", "-t", "30", name], timeout=180)
        return

    def up() -> bool:
        with contextlib.suppress(CommandError):
            Podman().run(["start", name], timeout=60)
            return True
        return False

    until("the node starts", up, 120)


def started(lab: CliLab) -> dict[str, int]:
    """When each unit became active, in microseconds since boot; nothing while the API server does not answer."""
    process = lab.start("ssh", "k8s", "--", *KUBECTL, "get", "--raw=/readyz")
    if process.wait(60):
        return {}
    names = ("mcastlab-multicast-policy.service", "kubelet.service")
    shown = [lab.on("k8s", "systemctl", "show", "--property=ActiveEnterTimestampMonotonic", name) for name in names]
    return {name: int(text.split("=")[1]) for name, text in zip(names, shown, strict=True)}
