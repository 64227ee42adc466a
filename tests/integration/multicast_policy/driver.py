"""The agent without a cluster: reads policies from standard input, one a line, and enforces them for real."""

from __future__ import annotations

import json
import logging
import sys
import threading
from pathlib import Path

from agents.multicast_policy import door, hooks, web
from agents.multicast_policy.enforcer import Enforcer, Outcome
from agents.multicast_policy.keeper import Keeper, Seen
from agents.multicast_policy.model import Policy
from tests.integration.multicast_policy.patience import patient


def told(outcome: Outcome) -> None:
    """What NodeMulticast would say."""
    status = {"generation": outcome.generation, "namespaces": outcome.namespaces, "error": outcome.error}
    print(json.dumps({**status, "seconds": outcome.seconds}), flush=True)


def seen(found: Seen) -> None:
    """What the keeper would tell."""
    print(json.dumps({"notes": found.notes}), flush=True)


def main() -> None:
    logging.basicConfig(level=logging.INFO)
    enforcer = Enforcer(Path(hooks.FOLDER), "cni0", told)
    keeper = Keeper("cni0", enforcer, seen)
    serving = web.server(("127.0.0.1", 9469), enforcer, keeper).serve_forever
    for target in (enforcer.run, keeper.run, keeper.listen, serving):
        threading.Thread(target=target, daemon=True).start()
    for number, line in enumerate(sys.stdin):
        given = json.loads(line)
        enforcer.set_policy(Policy(given["generation"], tuple(given["namespaces"]), tuple(given["node_groups"])))
        if number == 0:
            assert enforcer.wait(enforcer.request(), patient(20))
            path = Path(hooks.FOLDER) / "agent.sock"
            threading.Thread(target=door.serve, args=(path, enforcer), daemon=True).start()


if __name__ == "__main__":
    main()
