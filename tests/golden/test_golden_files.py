"""All that is rendered, to the letter: LAB.KIND.yml for the default lab and for one that differs wherever it can."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from provision import config
from provision.cluster import manifests
from provision.commands import render
from provision.config import Lab
from provision.hosts.facts import VIRTUAL, NodeFacts
from tests.golden_files import compare

HERE = Path(__file__).parent
BUNDLE: dict[str, Any] = {
    "digest": "0123456789abcdef",
    "kubernetes_version": "v1.36.3",
    "image_repository": "localhost/mcastlab",
    "etcd_tag": "v3.6.8",
    "coredns_tag": "v1.14.7",
    "images": {
        "pause": "localhost/mcastlab/pause:0.1.7",
        "tools": "localhost/mcastlab/tools:0123456789ab",
        "discovery": "localhost/mcastlab/discovery:0123456789ab",
    },
}
# Each lab on another kind of machine: in a container with cgroup v1 and few rights, and without any concession.
LABS: dict[str, tuple[Path | None, NodeFacts]] = {
    "spectric": (None, NodeFacts(in_container=True, from_image=True, cgroup_version=1, sys_resource=False)),
    "second": (HERE / "second-lab.yml", VIRTUAL),
}
RENDERED = [(lab, kind) for lab in LABS for kind in render.KINDS]
PODS: dict[str, dict[str, Any]] = {
    "attached": {"networks": "eth1-multicast@eth1", "node": "k8s", "labels": {"mcastlab.check": "one"}},
    "host-network": {"host_network": True, "namespace": "studio"},
    "capable": {"capabilities": ["NET_RAW"]},
    "foreign": {"pull": "IfNotPresent"},
}


def lab_of(name: str) -> Lab:
    return config.load(LABS[name][0])


@pytest.mark.parametrize(("lab", "kind"), RENDERED)
def test_what_is_rendered(lab: str, kind: str) -> None:
    text = render.render(kind, render.Given(lab_of(lab), bundle=BUNDLE, node=LABS[lab][1]))
    list(yaml.safe_load_all(text))
    compare(text, HERE / f"{lab}.{kind}.yml")


@pytest.mark.parametrize("name", PODS)
def test_a_pod_of_the_checks(name: str) -> None:
    pod = manifests.pod("mcastlab-check-one", BUNDLE["images"]["tools"], ["iperf", "-s"], **PODS[name])
    compare(yaml.safe_dump(pod, sort_keys=False), HERE / f"pod.{name}.yml")


def test_the_deployment_of_the_demo() -> None:
    manifest = manifests.deployment(
        "first", BUNDLE["images"]["discovery"], namespace="mcastlab-demo", port=8080, labels={"mcastlab.demo": "first"}
    )
    compare(yaml.safe_dump(manifest, sort_keys=False), HERE / "deployment.discovery.yml")


def test_no_golden_file_is_left_over() -> None:
    wanted = {f"{lab}.{kind}.yml" for lab, kind in RENDERED} | {f"pod.{name}.yml" for name in PODS}
    assert {path.name for path in HERE.glob("*.yml")} == wanted | {"second-lab.yml", "deployment.discovery.yml"}
