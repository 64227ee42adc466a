"""Multicast per namespace on the lab itself: annotations to rules, what pods are told, and a node that restarts."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.conftest import CliLab
from tests.e2e.policy_lab import (
    BOTH,
    KUBECTL,
    OPENSHIFT,
    OVN,
    PINS,
    SYSTEM,
    acknowledged,
    add_pod,
    bound,
    figures_of,
    get,
    hooks_of,
    ready_agents,
    reboot,
    started,
    tried,
    until,
)

GROUP = "239.5.5.5"
SAY = f"import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'%s', ('{GROUP}', 5005))"
HEAR = f"""
import socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(('{GROUP}', 5005))
s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, struct.pack('=4sl', socket.inet_aton('{GROUP}'), 0))
while True:
    print(s.recv(99).decode(), flush=True)
"""


@pytest.fixture(scope="module")
def made(lab: CliLab) -> Iterator[CliLab]:
    """Two namespaces, each with a pod that listens and one that is there to send."""
    for namespace in BOTH:
        lab.kubectl("create", "namespace", namespace)
        add_pod(lab, namespace, "hears", "python3", "-c", HEAR)
        add_pod(lab, namespace, "says", "sleep", "infinity")
    for namespace in BOTH:
        lab.kubectl("-n", namespace, "wait", "--for=condition=Ready", "--timeout=90s", "pod/hears", "pod/says")
    yield lab
    lab.kubectl("delete", "namespace", *BOTH, "--timeout=90s")


@pytest.fixture
def pods(made: CliLab) -> CliLab:
    """The pods of `made`, multicast switched off in both namespaces."""
    made.kubectl("annotate", "namespace", *BOTH, f"{OVN}-")
    made.kubectl("annotate", "netnamespace", *BOTH, f"{OPENSHIFT}-")
    until("both are off", lambda: acknowledged(made, set()))
    return made


def heard(lab: CliLab, *texts: str) -> tuple[list[str], list[str]]:
    """Have a pod in red and one in green say the last of `texts`: what of all of them red has heard, and green."""
    for namespace in BOTH:
        lab.kubectl("-n", namespace, "exec", "says", "--", "python3", "-c", SAY % f"{texts[-1]}-{namespace}")
    time.sleep(0.5)
    logs = [lab.kubectl("-n", namespace, "logs", "hears").split() for namespace in BOTH]
    red, green = ([word for word in log if word.split("-")[0] in texts] for log in logs)
    return red, green


def test_the_objects_that_the_commands_of_openshift_read(lab: CliLab) -> None:
    cidr = lab.kubectl(
        "get", "Network.config.openshift.io", "cluster", "-o", "jsonpath={.status.clusterNetwork[0].cidr}"
    )
    assert cidr == "10.244.0.0/16"
    assert get(lab, "Network.config.openshift.io", "cluster")["status"]["networkType"] == "mcastlab"
    ids = {item["netname"]: item["netid"] for item in get(lab, "netnamespaces")["items"]}
    assert set(ids) == {item["metadata"]["name"] for item in get(lab, "namespaces")["items"]}
    assert len(set(ids.values())) == len(ids)
    lab.kubectl("delete", "netnamespace", "default")
    until("it comes back", lambda: "default" in lab.kubectl("get", "netnamespaces"))
    assert get(lab, "netnamespace", "default")["netid"] == ids["default"], "and with its number"
    patch = json.dumps({"netid": 7})
    assert "netid is assigned once" in lab.kubectl(
        "patch", "netnamespace", "default", "--type=merge", "-p", patch, code=1
    )


def test_off_by_default_then_on_by_either_annotation(pods: CliLab) -> None:
    assert heard(pods, "off") == ([], [])
    pods.kubectl("annotate", "namespace", "red", f"{OVN}=true")
    until("red is on", lambda: acknowledged(pods, {"red"}))
    assert heard(pods, "off", "one") == (["one-red"], [])
    pods.kubectl("annotate", "netnamespace", "green", f"{OPENSHIFT}=true")
    until("both are on", lambda: acknowledged(pods, {"red", "green"}))
    assert heard(pods, "off", "one", "two") == (["one-red", "two-red"], ["two-green"])
    by = {item["name"]: item["by"] for item in get(pods, "multicastpolicy", "cluster")["spec"]["namespaces"]}
    assert (by["red"], by["green"]) == ([OVN], [OPENSHIFT])
    ports = {item["name"]: item["ports"] for item in get(pods, "nodemulticast", "k8s")["status"]["namespaces"]}
    assert (ports["red"], ports["green"]) == (2, 2)
    pods.kubectl("annotate", "namespace", "red", f"{OVN}=yes", "--overwrite")
    until("red is off", lambda: acknowledged(pods, {"green"}))
    assert heard(pods, "off", "one", "two", "three") == (["one-red", "two-red"], ["two-green", "three-green"])


def nads(lab: CliLab) -> set[str]:
    items = get(lab, "network-attachment-definitions", "-A")["items"]
    return {f"{item['metadata']['namespace']}/{item['metadata']['name']}" for item in items}


def test_networks_follow_the_switch_and_listed_ones_stay(pods: CliLab) -> None:
    pods.kubectl("annotate", "netnamespace", "green", f"{OPENSHIFT}=true")
    until("green has it", lambda: "green/eth1-multicast" in nads(pods))
    pods.kubectl("annotate", "namespace", "default", f"{OVN}=true")
    pods.kubectl("annotate", "namespace", "default", f"{OVN}-")
    pods.kubectl("annotate", "netnamespace", "green", f"{OPENSHIFT}-")
    until("green has it no more", lambda: "green/eth1-multicast" not in nads(pods))
    assert "default/eth1-multicast" in nads(pods)


FLOOD = f"""
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
while True:
    try:
        s.sendto(b'flood-red', ('{GROUP}', 5005))
    except OSError:
        pass
    time.sleep(0.02)
