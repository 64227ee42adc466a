"""Manifests of what runs in a cluster, rendered from their templates: pods and deployments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from provision.core.paths import ROOT
from provision.core.templating import render_file

Manifest = dict[str, Any]

TEMPLATES = ROOT / "templates"
POD_INTERFACE = "eth1"  # of a pod's second interface, as in the walk-through; the node's is lan.interface


def pod(  # noqa: PLR0913 - each argument is a part of the pod
    name: str,
    image: str,
    command: Sequence[str],
    *,
    namespace: str = "default",
    labels: Mapping[str, str] | None = None,
    networks: str = "",
    host_network: bool = False,
    node: str = "",
    capabilities: Sequence[str] = (),
    pull: str = "Never",
) -> Manifest:
    """A pod of one container that runs `command` once.

    `networks` is its annotation (`name@interface, …`), `node` the node it must run on, and `pull`
    the image's pull policy. It has no rights but the
    `capabilities` that are named (`NET_RAW`, …); with any of these it runs as root, for others do not get them.
    """
    values = pod_values(name, image, command, namespace=namespace, labels=labels or {}, networks=networks)
    values |= {"host_network": host_network, "node": node, "capabilities": list(capabilities)}
    values |= {"pull": pull}
    return loaded([render_file(TEMPLATES / "pod.yml.j2", values)])[0]


def deployment(name: str, image: str, *, namespace: str, port: int, labels: Mapping[str, str]) -> Manifest:
    """A deployment of one instance of `image`, which serves HTTP on `port` with its health at /healthz."""
    values = {"name": name, "image": image, "namespace": namespace, "port": port, "replicas": 1}
    marked = {"app.kubernetes.io/part-of": "mcastlab", **labels}
    return loaded([render_file(TEMPLATES / "deployment.yml.j2", {**values, "labels": marked})])[0]


def pod_values(
    name: str, image: str, command: Sequence[str], *, namespace: str, labels: Mapping[str, str], networks: str
) -> dict[str, Any]:
    marked = {"app.kubernetes.io/part-of": "mcastlab", **labels}
    values: dict[str, Any] = {"name": name, "image": image, "command": list(command), "namespace": namespace}
    return values | {"labels": marked, "networks": networks}


def loaded(texts: Sequence[str]) -> list[Manifest]:
    """The manifests in texts of YAML, one in each."""
    return [yaml.safe_load(text) for text in texts]
