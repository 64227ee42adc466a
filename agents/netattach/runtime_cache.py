"""The runtime's own cache of results (libcni's, /var/lib/cni/results).

It knows the pods that were attached to the default network before netattach came to the node: their addresses must be
freed by DEL and kept by GC.
"""

from __future__ import annotations

import json
import os

KIND = "cniCacheV1"


def result(folder: str, network: str, container_id: str, ifname: str) -> dict[str, object] | None:
    """What the ADD of this attachment gave, or None."""
    found = entry(folder, network, container_id, ifname).get("result")
    return found if isinstance(found, dict) else None


def entry(folder: str, network: str, container_id: str, ifname: str) -> dict[str, object]:
    """All that the cache knows of this attachment; empty where it knows nothing."""
    return _read(_path(folder, network, container_id, ifname))


def forget(folder: str, network: str, container_id: str, ifname: str) -> None:
    """Remove the entry: the runtime, which now knows netattach's network only, never will."""
    try:
        os.unlink(_path(folder, network, container_id, ifname))
    except FileNotFoundError:
        return


def attachments(folder: str, network: str) -> set[tuple[str, str]]:
    """(container ID, interface) of every attachment to `network` that the runtime remembers."""
    found = set()
    names = os.listdir(folder) if os.path.isdir(folder) else []
    for name in names:
        if name.startswith(f"{network}-"):
            saved = _read(f"{folder}/{name}")
            if saved.get("networkName") == network:
                found.add((str(saved.get("containerId")), str(saved.get("ifName"))))
    return found


def _path(folder: str, network: str, container_id: str, ifname: str) -> str:
    return f"{folder}/{network}-{container_id}-{ifname}"


def _read(path: str) -> dict[str, object]:
    try:
        with open(path, encoding="utf-8") as file:
            saved = json.load(file)
    except (OSError, ValueError):
        return {}
    return saved if isinstance(saved, dict) and saved.get("kind") == KIND else {}
