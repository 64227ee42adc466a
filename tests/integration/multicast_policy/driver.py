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
from agents.multicast_policy.model import Node, Policy
from tests.integration.multicast_policy.patience import patient


def told(outcome: Outcome) -> None:
    """What NodeMulticast would say."""
    status = {"generation": outcome.generation, "namespaces": outcome.namespaces, "error": outcome.error}
    print(json.dumps({**status, "seconds": outcome.seconds, "note": outcome.note}), flush=True)


def seen(found: Seen) -> None:
    """What the keeper would tell."""
    print(json.dumps({"notes": found.notes}), flush=True)


def main() -> None:
    logging.basicConfig(level=logging.INFO)
    enforcer = Enforcer(Path(hooks.FOLDER), "cni0", sys.argv[1], told)
    keeper = Keeper("cni0", enforcer, seen)
    serving = web.server(("127.0.0.1", 9469), enforcer, keeper).serve_forever
    for target in (enforcer.run, keeper.run, keeper.listen, serving):
        threading.Thread(target=target, daemon=True).start()
    for number, line in enumerate(sys.stdin):
        given = json.loads(line)
        across = {"nodes": tuple(Node(*one[:2], tuple(one[2])) for one in given.pop("nodes", ()))}
        netids = tuple(zip(given["namespaces"], given.pop("netids", ()), strict=False))
        enforcer.set_policy(
            Policy(
                given["generation"],
                tuple(given["namespaces"]),
                tuple(given["node_groups"]),
                netids,
                crossing="10.244.255.254",
                **across,
            )
        )
        if number == 0:
            assert enforcer.wait(enforcer.request(), patient(20))
            path = Path(hooks.FOLDER) / "agent.sock"
            threading.Thread(target=door.serve, args=(path, enforcer), daemon=True).start()


if __name__ == "__main__":
    main()