"""


def floods(lab: CliLab, namespace: str, pod: str) -> int:
    """How many datagrams of the flood a pod has heard, in this life of its container and in the one before."""
    words = ("-n", namespace, "logs", pod)
    before = tried(lab, *KUBECTL, *words, "--previous")
    return (lab.kubectl(*words) + before).count("flood-red")


def test_nothing_passes_that_may_not_whatever_happens_to_the_node(pods: CliLab) -> None:
    """A pod of `red` sends through all of it; one of `green` counts: agent away, killed, programs gone, a reboot."""
    pods.kubectl("annotate", "namespace", *BOTH, f"{OVN}=true")
    until("both are on", lambda: acknowledged(pods, {"red", "green"}))
    add_pod(pods, "red", "floods", "python3", "-c", FLOOD)
    pods.kubectl("-n", "red", "wait", "--for=condition=Ready", "--timeout=90s", "pod/floods")
    until("red hears the flood", lambda: floods(pods, "red", "hears"))
    agents = ("-n", SYSTEM, "patch", "daemonset", "multicast-policy", "--type=merge", "-p")
    try:
        pods.kubectl(*agents, '{"spec":{"template":{"spec":{"nodeSelector":{"no-such":"node"}}}}}')
        until("no agent runs", lambda: "multicast-policy" not in pods.kubectl("-n", SYSTEM, "get", "pods"), 60)
        assert heard(pods, "alone") == (["alone-red"], ["alone-green"]), "what is in force stays so"
        add_pod(pods, "green", "late", "python3", "-c", HEAR)
        pods.kubectl("-n", "green", "wait", "--for=condition=Ready", "--timeout=90s", "pod/late")
        time.sleep(2)
        assert pods.kubectl("-n", "green", "logs", "late") == "", "nothing is permitted without an agent"
        pods.kubectl(*agents, '{"spec":{"template":{"spec":{"nodeSelector":null}}}}')
        until("the agent knows the late pod", lambda: bound(pods).get("green") == 3, 60)
        pods.kubectl("-n", SYSTEM, "delete", "pod", "-l", "app.kubernetes.io/name=multicast-policy", "--now")
        assert hooks_of(pods, "strip") == "some"
        pods.on("k8s", "sh", "-c", f"rm -r {PINS}/[0-9a-f]*")
        # Without programs all is open, for as long as it takes the agent to start; from then on it is closed again.
        until("programs are back", lambda: hooks_of(pods, "look") == "all", 60)
        heard_by_then = floods(pods, "green", "hears")
        assert heard(pods, "again") == (["again-red"], ["again-green"])
        reboot(pods)
        order = until("systemd answers", lambda: started(pods), 120)
        assert order["mcastlab-multicast-policy.service"] < order["kubelet.service"]
        for namespace in BOTH:
            pods.kubectl("-n", namespace, "wait", "--for=condition=Ready", "--timeout=120s", "pod/hears", "pod/says")
        until("all are bound again", lambda: bound(pods) == {"red": 3, "green": 3}, 60)
        until("red hears the flood again", lambda: "flood-red" in pods.kubectl("-n", "red", "logs", "hears"))
        assert heard(pods, "reborn") == (["reborn-red"], ["reborn-green"])
        assert floods(pods, "green", "hears") <= heard_by_then
        assert "flood" not in pods.kubectl("-n", "green", "logs", "late")
    finally:
        pods.kubectl(*agents, '{"spec":{"template":{"spec":{"nodeSelector":null}}}}')
        pods.kubectl("-n", "red", "delete", "pod", "floods", "--now", "--ignore-not-found")
        pods.kubectl("-n", "green", "delete", "pod", "late", "--now", "--ignore-not-found")


def test_a_pod_whose_multicast_is_refused_is_told_why(pods: CliLab) -> None:
    """One event, on the pod itself; and the figures of its namespace say the same."""
    pods.kubectl("-n", "red", "delete", "events", "--all")
    before = figures_of(pods, "red")
    heard(pods, "refused")

    def told() -> list[dict[str, Any]]:
        events = get(pods, "-n", "red", "events", "--field-selector", "reason=MulticastRefused")["items"]
        return [event for event in events if event["involvedObject"]["name"] == "says"]

    event = until("the pod is told", told, 15)[0]
    assert event["involvedObject"]["uid"] == get(pods, "-n", "red", "pod", "says")["metadata"]["uid"]
    assert "because multicast is off in namespace 'red'" in event["message"]
    heard(pods, "refused")
    time.sleep(5)
    assert len(told()) == 1, "at most every ten minutes"
    pods.kubectl("-n", SYSTEM, "delete", "pod", "-l", "app.kubernetes.io/name=multicast-policy", "--now")
    until("another agent runs", lambda: "0" not in ready_agents(pods) and acknowledged(pods, set()), 60)
    heard(pods, "refused")
    time.sleep(5)
    assert len(told()) == 1, "and another agent does not repeat it"
    after = figures_of(pods, "red")
    new = {name: after["says"][name] - before["says"][name] for name in ("received", "off")}
    assert new == {"received": 3, "off": 3}
    assert after["hears"]["delivered"] == before["hears"]["delivered"]


def test_metrics_are_the_nodes_alone(pods: CliLab) -> None:
    """Another bridge on the node changes nothing, and no pod reads who sends what."""
    read = "import urllib.request; print(urllib.request.urlopen('http://{}:9469/metrics', timeout=3).read().decode())"
    assert "multicast_policy_ports" in pods.on("k8s", "python3", "-c", read.format("127.0.0.1"))
    for address in ("10.244.0.1", get(pods, "node", "k8s")["status"]["addresses"][0]["address"]):
        words = ("-n", "red", "exec", "says", "--", "python3", "-c", read.format(address))
        assert "Connection refused" in pods.kubectl(*words, code=1)


def test_where_the_kernel_refuses_all_else_goes_on(lab: CliLab) -> None:
    """As the node's unit would find it: checks of namespaces say why they are not applicable, and `enable` refuses."""
    reason = "making map 'ports': Operation not permitted"
    refused = "/run/mcastlab/multicast-policy/refused"
    lab.kubectl("create", "namespace", "refused")
    try:
        lab.on("k8s", "sh", "-c", f'echo "$1" >{refused}', "sh", reason)
        lab.kubectl("-n", SYSTEM, "delete", "pod", "-l", "app.kubernetes.io/name=multicast-policy", "--now")
        until("it is reported", lambda: get(lab, "nodemulticast", "k8s")["status"].get("refused") == reason, 60)
        report = lab.report("check", "nodes-ready", "multicast-off-by-default", "node-isolation")
        found = {item["name"]: (item["status"], item["reason"]) for item in report["checks"]}
        assert found["nodes-ready"][0] == "passed"
        for name in ("multicast-off-by-default", "node-isolation"):
            assert found[name][0] == "not-applicable"
            assert reason in found[name][1]
        assert reason in lab("multicast", "enable", "refused", code=3).stderr
        assert reason in lab("multicast", "status", "refused").stdout
    finally:
        lab.on("k8s", "rm", "-f", refused)
        lab.kubectl("delete", "namespace", "refused", "--timeout=60s")
    until("the agent is at work again", lambda: "0" not in ready_agents(lab) and acknowledged(lab, set()), 90)
    assert get(lab, "nodemulticast", "k8s")["status"]["refused"] == ""
