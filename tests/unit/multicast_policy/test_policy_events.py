"""What a pod whose multicast is refused is told, and how often."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from agents.multicast_policy.cluster import Cluster, ClusterError
from agents.multicast_policy.events import Teller, refusals

NOTHING = {"off": 0, "forged": 0, "control": 0, "not_allowed": 0}


class FakeCluster:
    """Takes events, or refuses them."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.refuses = False

    def request(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        if self.refuses:
            raise ClusterError("503", 503)
        assert (method, path) == ("POST", f"/api/v1/namespaces/{body['metadata']['namespace']}/events")
        self.events.append(body)
        return {}


def entry(**more: int) -> dict[str, Any]:
    return {
        "namespace": "red",
        "pod": "one",
        "uid": "u1",
        "received": 0,
        "delivered": 0,
        "withheld": 0,
        **NOTHING,
        **more,
    }


def teller(cluster: FakeCluster, figures: dict[str, Any], folder: Path) -> Teller:
    return Teller(cast("Cluster", cluster), "k8s", folder / "told", lambda: figures)


def test_the_words() -> None:
    assert refusals(entry(received=9, delivered=3, withheld=5), {}) == ""
    assert refusals(entry(off=1), {}) == (
        "Refused were 1 frame to groups, because multicast is off in namespace 'red': its annotation "
        "k8s.ovn.org/multicast-enabled=true switches it on, or `mcastlab multicast enable red`"
    )
    assert refusals(entry(forged=5, control=2, not_allowed=3), entry(forged=2)) == (
        "Refused were 3 frames whose MAC or IP source address is not this pod's own; 2 frames that no pod may send: "
        "queries, router advertisements, redirects, PIM; 3 frames with VLAN tags, with headers that cannot be read, or "
        "with more membership reports than a pod may send"
    )


def test_a_pod_is_told_once_in_ten_minutes_of_all_since_the_last_time(tmp_path: Path) -> None:
    cluster, figures = FakeCluster(), {"pods": [entry(off=4)]}
    told = teller(cluster, figures, tmp_path)
    told.look(1000)
    told.look(1002)
    assert cluster.events == [], "what was refused before the agent began"
    figures["pods"] = [entry(off=5)]
    told.look(1004)
    figures["pods"] = [entry(off=9, control=1)]
    told.look(1006)
    told.look(1603)
    told.look(1605)
    assert [event["message"].split(", because")[0] for event in cluster.events] == [
        "Refused were 1 frame to groups", "Refused were 4 frames to groups",
    ]  # fmt: skip
    about = cluster.events[0]["involvedObject"]
    assert about == {"apiVersion": "v1", "kind": "Pod", "namespace": "red", "name": "one", "uid": "u1"}
    assert (cluster.events[0]["reason"], cluster.events[0]["type"]) == ("MulticastRefused", "Warning")


def test_what_could_not_be_told_is_told_later(tmp_path: Path) -> None:
    cluster, figures = FakeCluster(), {"pods": []}
    told = teller(cluster, figures, tmp_path)
    told.look(1000)
    figures["pods"] = [entry(off=1)]
    cluster.refuses = True
    told.look(1002)
    cluster.refuses = False
    told.look(1004)
    assert len(cluster.events) == 1


def test_a_new_pod_is_told_at_once_and_one_without_a_uid_cannot_be(tmp_path: Path) -> None:
    cluster, figures = FakeCluster(), {"pods": []}
    told = teller(cluster, figures, tmp_path)
    told.look(1000)
    figures["pods"] = [entry(off=1), {**entry(off=1), "uid": ""}]
    told.look(1002)
    assert len(cluster.events) == 1


@pytest.mark.parametrize(("spoilt", "times"), [("", 1), ("{", 2), ("[]", 2), ('{"u1": "x"}', 2)])
def test_another_agent_knows_what_was_told(tmp_path: Path, spoilt: str, times: int) -> None:
    """From the file; one that somebody spoilt costs a repetition and no more."""
    cluster = FakeCluster()
    for start in (1000, 1100):
        figures: dict[str, Any] = {"pods": []}
        told = teller(cluster, figures, tmp_path)
        told.look(start)
        figures["pods"] = [entry(off=1)]
        told.look(start + 2)
        if spoilt:
            (tmp_path / "told").write_text(spoilt)
    assert len(cluster.events) == times


def test_a_nodes_troubles_are_told_on_the_node(tmp_path: Path) -> None:
    cluster = FakeCluster()
    told = teller(cluster, {"pods": []}, tmp_path)
    note = "port 'veth1' of 'cni0' is no pod's of the pod network: it is closed for groups"
    lost = "snooping was lost on 'cni0' and put back; times since the agent began: 1"
    for now in (1000, 1002):
        told.tell([note, lost])
        told.look(now)
    assert [event["message"] for event in cluster.events] == [note, lost], "once in ten minutes"
    assert cluster.events[0]["involvedObject"] == {"apiVersion": "v1", "kind": "Node", "name": "k8s", "uid": "k8s"}
    assert (cluster.events[0]["reason"], cluster.events[0]["metadata"]["namespace"]) == ("MulticastPolicy", "default")


def test_a_full_disk_costs_a_repetition_and_no_more(tmp_path: Path) -> None:
    cluster = FakeCluster()
    (tmp_path / ".told").mkdir()  # cannot be written, even by root
    told = teller(cluster, {"pods": []}, tmp_path)
    told.tell(["one", "two"])
    told.look(1000)
    assert [event["message"] for event in cluster.events] == ["one", "two"]
