"""What runs now: the lab's hosts, its nodes and its networks."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from provision import attacher
from provision.config import Lab
from provision.errors import McastlabError
from provision.kube import Kube
from provision.state import RunState


def gather(lab: Lab, state: RunState) -> dict[str, Any]:
    """Lab, provider, attacher, hosts, nodes and networks; `cluster_error` where the API server does not answer."""
    machines = {row.name: row for row in state.provider.status(lab)}
    facts: dict[str, Any] = {
        "lab": lab.name,
        "provider": state.provider.name,
        "attacher": _attacher(lab),
        "hosts": [
            {"name": host.name, "role": host.role, "address": str(host.address), "state": machines[host.name].state}
            for host in lab.hosts
        ],
        "nodes": [],
        "networks": [],
        "cluster_error": "",
    }
    if not state.directory.kubeconfig.exists():
        facts["cluster_error"] = "no kubeconfig: `mcastlab up` has not got that far"
        return facts
    try:
        kube = Kube(state.directory.kubeconfig)
        facts["nodes"] = [{"name": node.name, "ready": node.ready, "version": node.version} for node in kube.nodes()]
        facts["networks"] = [{"namespace": nad.namespace, "name": nad.name} for nad in kube.network_attachments()]
    except McastlabError as error:
        facts["cluster_error"] = error.problem
    return facts


def _attacher(lab: Lab) -> str:
    """The attacher, also where `up` could not have it now."""
    try:
        return attacher.choose(lab).name
    except McastlabError:
        return lab.cluster.attacher


def table(facts: dict[str, Any]) -> RenderableType:
    """The facts as tables for people."""
    parts: list[RenderableType] = [
        f"Lab '{facts['lab']}' by {facts['provider']}, attacher {facts['attacher']}",
        _rows(("host", "role", "address", "state"), facts["hosts"]),
    ]
    if facts["cluster_error"]:
        parts.append(f"Cluster: {facts['cluster_error']}")
    if facts["nodes"]:
        parts.append(_rows(("node", "ready", "version"), facts["nodes"]))
    if facts["networks"]:
        parts.append(_rows(("namespace", "network"), facts["networks"]))
    return Group(*parts)


def _rows(columns: tuple[str, ...], rows: list[dict[str, Any]]) -> Table:
    grid = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        grid.add_column(column)
    for row in rows:
        grid.add_row(*(str(value) for value in row.values()))
    return grid
