"""The policy taken away for one group: after the silence was measured, for as long as that takes, and never longer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from provision.checks.namespace import namespace_isolation, node_isolation
from provision.checks.policy_bypass import bypassed
from provision.checks.result import Outcome
from provision.traffic.probes import Probe
from provision.traffic.testbed import Flow
from tests.unit.traffic.test_probes import report, reports

GROUP = "239.77.0.3"
PROGRAM = "env PYTHONPATH=/usr/local/lib/mcastlab /usr/bin/python3 -m multicast_policy.lift"


class Node:
    """A host on which commands are only written down."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def run(self, argv: Sequence[str], _timeout: float, check: bool = True) -> None:
        self.told.append(" ".join(argv) + ("" if check else " (may fail)"))


def test_a_group_is_let_through_until_the_block_ends() -> None:
    node: Any = Node()
    with bypassed(node, GROUP, 12) as again:
        again()
    begin, end = f"{PROGRAM} {GROUP} 12", f"{PROGRAM} {GROUP} 0 (may fail)"
    assert node.told == [begin, begin, end]


def test_it_ends_when_the_measurement_fails_and_is_never_longer_than_the_node_grants() -> None:
    node: Any = Node()
    with pytest.raises(KeyboardInterrupt), bypassed(node, "ff1e::1"):
        raise KeyboardInterrupt
    assert node.told == [f"{PROGRAM} ff1e::1 30", f"{PROGRAM} ff1e::1 0 (may fail)"]


def run(check: ModuleType, monkeypatch: pytest.MonkeyPatch, heard: dict[str, list[str]]) -> tuple[Outcome, list[str]]:
    """A check's outcome where nothing passes but `red1` and `red2`, `blue1` and `blue2`, and once the policy is taken
    away, of each what it then hears; and in which order that was done."""
    node: Any = Node()
    pairs = {"red1": "red2", "red2": "red1", "blue1": "blue2", "blue2": "blue1"}

    def together(peers: Sequence[Probe], _stream: Flow, _seconds: float) -> Any:
        node.told.append("silence is measured")
        return reports(*(report(p.tag, *([pairs[p.tag]] if p.tag in pairs else [])) for p in peers))

    def together_while(peers: Sequence[Probe], stream: Flow, _seconds: float, look: Callable[[float], Any]) -> Any:
        look(1.0)
        node.told.append(f"{stream.group} is measured")
        return reports(*(report(p.tag, *heard.get(p.tag, [])) for p in peers)), None

    monkeypatch.setattr(check, "run_together", together)
    monkeypatch.setattr(check, "together_while", together_while)
    place: Any = SimpleNamespace(interface="eth0")
    testbed: Any = SimpleNamespace(
        foreign=False,
        policy_stream=lambda _name: Flow(GROUP, 7002),
        node=lambda: SimpleNamespace(remote=node, interface="cni0"),
        outsider=lambda: place,
        spaces=SimpleNamespace(place=lambda *_names: place, namespace=str),
        made=SimpleNamespace(start=lambda *_args, **_options: place),
    )
    return check.run(testbed), node.told


ORDER = [
    "silence is measured",
    f"{PROGRAM} {GROUP} 30",
    f"{PROGRAM} {GROUP} 30",
    f"{GROUP} is measured",
    f"{PROGRAM} {GROUP} 0 (may fail)",
]


def test_namespaces_are_silent_first_and_hear_without_the_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = {tag: ["red1"] for tag in ("blue1", "grey", "default")}
    outcome, order = run(namespace_isolation, monkeypatch, heard)
    assert (outcome.status, order) == ("passed", ORDER)
    outcome, order = run(namespace_isolation, monkeypatch, heard | {"grey": []})
    assert order == ORDER
    assert outcome.reason == (
        "Also without the policy not all was heard, so that silence proves nothing: 'grey' heard nothing of 'red1',"
        " which sent 40 datagrams"
    )


def test_node_and_pod_are_silent_first_and_hear_without_the_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = {"red1": ["node", "hostnet"], "node": ["red1"], "hostnet": ["red1"]}
    outcome, order = run(node_isolation, monkeypatch, heard)
    assert (outcome.status, order) == ("passed", ORDER)
    outcome, _ = run(node_isolation, monkeypatch, heard | {"red1": ["node"]})
    assert outcome.reason.endswith("'red1' heard nothing of 'hostnet', which sent 40 datagrams")
