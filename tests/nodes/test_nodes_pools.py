"""Addresses that two nodes share, with real pods: all at once, and none is twice or left."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import yaml

from tests.e2e.conftest import CliLab

PODS = int(os.environ.get("MCASTLAB_NODES_PODS", "200"))
GRACE = 700  # s: the reconcilers' own ten minutes, and what they need to look
STATUS = "k8s.v1.cni.cncf.io/network-status"


def until(what: str, probe: Callable[[], object], seconds: float) -> float:
    """Wait for `probe` to be true; how long that took, in seconds."""
    started = time.monotonic()
    while not probe():
        assert time.monotonic() - started < seconds, f"waited {seconds} s for {what}"
        time.sleep(1)
    return time.monotonic() - started


def pods(lab: CliLab) -> list[dict[str, Any]]:
    found = json.loads(lab.kubectl("get", "pods", "--selector=app=crowd", "--output=json"))["items"]
    return list(found)


def held(lab: CliLab) -> list[str]:
    """What the pools have for the crowd."""
    kinds = "ippools,overlappingrangeipreservations"
    items = json.loads(lab.kubectl("get", kinds, "--namespace=kube-system", "--output=json"))["items"]
    entries = [entry for item in items for entry in item["spec"].get("allocations", {"": item["spec"]}).values()]
    return [entry["podref"] for entry in entries if "/crowd-" in entry["podref"]]


def test_many_pods_at_once(nodes: CliLab) -> None:
    one = {"name": "one", "image": nodes.image("tools"), "imagePullPolicy": "Never", "command": ["sleep", "100000"]}
    spread = {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway",
              "labelSelector": {"matchLabels": {"app": "crowd"}}}  # fmt: skip
    spec = {
        "terminationGracePeriodSeconds": 0, "containers": [one], "topologySpreadConstraints": [spread],
        "tolerations": [{"operator": "Exists"}],
    }  # fmt: skip
    annotations = {"k8s.v1.cni.cncf.io/networks": "eth1-multicast@eth1"}
    template = {"metadata": {"labels": {"app": "crowd"}, "annotations": annotations}, "spec": spec}
    deployment = {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "crowd"},
        "spec": {"replicas": PODS, "selector": {"matchLabels": {"app": "crowd"}}, "template": template},
    }  # fmt: skip
    started = time.monotonic()
    nodes.kubectl("apply", "--filename=-", stdin=yaml.safe_dump(deployment))
    try:
        until("all pods", lambda: sum("Running" in pod["status"]["phase"] for pod in pods(nodes)) == PODS, 1800)
        up = time.monotonic() - started
        statuses = [json.loads(pod["metadata"]["annotations"][STATUS]) for pod in pods(nodes)]
        addresses = [one["ips"][0] for status in statuses for one in status if one["interface"] == "eth1"]
        places = Counter(pod["spec"]["nodeName"] for pod in pods(nodes))
        assert (len(addresses), len(set(addresses))) == (PODS, PODS)
        assert len(places) > 1, places
    finally:
        nodes.kubectl("delete", "deployment", "crowd", "--wait=false")
    until("the pods to go", lambda: not pods(nodes), 900)
    at_once = len(held(nodes))
    freed = until("the pools to be free", lambda: not held(nodes), GRACE)
    print(f"\n{PODS} pods on {dict(places)}: up in {up:.0f} s; {at_once} entries as they went, 0 after {freed:.0f} s")
