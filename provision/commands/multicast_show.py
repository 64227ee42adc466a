"""What the commands print: tables for people, the same as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from provision.core.text import visible
from provision.multicast.detect import Detection
from provision.multicast.macvlan import SHARED, Attached
from provision.multicast.switch import Changed, NamespaceStatus

_COLUMNS = ("namespace", "wanted", "by", "in force", "NADs")


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
    """How namespaces stand, as a table; what needs words stands under it."""
    if not found:
        return Text("No namespace has a multicast annotation")
    grid = Table(box=None, header_style="bold", pad_edge=False)
    for column in _COLUMNS:
        grid.add_column(column, overflow="fold")
    for item in found:
        wanted = "yes" if item.wanted else "no"
        cells = (item.namespace, wanted, ", ".join(item.by) or "-", str(item.force), ", ".join(item.networks) or "-")
        grid.add_row(*(Text(visible(cell)) for cell in cells))
    notes = [f"{item.namespace}: {odd}" for item in found for odd in item.odd]
    if shared := sorted({name for item in found for name in item.shared}):
        notes.append(f"{SHARED} {', '.join(shared)}")
    return Group(grid, *(Text(visible(note)) for note in notes))
