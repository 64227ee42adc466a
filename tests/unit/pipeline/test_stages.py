"""What stages make of what they are given, without a lab."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from rich.console import Console

from provision import config
from provision.config import Lab
from provision.core.errors import HostError, InputError
from provision.core.paths import StateDir
from provision.core.progress import Progress
from provision.hosts.machine import Machine
from provision.networks import attacher
from provision.networks.attacher import Attacher
from provision.pipeline import order as pipeline
from provision.pipeline.run import RunState
from provision.pipeline.stages.configure import reachable

CHOICE = Attacher("netattach", "a test wants it")
KUBECONFIG = """\
apiVersion: v1
clusters:
- cluster: {certificate-authority-data: Q0E=, server: "https://10.0.0.11:6443"}
  name: mcastlab
"""


class Stage:
    def __init__(self, name: str, log: list[str], error: Exception | None = None) -> None:
        self.name, self.log, self.error = name, log, error

    def run(self, _lab: Lab, _state: RunState) -> str:
        self.log.append(self.name)
        if self.error:
            raise self.error
        return f"{self.name} done"

    def plan(self, _lab: Lab, _state: RunState) -> str:
        return f"do {self.name}"


@pytest.fixture
def state(tmp_path: Path) -> RunState:
    directory = StateDir.of(tmp_path / "lab.yml", "mcastlab")
    progress = Progress(Console(file=(tmp_path / "out").open("w"), width=100))
    made = RunState(directory, provider=None, progress=progress)  # type: ignore[arg-type]
    made.attacher = CHOICE
    return made


def test_the_kubeconfig_is_reached_by_address_and_trusted_by_name() -> None:
    cluster = yaml.safe_load(reachable(KUBECONFIG, "10.213.0.11:6443", "k8s"))["clusters"][0]["cluster"]
    assert cluster == {
        "certificate-authority-data": "Q0E=",
        "server": "https://10.213.0.11:6443",
        "tls-server-name": "k8s",
    }


def test_stages_run_in_order_and_stop_at_the_first_error(state: RunState) -> None:
    log: list[str] = []
    stages = [Stage("one", log), Stage("two", log, HostError("broken")), Stage("three", log)]
    with pytest.raises(HostError, match="broken"):
        pipeline.up(config.load(None), state, stages)
    assert log == ["one", "two"]
    assert [(line.name, line.mark, line.summary) for line in state.progress.stages] == [
        ("one", "✓", "one done"),
        ("two", "✗", ""),
    ]


def test_a_plan_names_every_stage_and_runs_none(state: RunState) -> None:
    log: list[str] = []
    assert pipeline.plan(config.load(None), state, [Stage("one", log), Stage("two", log)]) == [
        ("one", "do one"),
        ("two", "do two"),
    ]
    assert log == []


def test_the_pipeline_is_the_designs() -> None:
    names = [stage.name for stage in pipeline.STAGES]
    assert names == ["preflight", "artifacts", "machines", "configure", "networks", "namespaces", "checks"]


def test_an_unknown_host_is_named_with_those_that_run(state: RunState) -> None:
    state.machines = [Machine("k8s", "control-plane", "192.0.2.1", 22, "root", Path("key"), Path("known"))]
    with pytest.raises(InputError, match="Host 'k9s' is not running") as caught:
        state.machine("k9s")
    assert "Hosts that run: 'k8s'" in str(caught.value)


def test_the_attacher_says_why() -> None:
    assert attacher.choose(config.load(None)).name == "netattach"
    assert "no Multus image" in attacher.choose(config.load(None)).reason
