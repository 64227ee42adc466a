"""The runtime's own cache of results (libcni's, /var/lib/cni/results).

It knows the pods that were attached to the default network before netattach came to the node: their addresses must be
freed by DEL and kept by GC.
"""

from __future__ import annotations

import os
import sys

from .errors import DECODING_FAILURE, CniError, Damaged
from .files import damaged, read_json
from .files import forget as remove

KIND = "cniCacheV1"
_REMEDY = "delete its pod; where that has gone, remove the file"


def result(folder: str, network: str, container_id: str, ifname: str) -> dict[str, object] | None:
    """What the ADD of this attachment gave, or None."""
    found = entry(folder, network, container_id, ifname).get("result")
    return found if isinstance(found, dict) else None


def entry(folder: str, network: str, container_id: str, ifname: str) -> dict[str, object]:
    """All that the cache knows of this attachment; empty where it knows nothing, which a damaged file's reader is told:
    plug-ins free by the container's ID what they can without a result."""
    try:
        return _read(_path(folder, network, container_id, ifname))
    except Damaged as error:
        sys.stderr.write(f"netattach: {error}; DEL goes without the result in it\n")
        return {}


def forget(folder: str, network: str, container_id: str, ifname: str) -> None:
    """Remove the entry: the runtime, which now knows netattach's network only, never will."""
    remove(_path(folder, network, container_id, ifname))


def attachments(folder: str, network: str) -> tuple[set[tuple[str, str]], list[CniError]]:
    """(container ID, interface) of every attachment to `network` that the runtime remembers, and what is damaged.

    Of a damaged file its name says whose it is, so that nobody frees what that one has.
    """
    found: set[tuple[str, str]] = set()
    faults: list[CniError] = []
    names = os.listdir(folder) if os.path.isdir(folder) else []
    for name in sorted(names):
        if name.startswith(f"{network}-"):
            try:
                saved = _read(f"{folder}/{name}")
            except Damaged as error:
                faults.append(error)
                found |= _named(name.removeprefix(f"{network}-"))
                continue
            if saved.get("networkName") == network:
                found.add((str(saved.get("containerId")), str(saved.get("ifName"))))
    return found, faults


def _named(rest: str) -> set[tuple[str, str]]:
    """CONTAINER-INTERFACE taken apart in every way, as both may have a hyphen: one of them is right."""
    parts = rest.split("-")
    return {("-".join(parts[:place]), "-".join(parts[place:])) for place in range(1, len(parts))}


def _path(folder: str, network: str, container_id: str, ifname: str) -> str:
    return f"{folder}/{network}-{container_id}-{ifname}"


def _read(path: str) -> dict[str, object]:
    """The entry, empty where there is none; raises Damaged."""
    try:
        saved = read_json(path, _REMEDY)
    except FileNotFoundError:
        return {}
    if not isinstance(saved, dict) or saved.get("kind") != KIND:
        raise damaged(DECODING_FAILURE, path, "is not an entry of the runtime's cache", _REMEDY)
    return saved
