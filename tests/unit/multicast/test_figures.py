"""`mcastlab multicast status NAMESPACE`: what its pods sent, heard and were refused, from each node's agent."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from provision.cluster.api import Node
from provision.commands import multicast as command
from provision.core.errors import CommandError
from provision.core.run import Completed
from provision.core.typed import Typed
from provision.multicast import figures
from provision.multicast.backend import Enforcement
from provision.multicast.backends.lab import BACKEND as LAB
from provision.multicast.backends.ovn_kubernetes import BACKEND as OVN
from provision.multicast.detect import Detection
from provision.multicast.switch import NamespaceStatus
from tests.golden_files import compare

GOLDEN = Path(__file__).parent / "golden"
NOTHING = dict.fromkeys(("received", "off", "forged", "control", "not_allowed", "delivered", "withheld"), 0)
SENDER = NOTHING | {"received": 130, "off": 10, "forged": 3, "control": 2, "not_allowed": 1, "withheld": 4}
LISTENER = NOTHING | {"delivered": 114}


def pod(namespace: str, name: str, counts: dict[str, int]) -> dict[str, Any]:
    return {"namespace": namespace, "pod": name, "uid": f"uid-{name}", **counts}


def answer(*pods: dict[str, Any]) -> str:
    return json.dumps({"pods": pods, "node": NOTHING, "unbound": NOTHING})


ONE = answer(pod("app", "sender", SENDER), pod("other", "stranger", SENDER))
TWO = answer(pod("app", "listener", LISTENER))


def agent(node: str, *, phase: str = "Running") -> dict[str, Any]:
    state = {"running": {}} if phase == "Running" else {"waiting": {"reason": "ErrImageNeverPull"}}
    status = {"phase": phase, "containerStatuses": [{"state": state}]}
    metadata = {"namespace": "mcastlab-system", "name": f"multicast-policy-{node}-{phase.lower()}"}
    return {"metadata": metadata, "spec": {"nodeName": node}, "status": status}


class Cluster:
    """Nodes, and the pods of agents on them."""

    def __init__(self, nodes: Sequence[str], agents: Sequence[dict[str, Any]]) -> None:
        self._nodes, self._agents = nodes, agents

    def nodes(self) -> list[Node]:
        return [Node(name, ready=True, version="v1.36.3") for name in self._nodes]

    def items(self, path: str, labelSelector: str) -> list[Any]:
        assert path == "/api/v1/namespaces/mcastlab-system/pods"
        assert labelSelector == "app.kubernetes.io/name=multicast-policy"
        return list(self._agents)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the agents of nodes print, by the names of their pods; none fails."""
    found = {"multicast-policy-one-running": ONE, "multicast-policy-two-running": TWO}

    def exec_(_self: object, namespace: str, name: str, argv: Sequence[str], _timeout: float) -> Completed:
        assert (namespace, list(argv)) == ("mcastlab-system", ["python3", "-m", "multicast_policy.figures"])
        if name not in found:
            problem = f"Command 'python3' in pod '{namespace}/{name}' failed with exit code 1"
            raise CommandError(problem, detail="Traceback\nOSError: no such map")
        return Completed(tuple(argv), 0, found[name], "", 0.1)

    monkeypatch.setattr("provision.cluster.pods.Pods.exec", exec_)
    return found


def read(*agents: dict[str, Any], nodes: Sequence[str] = ("one", "two")) -> figures.Counted:
    kube: Any = Cluster(nodes, agents)
    return figures.read(kube)


def shown(counted: figures.Counted, *namespaces: str) -> str:
    console = Console(file=io.StringIO(), width=120)
    console.print(figures.table(counted, namespaces))
    file: Any = console.file
    return str(file.getvalue())


@pytest.mark.usefixtures("answers")
def test_the_pods_of_all_nodes_as_a_table() -> None:
    counted = read(agent("one"), agent("two"))
    assert counted.unread == ()
    assert [item.pod for item in counted.of("app")] == ["listener", "sender"]
    compare(shown(counted, "app"), GOLDEN / "figures.txt")
    assert "stranger" not in shown(counted, "app")


@pytest.mark.usefixtures("answers")
def test_what_is_counted_adds_up_in_the_data_as_well() -> None:
    counted = read(agent("one"), agent("two"))
    assert figures.data(counted, "app") == [{"pod": "listener", **LISTENER}, {"pod": "sender", **SENDER}]
    assert figures.data(counted, "none") == []


def test_agents_that_cannot_be_asked_are_named_and_the_others_are_shown(answers: dict[str, str]) -> None:
    del answers["multicast-policy-two-running"]
    counted = read(agent("one"), agent("two"), agent("three", phase="Pending"), nodes=("one", "two", "three", "four"))
    compare(shown(counted, "app", "quiet"), GOLDEN / "figures-in-part.txt")
    answers["multicast-policy-one-running"] = "[]"
    assert [item.split(" does ")[0] for item in read(agent("one"), nodes=("one",)).unread] == [
        "The agent's pod 'mcastlab-system/multicast-policy-one-running' of node 'one'"
    ]


@pytest.mark.usefixtures("answers")
def test_of_two_pods_of_one_node_the_one_that_runs_is_asked() -> None:
    for agents in ([agent("one"), agent("one", phase="Failed")], [agent("one", phase="Failed"), agent("one")]):
        assert read(*agents, nodes=("one",)).unread == ()


def test_no_pod_is_said_in_words() -> None:
    assert shown(figures.Counted((), ()), "app", "quiet") == "No pod on the pod network is known in app, quiet\n"


def status(monkeypatch: pytest.MonkeyPatch, found: Detection, *names: str, as_json: bool) -> None:
    state = NamespaceStatus("app", ("k8s.ovn.org/multicast-enabled",), (), Enforcement("on", "2 of 2 nodes"), (), ())
    monkeypatch.setattr(command, "detect", lambda _kube: found)
    monkeypatch.setattr(command, "status", lambda _kube, _found, _names: [state])
    kube: Any = Cluster(("one", "two"), [agent("one"), agent("two", phase="Pending")])
    command.show_status(kube, Typed(), names, as_json=as_json)


@pytest.mark.usefixtures("answers")
@pytest.mark.parametrize(
    ("backend", "names", "counted"), [(LAB, ("app",), True), (LAB, (), False), (OVN, ("app",), False)]
)
def test_only_of_a_lab_s_namespaces_that_are_named(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    backend: Any,
    names: tuple[str, ...],
    counted: bool,
) -> None:
    found = Detection(backend, backend.network_type, "it runs", ("node 'one': a note",))
    status(monkeypatch, found, *names, as_json=True)
    data = json.loads(capsys.readouterr().out)
    assert ("unread" in data, "pods" in data["namespaces"][0]) == (counted, counted)
    status(monkeypatch, found, *names, as_json=False)
    text = capsys.readouterr().out
    assert text.startswith(f"Backend {backend.name}: it runs\n  node 'one': a note\n")
    assert ("In frames to groups" in text) == counted
    if counted:
        assert data["namespaces"][0]["pods"] == [{"pod": "sender", **SENDER}]
        assert data["unread"] == [
            "The agent's pod 'mcastlab-system/multicast-policy-two-pending' of node 'two' does not run (phase Pending;"
            " ErrImageNeverPull): its figures are not known"
        ]
