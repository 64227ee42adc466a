"""An Event of Kubernetes, about a pod or the node."""

from __future__ import annotations

import os
import time

_MOST = 1024  # characters of an Event's message: the API server's limit


def event(metadata: dict[str, str], about: dict[str, str], reason: str, text: str, component: str) -> dict[str, object]:
    """The Event that `component` on this node writes about the object `about`."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": metadata,
        "involvedObject": {"apiVersion": "v1", **about},
        "type": "Warning",
        "reason": reason,
        "message": text[:_MOST],
        "source": {"component": component, "host": os.uname().nodename},
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }
