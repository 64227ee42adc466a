"""What the programs counted, by pod: for /metrics, for events, and for `mcastlab multicast status NAMESPACE`.

    python3 -m multicast_policy.figures     # of this node, as JSON; in the agent's pod or on the node

Environment: BRIDGE. The shape: {"pods": [{"namespace", "pod", "uid", and each of Counts}], "node": Counts,
"unbound": Counts}.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from . import hooks, ports
from .model import Port
from .tables import Counts, Tables


def by_pod(bound: Mapping[int, Port], counts: Mapping[int, Counts]) -> dict[str, Any]:
    """As the module says; names of ports are nobody's business."""
    pods = [
        {"namespace": port.namespace, "pod": port.pod, "uid": port.uid, **asdict(counts[index])}
        for index, port in bound.items()
        if index in counts
    ]
    pods.sort(key=lambda entry: (str(entry["namespace"]), str(entry["pod"])))
    return {"pods": pods, "node": asdict(counts.get(-1, Counts())), "unbound": asdict(counts.get(0, Counts()))}


def main() -> None:
    bound = ports.bound(ports.Records(Path(hooks.FOLDER)), os.environ.get("BRIDGE", "cni0"))
    json.dump(by_pod(bound, Tables().counts(bound)), sys.stdout)


if __name__ == "__main__":
    main()
