"""Firewalls of this machine that would drop what crosses the lab's bridges, named by their rule."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_ROUTED = ("ip", "inet")
# With these, a rule is about some traffic only, and the lab's is not taken to be meant unless it is named.
_NARROWING = frozenset({"match", "limit", "meter", "xt", "vmap"})
_Place = tuple[str, str, str]
_Table = dict[_Place, list[list[dict[str, Any]]]]


@dataclass(frozen=True)
class Drop:
    """A rule, or a chain's policy, that drops bridged multicast; `text` is how nft would print it."""

    family: str
    table: str
    chain: str
    text: str

    def __str__(self) -> str:
        return f"{self.family} {self.table} {self.chain}: {self.text}"


def drops(ruleset: Mapping[str, Any], *, nf_call: bool, lab_names: Iterable[str]) -> list[Drop]:
    """The drops in `nft -j list ruleset` that the lab's bridged multicast would meet in a forward hook.

    `nf_call`: net.bridge.bridge-nf-call-iptables is 1, so that the ip and inet families see bridged frames too
    (kernel documentation, networking/ip-sysctl). A chain that accepts what names
    one of `lab_names` (bridges and subnets, as in nft's JSON) before it drops is fine.
    """
    items = ruleset.get("nftables", [])
    chains = [item["chain"] for item in items if "chain" in item]
    rules = [item["rule"] for item in items if "rule" in item]
    table: _Table = {}
    for rule in rules:
        table.setdefault(_place(rule, "chain"), []).append(rule["expr"])
    found = []
    for chain in chains:
        seen = chain["family"] == "bridge" or (nf_call and chain["family"] in _ROUTED)
        if chain.get("hook") != "forward" or not seen:
            continue
        ending = _walk(_place(chain, "name"), table, frozenset(lab_names)) or f"policy {chain['policy']}"
        if ending.endswith("drop"):
            found.append(Drop(chain["family"], chain["table"], chain["name"], ending))
    return found


def _place(item: Mapping[str, Any], key: str) -> _Place:
    return item["family"], item["table"], item[key]


def _walk(place: _Place, table: _Table, lab_names: frozenset[str]) -> str:
    """How a chain ends for the lab's frames: "accept", a text that ends with "drop", or "" when it comes to its end."""
    for expressions in table.get(place, []):
        keys = {key for item in expressions for key in item}
        if keys & _NARROWING and not any(name in json.dumps(expressions) for name in lab_names):
            continue
        if "accept" in keys:
            return "accept"
        if "drop" in keys:
            return "drop"
        for target in (item["jump"]["target"] for item in expressions if "jump" in item):
            ending = _walk((place[0], place[1], target), table, lab_names)
            if ending:
                return ending if ending == "accept" else f"jump {target}: {ending}"
    return ""
