"""The agent of a node: reads MulticastPolicy/cluster and the ports' records, writes the programs' maps and its status.

    python3 -m multicast_policy.agent

Environment: NODE_NAME, BRIDGE, LISTEN (address:port of /healthz and /metrics).
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from pathlib import Path

from . import door, files, hooks, web
from .cluster import Cluster, Mirror
from .enforcer import Enforcer
from .events import Teller
from .figures import by_pod
from .keeper import Keeper, Seen
from .model import Policy
from .status import API, Reporter

_LOG = logging.getLogger("multicast-policy")
_REFUSED_SECONDS = 5.0


def main() -> None:
    """Never returns, but when a part of it ends: then all ends, and is started again."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    folder, node = Path(hooks.FOLDER), os.environ["NODE_NAME"]
    cluster = Cluster()
    if reason := files.reason(str(folder / hooks.REFUSED)):
        _only_say_so(cluster, node, reason, folder / hooks.REFUSED)
        return
    ended = threading.Event()

    def end(args: threading.ExceptHookArgs) -> None:
        _LOG.critical("a part of the agent ended", exc_info=args.exc_value)
        ended.set()

    threading.excepthook = end
    for thread in _parts(cluster, node, folder, os.environ["BRIDGE"]):
        thread.start()
    ended.wait()
    raise SystemExit(1)


def _parts(cluster: Cluster, node: str, folder: Path, bridge: str) -> list[threading.Thread]:
    reporter = Reporter(cluster, node)
    enforcer = Enforcer(folder, bridge, node, reporter.tell)
    teller = Teller(cluster, node, folder / "told", lambda: by_pod(enforcer.outcome.bound, enforcer.counts()))

    def seen(found: Seen) -> None:
        reporter.note(found.notes)
        teller.tell(found.notes)

    keeper = Keeper(bridge, enforcer, seen)
    targets = (
        enforcer.run,
        keeper.run,
        keeper.listen,
        web.server(_listen(), enforcer, keeper).serve_forever,
        lambda: _open_door(folder / "agent.sock", enforcer),
    )
    threads = [threading.Thread(target=target, daemon=True) for target in targets]
    return [reporter, teller, *threads, _policies(cluster, enforcer)]


def _listen() -> tuple[str, int]:
    host, _, port = os.environ["LISTEN"].rpartition(":")
    return host.strip("[]"), int(port)


def _open_door(path: Path, enforcer: Enforcer) -> None:
    """Only with the first entries in force: before, a pod would wait for nothing."""
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


def _only_say_so(cluster: Cluster, node: str, reason: str, refused: Path) -> None:
    """The node's kernel takes no programs: report that, and end when the unit finds that it does."""
    _LOG.error("this node keeps no namespaces apart: %s", reason)
    reporter = Reporter(cluster, node, reason)
    reporter.start()
    reporter.note(())
    threading.Thread(target=web.idle(_listen()).serve_forever, daemon=True).start()
    while refused.exists():
        time.sleep(_REFUSED_SECONDS)


if __name__ == "__main__":
    main()
