"""What the commands of `mcastlab multicast` do, and what they print: tables for people, the same as JSON."""

from __future__ import annotations

import json as json_module
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from provision.cluster.api import Kube
from provision.core import tables
from provision.core.progress import console
from provision.core.text import visible
from provision.core.typed import Typed
from provision.multicast import figures
from provision.multicast.backends import lab
from provision.multicast.detect import Detection, detect
from provision.multicast.macvlan import SHARED, Attached, still_attached
from provision.multicast.switch import Changed, NamespaceStatus, disable, enable, status

_COLUMNS = ("namespace", "wanted", "by", "in force", "NADs")


def switch(kube: Kube, typed: Typed, verb: str, names: Sequence[str], *, as_json: bool) -> None:
    """`enable` or `disable` and print what was done; `typed` completes what is suggested."""
    found = detect(kube)
    changed = (enable if verb == "enable" else disable)(kube, found, names)
    done = [replace(item, force=item.force.told(typed)) for item in changed]
    attached = {item.namespace: still_attached(kube, item.namespace) for item in done} if verb == "disable" else {}
    _print_changes(verb, found, done, attached, as_json=as_json)


def show_status(kube: Kube, typed: Typed, names: Sequence[str], *, as_json: bool) -> None:
    """Print how namespaces stand; of those that are named, in a lab, what their pods sent and heard as well."""
    found = detect(kube)
    standing = [replace(item, force=item.force.told(typed)) for item in status(kube, found, names)]
    counted = figures.read(kube) if names and found.backend is lab.BACKEND else None
    if as_json:
        entries = states(standing)
        data = {**cluster(found), "namespaces": entries}
        if counted:
            entries = [{**entry, "pods": figures.data(counted, entry["namespace"])} for entry in entries]
            data |= {"namespaces": entries, "unread": list(counted.unread)}
        print(json_module.dumps(data, indent=2))
        return
    console().print("\n".join(cluster_lines(found)), highlight=False, markup=False, soft_wrap=True)
    console().print(state_table(standing))
    if counted:
        console().print(figures.table(counted, [item.namespace for item in standing]))


def _print_changes(
    verb: str, found: Detection, done: Sequence[Changed], attached: dict[str, list[Attached]], *, as_json: bool
) -> None:
    if as_json:
        print(json_module.dumps({**cluster(found), "namespaces": changes(done, attached)}, indent=2))
        return
    lines = [*cluster_lines(found), *change_lines(verb, done, attached)]
    console().print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)


def cluster(found: Detection) -> dict[str, Any]:
    """What the cluster was found to be, as data."""
    return {
        "backend": found.name,
        "networkType": found.network_type,
        "why": found.why,
        "settings": list(found.facts),
        "obstacle": found.obstacle,
    }


def cluster_lines(found: Detection) -> list[str]:
    """The same as lines."""
    return [visible(line) for line in (f"Backend {found.name}: {found.why}", *(f"  {fact}" for fact in found.facts))]


def changes(done: Sequence[Changed], attached: Mapping[str, Sequence[Attached]]) -> list[dict[str, Any]]:
    """What was changed, as data."""
    return [
        {
            "namespace": item.namespace,
            "changed": list(item.written),
            "state": item.force.state,
            "detail": item.force.detail,
            "macvlan": [str(pod) for pod in attached.get(item.namespace, ())],
        }
        for item in done
    ]


def change_lines(verb: str, done: Sequence[Changed], attached: Mapping[str, Sequence[Attached]]) -> list[str]:
    """What was changed, as lines."""
    lines = []
    for item in done:
        written = ", ".join(item.written) or "nothing to change"
        lines.append(f"{item.namespace}: {verb}d ({written}); {item.force}")
        if pods := attached.get(item.namespace):
            lines.append("  macvlan goes on, for the switch does not reach it:")
            lines += [f"    {pod}" for pod in pods]
    return lines


def states(found: Sequence[NamespaceStatus]) -> list[dict[str, Any]]:
    """How namespaces stand, as data."""
    return [
        {
            "namespace": item.namespace,
            "wanted": item.wanted,
            "by": list(item.by),
            "ignored": list(item.odd),
            "state": item.force.state,
            "detail": item.force.detail,
            "networks": list(item.networks),
            "shared": list(item.shared),
        }
        for item in found
    ]


def state_table(found: Sequence[NamespaceStatus]) -> RenderableType:
    """How namespaces stand, as a table; what needs words standing under it."""
    if not found:
        return Text("No namespace has a multicast annotation")
    rows = [
        (
            item.namespace,
            "yes" if item.wanted else "no",
            ", ".join(item.by) or "-",
            item.force,
            ", ".join(item.networks) or "-",
        )
        for item in found
    ]
    notes = [f"{item.namespace}: {odd}" for item in found for odd in item.odd]
    if shared := sorted({name for item in found for name in item.shared}):
        notes.append(f"{SHARED} {', '.join(shared)}")
    return Group(tables.table(_COLUMNS, rows), *(Text(visible(note)) for note in notes))
