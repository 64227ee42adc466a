"""A pod as a network namespace on a node's bridge, and what it says and hears."""

from __future__ import annotations

import itertools
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.integration.multicast_policy.lines import Lines, run

if TYPE_CHECKING:
    from tests.integration.multicast_policy.policy_node import Node

_numbers = itertools.count(1)
# The standard library alone: what a pod does begins sooner.
PEER = (sys.executable, "-IS", Path(__file__).resolve().parent / "peer.py")


class Pod:
    """A pod: a network namespace on the bridge."""

    def __init__(self, node: Node, namespace: str, name: str) -> None:
        self.node, self.namespace, self.name = node, namespace, name
        self.netns = f"{node.netns}p{next(_numbers)}"
        self.id = uuid.uuid4().hex
        self.result: dict[str, Any] = {}
        self.hearing: Lines | None = None

    @property
    def port(self) -> str:
        return str(next(i["name"] for i in self.result["interfaces"] if i["name"].startswith("veth")))

    def address(self, version: int = 4) -> str:
        found = [ip["address"].split("/")[0] for ip in self.result["ips"]]
        return str(next(address for address in found if (":" in address) == (version == 6)))

    def hear(self, *groups: str) -> None:
        """Join, and wait until the bridge knows."""
        self.hearing = self.node.peer(self.netns, "hear", "eth0", *groups)
        assert self.hearing.next() == "ready"

    def unlimited(self) -> None:
        """Let the pod's sockets join as many groups as they like; a kernel allows 20 and 64 by default."""
        for name in ("ipv4/igmp_max_memberships",):
            run("ip", "netns", "exec", self.netns, "sh", "-c", f"echo 1000 >/proc/sys/net/{name}")

    def heard(self) -> set[str]:
        assert self.hearing
        return self.hearing.heard()

    def heard_with(self, *wanted: str) -> set[str]:
        """As of Lines."""
        assert self.hearing
        return self.hearing.heard_with(*wanted)

    def say(self, group: str, text: str, *more: str) -> None:
        run("ip", "netns", "exec", self.netns, *PEER, "say", "eth0", group, text, *more)

    def frames(self, *frames: str, count: int = 2) -> None:
        run("ip", "netns", "exec", self.netns, *PEER, "frames", "eth0", str(count), *frames)

    def igmp_version(self) -> str:
        """The version that the pod's kernel speaks on eth0: V1, V2 or V3."""
        shown = run("ip", "netns", "exec", self.netns, "cat", "/proc/net/igmp")
        return next(line.split()[-1] for line in shown.splitlines() if "eth0" in line)


def mac_of(pod: Pod) -> bytes:
    """The MAC address of a pod's interface."""
    return bytes.fromhex(next(i["mac"] for i in pod.result["interfaces"] if i.get("sandbox")).replace(":", ""))
