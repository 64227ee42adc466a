"""Which firewall rules are reported as drops of the lab's bridged traffic."""

from typing import Any

import pytest

from provision.hosts.firewall import drops

Rule = list[dict[str, Any]]
ACCEPT: Rule = [{"accept": None}]
DROP: Rule = [{"drop": None}]
CONNTRACK: Rule = [{"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": "established"}}, *ACCEPT]
LAB: Rule = [{"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "podman7"}}, *ACCEPT]


def ruleset(family: str, policy: str, *rules: Rule, **chains: list[Rule]) -> dict[str, Any]:
    """A ruleset with one forward chain, and the further chains that its rules jump to."""
    place = {"family": family, "table": "filter"}
    items: list[dict[str, Any]] = [{"chain": {**place, "name": "FORWARD", "hook": "forward", "policy": policy}}]
    for name, content in {"FORWARD": list(rules), **chains}.items():
        items += [{"rule": {**place, "chain": name, "expr": expr}} for expr in content]
    return {"nftables": items}


def found(rules: dict[str, Any], nf_call: bool = True) -> list[str]:
    return [str(drop) for drop in drops(rules, nf_call=nf_call, lab_names={"podman7"})]


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (ruleset("ip", "accept"), []),
        (ruleset("ip", "drop"), ["ip filter FORWARD: policy drop"]),
        (ruleset("inet", "drop", CONNTRACK), ["inet filter FORWARD: policy drop"]),
        (ruleset("bridge", "accept", DROP), ["bridge filter FORWARD: drop"]),
        (ruleset("ip", "drop", LAB), []),
        (ruleset("ip", "accept", LAB, DROP), []),
        (ruleset("ip", "drop", ACCEPT), []),
        (ruleset("ip", "accept", [{"jump": {"target": "USER"}}], USER=[DROP]), ["ip filter FORWARD: jump USER: drop"]),
        (ruleset("ip", "drop", [{"jump": {"target": "USER"}}], USER=[LAB]), []),
        (ruleset("ip", "drop", [{"jump": {"target": "USER"}}], USER=[CONNTRACK]), ["ip filter FORWARD: policy drop"]),
    ],
)
def test_a_drop_is_named_and_an_accept_of_the_lab_is_believed(rules: dict[str, Any], expected: list[str]) -> None:
    assert found(rules) == expected


def test_ip_rules_do_not_count_where_bridged_frames_do_not_pass_them() -> None:
    assert found(ruleset("ip", "drop"), nf_call=False) == []
    assert found(ruleset("bridge", "drop"), nf_call=False) == ["bridge filter FORWARD: policy drop"]
