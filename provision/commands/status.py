"""What `mcastlab status` prints, which is what runs now: the lab's hosts, its nodes and its networks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType

from provision.cluster.api import Kube
from provision.config import Lab
from provision.core import tables
from provision.core.errors import McastlabError
from provision.core.progress import console
from provision.core.text import named
from provision.hosts.machine import Machine
from provision.hosts.remote import Remotes
from provision.networks import attachments, tenants
from provision.networks.attacher import known_attacher
from provision.pipeline.run import Run


def status(run: Run, *, as_json: bool) -> None:
    """Print what the provider and the cluster know about the lab now."""
    facts = gather(run)
    if as_json:
        print(json.dumps(facts, indent=2))
    else:
        console().print(table(facts))


def gather(run: Run) -> dict[str, Any]:
    """Lab, provider, attacher, hosts, nodes and networks; `cluster_error` where the API server does not answer."""
    lab, found = run.lab, run.provider.status(run.lab)
    states = {row.name: row.state for row in found}
    machines = [row.machine for row in found if row.machine]
    facts: dict[str, Any] = {
        "lab": lab.name,
        "provider": run.provider.name,
        "attacher": known_attacher(lab).name,
        "hosts": [
            {"name": host.name, "role": host.role, "address": str(host.address), "state": states[host.name]}
            for host in lab.hosts
        ],
        "nodes": [],
        "networks": [],
        "attachments": {"whole": 0, "broken": []},
        "attachments_error": "",
        "tenants": tenants.summary(lab),
        "lan_is_management": _lan_is_management(lab, machines),
        "cluster_error": "",
    }
    if not run.directory.kubeconfig.exists():
        facts["cluster_error"] = run.progress.typed.completed("no kubeconfig: `mcastlab up` has not got that far")
        return facts
    try:
        kube = Kube(run.directory.kubeconfig)
        facts["nodes"] = [{"name": node.name, "ready": node.ready, "version": node.version} for node in kube.nodes()]
        facts["networks"] = [{"namespace": nad.namespace, "name": nad.name} for nad in kube.network_attachments()]
    except McastlabError as error:
        facts["cluster_error"] = error.problem
        return facts
    try:
        facts["attachments"] = _attachments(lab, machines)
    except McastlabError as error:
        facts["attachments_error"] = error.problem
    return facts


def _attachments(lab: Lab, machines: Sequence[Machine]) -> dict[str, Any]:
    """How many pods have all interfaces that they asked for, and which lack what."""
    with Remotes(machines) as remotes:
        found = attachments.look_everywhere([remotes.get(host.name) for host in lab.nodes])
    broken = [{"pod": pod.name, "faults": "; ".join(pod.faults)} for pod in found.broken]
    return {"whole": len(found.whole), "broken": broken}


def _lan_is_management(lab: Lab, machines: Sequence[Machine]) -> bool:
    """Whether hosts are logged in to on the LAN's own addresses, as hosts with one card are."""
    addresses = {machine.name: machine.address for machine in machines}
    return any(addresses.get(host.name) in {str(host.address), str(host.address6)} for host in lab.hosts)


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
    parts += _whole_and_broken(facts)
    parts += _tenants(facts["tenants"])
    if facts["lan_is_management"]:
        parts.append(
            "[bold]The LAN is the hosts' management network too: pods on macvlan reach SSH, kubelet and the API server"
            " there, and can speak as hosts do[/]"
        )
    return Group(*parts)


def _whole_and_broken(facts: dict[str, Any]) -> list[RenderableType]:
    """How many pods have the second interfaces that they asked for; nothing where none asked."""
    if facts["attachments_error"]:
        return [f"Second interfaces: {facts['attachments_error']}"]
    whole, broken = facts["attachments"]["whole"], facts["attachments"]["broken"]
    if not whole and not broken:
        return []
    counted = f"Second interfaces: {whole} pods whole, {len(broken)} broken"
    return [f"[bold red]{counted}[/]", _rows(("pod", "lacks"), broken)] if broken else [counted]


def _tenants(summary: dict[str, Any]) -> list[RenderableType]:
    """Whose networks are trusted, and what those of tenants may be."""
    administrators = ", ".join(
        f"{kind} '{name}'" for kind in ("user", "group") for name in summary["administrators"][f"{kind}s"]
    )
    parts: list[RenderableType] = [
        f"Networks without the label '{summary['label']}' are trusted; only {administrators or 'nobody'} writes such",
        f"Networks with it, of any namespace: {summary['everybody']}",
    ]
    if summary["namespaces"]:
        shown = [{key: _listed(value) for key, value in row.items()} for row in summary["namespaces"]]
        parts.append(_rows(("namespace", "ranges", "types", "masters", "options", "dangerous"), shown))
    dangerous = [row["namespace"] for row in summary["namespaces"] if row["dangerous"]]
    if dangerous:
        names = named(dangerous)
        parts.append(f"[bold red]Dangerous: who writes networks in {names} reaches beyond pods, into the nodes[/]")
    return parts


def _listed(value: object) -> object:
    if isinstance(value, list):
        return ", ".join(str(item) for item in value) or "-"
    return ("yes" if value else "-") if isinstance(value, bool) else value


def _rows(columns: tuple[str, ...], rows: list[dict[str, Any]]) -> RenderableType:
    return tables.table(columns, [tuple(row.values()) for row in rows])
