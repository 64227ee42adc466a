"""Taking the policy away for some pods for a moment, to show that it, and nothing else, kept their datagrams out.

A rule at the head of a hook of the node's table `bridge mcastlab` lets what it matches pass; the agent's own rules and
everybody else's isolation stay as they are. The ports that it names go away with their pods: a rule that a killed run
left behind matches nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from provision.checks.places import PodPlace
from provision.errors import HostError
from provision.remote import Remote

_TABLE = ["bridge", "mcastlab"]
_SECONDS = 60.0


@contextmanager
def lifted(node: Remote, hook: str, matches: Sequence[Sequence[str]]) -> Iterator[None]:
    """While the block runs, what one of `matches` (words of an nft rule) fits passes `hook` of the policy.

    Raises HostError when the node has no such table.
    """
    handles: list[str] = []
    try:
        for match in matches:
            words = [*_TABLE, hook, *match, "accept", "comment", '"mcastlab check"']
            done = node.run(["nft", "--json", "--echo", "--handle", "insert", "rule", *words], _SECONDS)
            handles.append(_handle(done.stdout))
        yield
    finally:
        for handle in handles:
            node.run(["nft", "delete", "rule", *_TABLE, hook, "handle", handle], _SECONDS, check=False)


def port_of(node: Remote, place: PodPlace) -> str:
    """The name of the bridge's port that a pod is behind: the other end of its interface."""
    index = place.run(["cat", f"/sys/class/net/{place.interface}/iflink"], _SECONDS).stdout.strip()
    links = json.loads(node.run(["ip", "-json", "link"], _SECONDS).stdout)
    for link in links:
        if str(link["ifindex"]) == index:
            return str(link["ifname"])
    raise HostError(f"The node has no interface {index}, which should be the other end of {place.label}")


def _handle(text: str) -> str:
    """The handle of the rule in what `nft --json --echo --handle` printed."""
    for item in json.loads(text)["nftables"]:
        for rule in item.values():
            if isinstance(rule, dict) and "rule" in rule:
                return str(rule["rule"]["handle"])
    raise HostError("nft did not say which rule it made", detail=text)
