"""A pod that joins sixty groups gets sixty: IPv4 and IPv6, with and without sources, on both of its interfaces."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import Popen

import pytest

from tests.e2e.conftest import CliLab
from tests.e2e.policy_lab import add_pod, create, get

PROGRAM = (Path(__file__).parent / "many_groups.py").read_text()
NAMESPACE = "groups"
ALL = dict.fromkeys(("asm4", "ssm4", "asm6", "ssm6"), 60)


@pytest.fixture(scope="module")
def pods(lab: CliLab) -> Iterator[CliLab]:
    """A namespace that is enabled, with a receiver on the lab's network and a sender on the pod network alone."""
    create(lab, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    network = get(lab, "-n", "default", "network-attachment-definition", "eth1-multicast")
    create(lab, {**network, "metadata": {"name": "eth1-multicast", "namespace": NAMESPACE}})
    try:
        lab("multicast", "enable", NAMESPACE)
        add_pod(lab, NAMESPACE, "receiver", "sleep", "3600", networks="eth1-multicast@eth1")
        add_pod(lab, NAMESPACE, "sender", "sleep", "3600")
        lab.kubectl("-n", NAMESPACE, "wait", "--for=condition=Ready", "pod/receiver", "pod/sender", "--timeout=90s")
        yield lab
    finally:
        lab.kubectl("delete", "namespace", NAMESPACE, "--timeout=120s")


def in_pod(lab: CliLab, pod: str, *words: str) -> Popen[str]:
    kubectl = ("kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf", "-n", NAMESPACE)
    return lab.start("ssh", "k8s", "--", *kubectl, "exec", pod, "--", "python3", "-c", PROGRAM, *words)


def on_source(lab: CliLab, *words: str) -> Popen[str]:
    return lab.start("ssh", "mcastsrc", "--", "python3", "-c", PROGRAM, *words)


def sources(lab: CliLab, interface: str) -> list[str]:
    """The addresses, IPv4 and IPv6, that what is sent to `interface` of the receiver comes from."""
    if interface == "eth0":
        return [entry["ip"] for entry in get(lab, "-n", NAMESPACE, "pod", "sender")["status"]["podIPs"]]
    shown = json.loads(lab.on("mcastsrc", "ip", "-json", "address", "show", "dev", "eth1", "scope", "global"))
    addresses = [entry["local"] for entry in shown[0]["addr_info"] if entry]
    return sorted(addresses, key=lambda address: ":" in address)


@pytest.mark.parametrize("interface", ["eth0", "eth1"])
def test_sixty_groups_are_joined_and_heard(pods: CliLab, interface: str) -> None:
    start_sender: Callable[..., Popen[str]] = (
        on_source if interface == "eth1" else (lambda lab, *words: in_pod(lab, "sender", *words))
    )
    receiver = in_pod(pods, "receiver", "hear", interface, *sources(pods, interface))
    assert receiver.stdout
    assert receiver.stdout.readline() == "joined\n"
    sender = start_sender(pods, "send", interface, "5")
    out, err = receiver.communicate(timeout=60)
    sender.communicate(timeout=60)
    found = json.loads(out) if not receiver.returncode else err
    assert found == {"joined": {**ALL, "sources": 60}, "heard": ALL}
