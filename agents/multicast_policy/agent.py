"""The agent of a node: reads MulticastPolicy/cluster and the ports' records, writes rules and its own status.

    python3 -m multicast_policy.agent

Environment: NODE_NAME, FOLDER (records, socket, base.nft), BRIDGE, LISTEN (address:port of /healthz and /metrics).
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from pathlib import Path

from . import door, ports, web
from .cluster import Cluster, Mirror
from .enforcer import Enforcer
from .model import Policy
from .status import API, Reporter

_LOG = logging.getLogger("multicast-policy")


def main() -> None:
    """Never returns, but when a part of it ends: then all ends, and is started again."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    folder, bridge = Path(os.environ["FOLDER"]), os.environ["BRIDGE"]
    ended = threading.Event()

    def end(args: threading.ExceptHookArgs) -> None:
        _LOG.critical("a part of the agent ended", exc_info=args.exc_value)
        ended.set()

    threading.excepthook = end
    cluster = Cluster()
    reporter = Reporter(cluster, os.environ["NODE_NAME"], _trouble(folder, bridge))
    enforcer = Enforcer(folder, bridge, reporter.tell)
    reporter.start()
    host, _, port = os.environ["LISTEN"].rpartition(":")
    threads = [
        threading.Thread(target=enforcer.run, daemon=True),
        threading.Thread(target=web.server((host.strip("[]"), int(port)), enforcer).serve_forever, daemon=True),
        threading.Thread(target=_open_door, args=(folder / "agent.sock", enforcer), daemon=True),
        _policies(cluster, enforcer),
    ]
    for thread in threads:
        thread.start()
    ended.wait()
    raise SystemExit(1)


def _open_door(path: Path, enforcer: Enforcer) -> None:
    """Only with the first rules in force: before, a pod would wait for nothing."""
    while not enforcer.outcome.updates:
        enforcer.wait(enforcer.request(), 5)
    outcome = enforcer.outcome
    _LOG.info("generation %d is in force, %d ports are bound", outcome.generation, len(outcome.bound))
    door.serve(path, enforcer)


def _policies(cluster: Cluster, enforcer: Enforcer) -> Mirror:
    def told() -> None:
        # No policy is no permission to forget the last one: the controller makes it again at once.
        for item in mirror.items():
            enforcer.set_policy(Policy.of(item))

    mirror = Mirror(cluster, f"{API}/multicastpolicies", told, fieldSelector="metadata.name=cluster")
    return mirror


def _trouble(folder: Path, bridge: str) -> str:
    """What is wrong with this node whatever the policy says."""
    others = ports.other_bridges(bridge)
    if not others or "ibrname" in (folder / "base.nft").read_text():
        return ""
    names = ", ".join(f"'{name}'" for name in others)
    return f"this kernel cannot tell bridges apart, and multicast on bridge {names} is dropped as well: remove it"


if __name__ == "__main__":
    main()
