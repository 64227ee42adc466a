"""The agent without a cluster: reads policies from standard input, one a line, and enforces them for real."""

from __future__ import annotations

import json
import logging
import sys
import threading
from pathlib import Path

from agents.multicast_policy import door, web
from agents.multicast_policy.enforcer import Enforcer, Outcome
from agents.multicast_policy.model import Policy


def told(outcome: Outcome) -> None:
    """What NodeMulticast would say."""
    status = {"generation": outcome.generation, "namespaces": outcome.namespaces, "error": outcome.error}
    print(json.dumps({**status, "seconds": outcome.seconds}), flush=True)


def main(folder: Path) -> None:
    logging.basicConfig(level=logging.INFO)
    enforcer = Enforcer(folder, "cni0", told)
    threading.Thread(target=enforcer.run, daemon=True).start()
    threading.Thread(target=web.server(("127.0.0.1", 9469), enforcer).serve_forever, daemon=True).start()
    for number, line in enumerate(sys.stdin):
        given = json.loads(line)
        enforcer.set_policy(Policy(given["generation"], tuple(given["namespaces"]), tuple(given["node_groups"])))
        if number == 0:
            assert enforcer.wait(enforcer.request(), 20)
            threading.Thread(target=door.serve, args=(folder / "agent.sock", enforcer), daemon=True).start()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
