"""Every frame that is known to have got past a policy, and its siblings, from every side: who sees it is who may.

Each is played on a bridge without programs first: what nobody sees there proves nothing here.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.multicast_policy.model import link_local
from provision.core.wait import NotYet, until
from tests.integration.multicast_policy import cases
from tests.integration.multicast_policy.cases import Attack, Case, Host
from tests.integration.multicast_policy.kinds import kinds
from tests.integration.multicast_policy.patience import patient, within
from tests.integration.multicast_policy.policy_node import BRIDGE, Node
from tests.integration.multicast_policy.wire import Wire, mac

# What the node gets is seen behind cni0's ingress by a socket for each Ethernet type.
NODE_TYPES = (0x0800, 0x86DD, 0x0806, 0x88B5, 0x8847, 0x8864, 0x88CC, 0x9100, 0x0004)
ANY = ("0.0.0.0", "::")  # noqa: S104
GROUPS = (cases.G4, cases.G6, cases.SHARED4)
FLOW = int(patient(2500))  # datagrams, one each 2 ms: longer than all frames take


class Field:
    """A node with the pods of the attack, all of which but one have joined."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.pods = {name: node.pod(space, name) for space, names in cases.SPACES.items() for name in names}
        # The last two take what comes to the host itself, or its kernel would answer to it.
        for name, pod in self.pods.items():
            pod.hear(*(() if name in cases.UNJOINED else GROUPS), *ANY)
        self.in_node = node.peer(node.netns, "hear", BRIDGE, cases.SHARED4, *ANY)
        assert self.in_node.next() == "ready"
        for group in GROUPS:
            node.settle(group, len(cases.PODS) - len(cases.UNJOINED))
        places = {name: (pod.netns, "eth0") for name, pod in self.pods.items()} | {cases.NODE: (node.netns, BRIDGE)}
        self.wire = Wire(places, {cases.NODE: NODE_TYPES})

    def hosts(self) -> dict[str, Host]:
        found = {}
        for name, pod in self.pods.items():
            own = next(i["mac"] for i in pod.result["interfaces"] if i.get("sandbox"))
            found[name] = Host(mac(own), pod.address(4), pod.address(6), link_local(own))
        bridge = json.loads(self.node.exec("ip", "-j", "address", "show", BRIDGE))[0]
        addresses = {info["local"]: info for info in bridge["addr_info"]}
        local = next(address for address, info in addresses.items() if info["scope"] == "link")
        six = next(a for a, info in addresses.items() if ":" in a and info["scope"] == "global")
        four = next(a for a in addresses if ":" not in a)
        return found | {cases.NODE: Host(mac(bridge["address"]), four, six, local)}


def play(field: Field, hosts: dict[str, Host]) -> list[tuple[Case, set[str]]]:
    found = Attack(hosts).cases()
    return list(zip(found, field.wire.play([(case.sender, case.frame) for case in found]), strict=True))


def play_beside_a_flow(field: Field) -> list[tuple[Case, set[str]]]:
    """All frames while a1's application sends to the group: who may, hears all of that as well."""
    node, pods = field.node, field.pods
    flow = node.peer(pods["a1"].netns, "say", "eth0", cases.G4, "flow", str(FLOW), "0.002")
    results = play(field, field.hosts())
    assert flow.process.poll() is None, "the flow runs all the time"
    flow.process.wait(patient(60))

    def heard(name: str) -> int:
        hearing = pods[name].hearing
        return sum((text, group) == ("flow", cases.G4) for text, _, group in hearing.all[1:]) if hearing else 0

    def all_heard() -> bool | NotYet:
        return heard("a2") >= FLOW or NotYet(f"{heard('a2')} of {FLOW}")

    until("a2 to hear the whole flow", all_heard, within(10), interval=0.1)
    assert {name: heard(name) for name in pods if name != "a1"} == dict.fromkeys(set(pods) - {"a1"}, 0) | {"a2": FLOW}
    return results


def table(results: list[tuple[Case, set[str]]]) -> str:
    """Of each kind how many frames were as expected, and of the others who saw what."""
    kinds: dict[str, Counter[str]] = {}
    for case, seen in results:
        kind = kinds.setdefault(case.kind.split(", tags")[0], Counter())
        kind["as expected" if case.fits(seen) else f"{case.sender}: {sorted(seen)} not {sorted(case.must)}"] += 1
    return "\n".join(f"{kind}: {dict(counted)}" for kind, counted in kinds.items())


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory, cni_bin: Path) -> Iterator[list[tuple[Case, set[str]]]]:
    """What is seen without any programs."""
    node = Node(tmp_path_factory.mktemp("bare"), cni_bin)
    try:
        node.refuse("the positive twin")
        field = Field(node)
        yield play(field, field.hosts())
    finally:
        node.close()


@pytest.mark.parametrize("kind", kinds())
def test_whoever_sees_a_frame_may(
    kind: str, tmp_path: Path, cni_bin: Path, policy_object: Path, bare: list[tuple[Case, set[str]]]
) -> None:
    node = Node(tmp_path, cni_bin)
    try:
        node.load(policy_object, kind)
        node.start_agent("a", "b", node_groups=(cases.SHARED4,))
        field = Field(node)
        results = play_beside_a_flow(field)
        shown = table(results)
        print(shown)
        wrong = [(case.kind, case.sender, sorted(seen)) for case, seen in results if not case.fits(seen)]
        assert not wrong, f"{len(wrong)} of {len(results)} frames are not as expected\n{shown}"
        assert field.node.exec("cat", f"/sys/class/net/{BRIDGE}/bridge/multicast_snooping").strip() == "1"
        assert node.routers() == []
    finally:
        node.close()
    _judge_twin(bare)


def _judge_twin(bare: list[tuple[Case, set[str]]]) -> None:
    """Of the frames that somebody is kept from, without programs almost all reach somebody who may not see them."""
    negative = [
        (case, seen) for case, seen in bare if case.may | case.must != {*cases.PODS, cases.NODE} - {case.sender}
    ]
    silent = Counter(case.kind.split(", tags")[0] for case, seen in negative if not seen - case.may - case.must)
    share = sum(silent.values()) / len(negative)
    print(f"without programs {share:.1%} of {len(negative)} frames reach nobody else either: {dict(silent)}")
    assert share < 0.1, silent
