"""Several nodes on one network, as the policy has them: what a lab has by its management network."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from tests.integration.multicast_policy.lines import run
from tests.integration.multicast_policy.policy_node import Node
from tests.integration.multicast_policy.policy_pod import Pod

MANAGEMENT = "eth0"


class Nodes:
    """Nodes whose `eth0` are ports of one bridge, each with routes to the pods of the others."""

    def __init__(self, folder: Path, cni_bin: Path, policy_object: Path, count: int, mtu: int = 1600) -> None:
        self.netns = f"mpnet{os.getpid()}"
        self.all: list[Node] = []
        run("ip", "netns", "add", self.netns)
        run(
            "ip", "-n", self.netns, "link", "add", "net", "up", "mtu", str(mtu), "type", "bridge", "mcast_snooping", "0"
        )
        for number in range(count):
            place = folder / f"node{number}"
            place.mkdir()
            node = Node(place, cni_bin, number)
            self.all.append(node)
            self._join(node, mtu)
            node.load(policy_object)
        self.know(self.all)

    def _join(self, node: Node, mtu: int) -> None:
        ends = ("name", MANAGEMENT, "mtu", str(mtu), "type", "veth", "peer", "name", node.name, "netns", self.netns)
        node.ip("link", "add", *ends)
        node.ip("address", "add", f"{address(node)}/24", "dev", MANAGEMENT)
        node.ip("address", "add", f"fd00:77::{11 + node.number}/64", "dev", MANAGEMENT, "nodad")
        node.ip("link", "set", MANAGEMENT, "up")
        run("ip", "-n", self.netns, "link", "set", node.name, "mtu", str(mtu), "master", "net", "up")
        node.exec("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding")

    def know(self, nodes: Sequence[Node]) -> None:
        """Have these nodes in the policy that each is given from here on, and routes between their pods."""
        for node in nodes:
            node.nodes = [(other.name, address(other), other.subnets) for other in nodes]
            for other in nodes:
                if other is not node:
                    node.ip("route", "replace", other.subnets[0], "via", address(other))

    def enable(self, *namespaces: str) -> None:
        """Agents on all nodes, with these namespaces enabled."""
        for node in self.all:
            if node.agent:
                node.permit(*namespaces)
            else:
                node.start_agent(*namespaces)

    def pods(self, namespace: str) -> list[Pod]:
        """One on each node."""
        return [node.pod(namespace, f"{namespace}-{node.name}") for node in self.all]

    def close(self) -> None:
        for node in self.all:
            node.close()
        run("ip", "netns", "del", self.netns)


def address(node: Node) -> str:
    """Of the node on the network that joins the nodes."""
    return f"192.168.77.{11 + node.number}"
