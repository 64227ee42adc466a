"""From policy and ports to nftables' JSON (libnftables-json(5)): the permissions on top of the default drop.

Nothing here touches a kernel. The table `bridge mcastlab` with its hooks, maps and sets is the node's own
(roles/multicast_policy/templates/base.nft.j2); one document replaces all that an agent ever added, in one transaction.
Counters are left alone, so that they only grow.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from .model import Policy, Port

Json = dict[str, Any]

FAMILY, TABLE = "bridge", "mcastlab"
PORT, NAMESPACE = "port_", "ns_"  # chains: what one port may send, what one namespace's ports may reach
SENT, DELIVERED, DROPPED = "sent_", "delivered_", "dropped_in_"  # counters: by port, by namespace, by namespace
_MAPS = ("senders", "namespaces", "dropped_from", "delivered_to")
_SETS = ("enabled", "node_groups4", "node_groups6")
_PROTOCOL: Json = {"meta": {"key": "l4proto"}}
# Almost all of it is UDP, and one comparison is quicker than a look-up: UDP has rules of its own, before the others'.
_UDP: Json = {"match": {"op": "==", "left": _PROTOCOL, "right": "udp"}}
# What keeps the network alive passes like all else, and is not counted as multicast that somebody sent.
_OTHER: Json = {"match": {"op": "!=", "left": _PROTOCOL, "right": {"set": ["igmp", "ipv6-icmp", "udp"]}}}


@dataclass(frozen=True)
class Present:
    """What is in the table now, by name: chains and counters."""

    chains: frozenset[str] = frozenset()
    counters: frozenset[str] = frozenset()

    @classmethod
    def of(cls, listing: Json) -> Present:
        """From the answer of `nft -j list table bridge mcastlab`, or of a listing of chains or counters."""
        items = listing["nftables"]
        return cls(*(frozenset(i[kind]["name"] for i in items if kind in i) for kind in ("chain", "counter")))


def document(policy: Policy, ports: Sequence[Port], present: Present) -> Json:
    """The transaction that makes the table permit what `policy` says for `ports`, and nothing else."""
    ports = sorted(ports, key=lambda port: port.name)
    members = {name: [port for port in ports if port.namespace == name] for name in policy.namespaces}
    members = {name: found for name, found in members.items() if found}
    # Counters are never made anew, those of a namespace never removed: what they counted is not lost.
    counters = {SENT + port.name for port in ports} | {DROPPED + as_name(port.namespace) for port in ports}
    counters |= {DELIVERED + as_name(name) for name in members}
    gone = {name for name in present.counters if name.startswith(SENT)} - counters
    commands = [
        *(_add("counter", name=name) for name in sorted(counters - present.counters)),
        *_clear(present.chains),
        *(_delete("counter", name=name) for name in sorted(gone)),
        *(command for port in ports for command in _sender(port)),
        *(command for name, found in members.items() for command in _namespace(name, found)),
        *_elements("dropped_from", ([port.name, DROPPED + as_name(port.namespace)] for port in ports)),
        *_elements("delivered_to", ([p.name, DELIVERED + as_name(name)] for name, ps in members.items() for p in ps)),
        *_elements("enabled", (port.name for found in members.values() for port in found)),
        *_elements("node_groups4", (group for group in policy.node_groups if ":" not in group)),
        *_elements("node_groups6", (group for group in policy.node_groups if ":" in group)),
    ]
    return {"nftables": commands}


def as_name(namespace: str) -> str:
    """A namespace as part of a name in nftables, which has no '-'; namespaces have no '_' (RFC 1123)."""
    return namespace.replace("-", "_")


def as_namespace(name: str) -> str:
    """The reverse of `as_name`."""
    return name.replace("_", "-")


def _clear(chains: Iterable[str]) -> list[Json]:
    """Forget all permissions: first what leads to the chains, then the chains."""
    ours = sorted(name for name in chains if name.startswith((PORT, NAMESPACE)))
    return [
        *({"flush": {"map": _object(name=name)}} for name in _MAPS),
        *({"flush": {"set": _object(name=name)}} for name in _SETS),
        *(_delete("chain", name=name) for name in ours),
    ]


def _sender(port: Port) -> list[Json]:
    """What a pod sends is counted, and goes on if it comes from one of the pod's own addresses."""
    chain = PORT + port.name
    counted = {"counter": SENT + port.name}
    own = [
        [_match({"payload": {"protocol": protocol, "field": "saddr"}}, _one_or_more(addresses)), {"accept": None}]
        for protocol, addresses in (("ip", port.v4), ("ip6", port.v6))
        if addresses
    ]
    rules = [[_UDP, counted, *own[0]], [_OTHER, counted], *own, [_goto("unusual")]]
    verdict = _elements("senders", [[port.name, _goto(chain)]])
    return [_add("chain", name=chain), *_rules(chain, rules, f"{port.namespace}/{port.pod}"), *verdict]


def _namespace(name: str, ports: Sequence[Port]) -> list[Json]:
    """From the ports of an enabled namespace to its ports."""
    chain = NAMESPACE + as_name(name)
    outside = _match({"meta": {"key": "oifname"}}, _one_or_more([port.name for port in ports]), "!=")
    delivered: list[Json] = [{"counter": DELIVERED + as_name(name)}, {"accept": None}]
    rules = [
        [outside, _goto("foreign")],
        [_UDP, *delivered],
        [_OTHER, *delivered],
        [{"accept": None}],
    ]
    verdicts = _elements("namespaces", ([port.name, _goto(chain)] for port in ports))
    return [_add("chain", name=chain), *_rules(chain, rules, name), *verdicts]


def _rules(chain: str, rules: Iterable[list[Json]], comment: str) -> list[Json]:
    # 128 bytes are the most that a comment can have (NFTNL_UDATA_COMMENT_MAXLEN).
    return [_add("rule", chain=chain, expr=expr, comment=comment[:127]) for expr in rules]


def _elements(name: str, elements: Iterable[Any]) -> list[Json]:
    found = list(elements)
    return [_add("element", name=name, elem=found)] if found else []


def _match(left: Json, right: Any, op: str = "==") -> Json:
    return {"match": {"op": op, "left": left, "right": right}}


def _one_or_more(values: Sequence[str]) -> Any:
    return values[0] if len(values) == 1 else {"set": list(values)}


def _goto(chain: str) -> Json:
    return {"goto": {"target": chain}}


def _add(kind: str, **more: Any) -> Json:
    return {"add": {kind: _object(**more)}}


def _delete(kind: str, **more: Any) -> Json:
    return {"delete": {kind: _object(**more)}}


def _object(**more: Any) -> Json:
    return {"family": FAMILY, "table": TABLE, **more}
