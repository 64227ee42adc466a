"""nodes-ready: every host that should be a node is one, and its kubelet says that it is ready."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from provision.checks.result import Figure, Outcome, failed, passed
from provision.cluster.api import Node
from provision.core.errors import WaitError
from provision.core.wait import Deadline, NotYet, until
from provision.traffic.testbed import Testbed

_SECONDS = 60.0


def run(testbed: Testbed) -> Outcome:
    """Waits up to a minute, because a node is registered before it is ready."""
    lab = () if testbed.foreign else testbed.lab.hosts
    expected = {host.name for host in lab if host.role != "source"}

    def probe() -> int | NotYet:
        nodes = testbed.kube.nodes()
        missing = unready(expected, nodes)
        return NotYet("; ".join(missing)) if missing else len(expected) or len(nodes)

    try:
        count = until("all nodes to be ready", probe, Deadline.after(_SECONDS), interval=0.5)
    except WaitError as error:
        return failed(error.problem)
    verb = "is" if count == 1 else "are"
    return passed(f"{count} of {count} nodes {verb} ready", Figure("ready", count, "nodes"))


def unready(expected: Collection[str], nodes: Sequence[Node]) -> list[str]:
    """What keeps the nodes `expected`, and any other that there is, from being all ready."""
    problems = [f"node '{name}' is not registered" for name in sorted(set(expected) - {node.name for node in nodes})]
    problems += [f"node '{node.name}' is not ready: {node.detail}" for node in nodes if not node.ready]
    return problems if nodes else ["the cluster has no nodes"]
