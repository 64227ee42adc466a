"""What stages make of what they are given, without a lab."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from provision import config
from provision.cluster.kubeconfig import reachable
from provision.core.errors import HostError, InputError
from provision.core.paths import StateDir
from provision.core.progress import Progress
from provision.hosts.machine import Machine
from provision.networks import attacher
from provision.pipeline import order as pipeline
from provision.pipeline.run import Done, Run

KUBECONFIG = """\
apiVersion: v1
clusters:
- cluster: {certificate-authority-data: Q0E=, server: "https://10.0.0.11:6443"}
  name: mcastlab
"""


class Stage:
    def __init__(self, name: str, log: list[str], error: Exception | None = None, *, changed: bool = False) -> None:
        self.name, self.log, self.error, self.changed = name, log, error, changed

    def run(self, _run: Run) -> Done:
        self.log.append(self.name)
        if self.error:
            raise self.error
        return Done(f"{self.name} done", self.changed)

    def plan(self, _run: Run) -> str:
        return f"do {self.name}"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    directory = StateDir.of(tmp_path / "lab.yml", "mcastlab")
    progress = Progress(Console(file=(tmp_path / "out").open("w"), width=100))
    provider: Any = None
    return Run(config.load(None), directory, provider, progress)


def test_the_kubeconfig_is_reached_by_address_and_trusted_by_name() -> None:
    cluster = yaml.safe_load(reachable(KUBECONFIG, "10.213.0.11:6443", "k8s"))["clusters"][0]["cluster"]
    assert cluster == {
        "certificate-authority-data": "Q0E=",
        "server": "https://10.213.0.11:6443",
        "tls-server-name": "k8s",
    }


def test_stages_run_in_order_and_stop_at_the_first_error(run: Run) -> None:
    log: list[str] = []
    stages = [Stage("one", log), Stage("two", log, HostError("broken")), Stage("three", log)]
    with pytest.raises(HostError, match="broken"):
        pipeline.up(run, stages)
    assert log == ["one", "two"]
    assert [(line.name, line.mark, line.summary) for line in run.progress.stages] == [
        ("one", "✓", "one done"),
        ("two", "✗", ""),
    ]


class Early:
    """Checks that have begun."""

    def __init__(self, log: list[str]) -> None:
        self.log = log

    def withdraw(self) -> None:
        self.log.append("withdrawn")


@pytest.mark.parametrize(("changing", "log"), [("one", ["one", "withdrawn", "two"]), ("", ["one", "two", "withdrawn"])])
def test_checks_that_have_begun_end_with_the_first_change_and_with_the_run(
    run: Run, changing: str, log: list[str]
) -> None:
    told: list[str] = []
    early: Any = Early(told)
    run.early = early
    pipeline.up(run, [Stage(name, told, changed=name == changing) for name in ("one", "two")])
    assert (told, run.early) == (log, None)


def test_checks_that_have_begun_are_withdrawn_where_a_stage_fails(run: Run) -> None:
    told: list[str] = []
    early: Any = Early(told)
    run.early = early
    with pytest.raises(HostError, match="broken"):
        pipeline.up(run, [Stage("one", told, HostError("broken"))])
    assert told == ["one", "withdrawn"]


@pytest.mark.parametrize("part", ["attacher", "bundle"])
def test_what_no_stage_has_made_yet_is_no_error_of_the_users(run: Run, part: str) -> None:
    with pytest.raises(AssertionError, match=f"'{part}' was asked for before any stage had made it"):
        getattr(run, part)


def test_a_plan_names_every_stage_and_runs_none(run: Run) -> None:
    log: list[str] = []
    assert pipeline.plan(run, [Stage("one", log), Stage("two", log)]) == [
        ("one", "do one"),
        ("two", "do two"),
    ]
    assert log == []


def test_the_pipeline_is_the_designs() -> None:
    names = [stage.name for stage in pipeline.STAGES]
    assert names == [
        "preflight",
        "artifacts",
        "departures",
        "machines",
        "configure",
        "networks",
        "namespaces",
        "checks",
    ]


def test_an_unknown_host_is_named_with_those_that_run(run: Run) -> None:
    run.machines = [Machine("k8s", "control-plane", "192.0.2.1", 22, "root", Path("key"), Path("known"))]
    with pytest.raises(InputError, match="Host 'k9s' is not running") as caught:
        run.machine("k9s")
    assert "Name one that runs: 'k8s'" in str(caught.value)


def test_the_attacher_says_why() -> None:
    assert attacher.choose_attacher(config.load(None)).name == "netattach"
    assert "no Multus image" in attacher.choose_attacher(config.load(None)).reason
