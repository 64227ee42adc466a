"""Checks on a cluster that no lab.yml describes: what it allows is run, the rest is not applicable, with its reason."""

from __future__ import annotations

import json as json_module
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.table import Table

from provision import artifacts, config, multicast
from provision.checks import CheckRun, Result, Target, require_none_failed
from provision.cluster.api import Kube
from provision.core.errors import HostError
from provision.core.files import write_whole
from provision.core.progress import Progress
from provision.core.text import visible
from provision.hosts.remote import Remotes


def check(
    kube: Kube, names: Sequence[str], progress: Progress, *, every: bool, namespace: str, image: str, json: Path | None
) -> None:
    """Run the checks on the cluster of `kube`; raises ChecksFailed. `image` has python3 and socat, and may be empty."""
    if namespace:
        multicast.existing(kube, [namespace])
    known = _images(kube)
    context = Target(
        config.load(None), kube, Remotes([]), image or known.get("tools", ""), known.get("discovery", ""),
        foreign=True, namespace=namespace, typed=progress.typed,
    )  # fmt: skip
    run = CheckRun.begin(names, context, every=every)
    results = run.results(lambda result: progress.report(result.line().plain))
    progress.say(_table(results))
    if json:
        write_whole(json, json_module.dumps(_data(results), indent=2) + "\n")
    require_none_failed(results)


def _images(kube: Kube) -> dict[str, str]:
    """Our own images by role, where a node of the cluster has them: then nothing has to be pulled."""
    try:
        ours: dict[str, str] = artifacts.document()["images"]
    except HostError:
        return {}
    there = {
        name
        for node in kube.items("/api/v1/nodes")
        for image in node.get("status", {}).get("images") or []
        for name in image.get("names") or []
    }
    return {role: name for role, name in ours.items() if name in there}


def _table(results: Sequence[Result]) -> Table:
    grid = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("check", "status", "seconds", "what was found"):
        grid.add_column(heading, overflow="fold")
    for result in results:
        reason = f"not applicable: {result.reason}" if result.status == "not-applicable" else result.reason
        grid.add_row(result.name, result.status, f"{result.seconds:.1f}", visible(reason))
    return grid


def _data(results: Sequence[Result]) -> dict[str, Any]:
    return {"checks": [asdict(result) for result in results]}
