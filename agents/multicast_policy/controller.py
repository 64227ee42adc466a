"""The controller, once in the cluster: keeps NetNamespaces, MulticastPolicy/cluster, NodeMulticasts and networks.

    python3 -m multicast_policy.controller

Environment: NAMESPACE, where the ConfigMap `multicast-networks` is. `desired` decides, this does it.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from pathlib import Path

from . import desired
from .cluster import APPLY, Cluster, ClusterError, Mirror

_LOG = logging.getLogger("multicast-policy")
_AGAIN_SECONDS = 1.0
_CORE, _READY = "/api/v1", Path("/tmp/ready")  # noqa: S108 - the container's own


def main() -> None:
    """Never returns."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    cluster, changed = Cluster(), threading.Event()
    config = f"{_CORE}/namespaces/{os.environ['NAMESPACE']}/configmaps"
    mirrors = {
        "namespaces": Mirror(cluster, f"{_CORE}/namespaces", changed.set),
        "netnamespaces": Mirror(cluster, desired.NETNAMESPACES, changed.set),
        "nodes": Mirror(cluster, f"{_CORE}/nodes", changed.set),
        "node_multicasts": Mirror(cluster, desired.NODE_MULTICASTS, changed.set),
        "policies": Mirror(cluster, desired.POLICIES, changed.set),
        "nads": Mirror(cluster, f"{desired.NADS}/network-attachment-definitions", changed.set),
        "configs": Mirror(cluster, config, changed.set, fieldSelector="metadata.name=multicast-networks"),
    }
    for mirror in mirrors.values():
        mirror.start()
    # Half of the truth could delete what the other half needs.
    for mirror in mirrors.values():
        mirror.synced.wait()
    while True:
        changed.clear()
        world = desired.World(**{name: mirror.items() for name, mirror in mirrors.items()})
        failed = [action for action in desired.actions(world) if not do(cluster, action)]
        if not failed:
            _READY.touch()
        changed.wait(_AGAIN_SECONDS if failed else None)


def do(cluster: Cluster, action: desired.Action) -> bool:
    """Send one request; whether nothing is left to be done about it."""
    query = {"fieldManager": desired.US, "force": "true"} if action.method == "PATCH" else {}
    kind = APPLY if action.method == "PATCH" else "application/json"
    try:
        cluster.request(action.method, action.path, query, action.body or None, kind)
    except ClusterError as error:
        # Done already: the watch has not told yet.
        if (action.method, error.status) in {("POST", 409), ("DELETE", 404)}:
            return True
        _LOG.error("%s", error)
        return False
    _LOG.info("%s", action)
    return True


if __name__ == "__main__":
    main()
