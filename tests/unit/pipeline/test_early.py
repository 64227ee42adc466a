"""Checks that run beside the stages before them: what holds of their results, and what is run anew."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from provision import config
from provision.checks import CLEAN_UP, Result, select
from provision.checks.result import failed, passed
from provision.core.errors import ChecksFailed
from provision.core.paths import StateDir
from provision.core.progress import Progress
from provision.pipeline import proof
from provision.pipeline.early import EarlyChecks
from provision.pipeline.run import Run
from provision.pipeline.stages import checks as stage

IN_UP = [check.name for check in select(())]


class Begun:
    """A CheckRun that has ended."""

    def __init__(self, *results: Result) -> None:
        self._results = results
        self.cancelled = False
        self.pods_running = True

    def results(self, on_result: Callable[[Result], None]) -> list[Result]:
        for result in self._results:
            on_result(result)
        return list(self._results)

    def cancel(self) -> None:
        self.cancelled = True


@pytest.fixture
def run(tmp_path: Path) -> Run:
    lab = config.load(None)
    provider: Any = None
    progress = Progress(Console(file=(tmp_path / "out").open("w"), width=100))
    return Run(lab, StateDir.of(tmp_path / "lab.yml", "mcastlab"), provider, progress)


def early(begun: Begun | None, told: Callable[[Result], None] = lambda _: None) -> EarlyChecks:
    known: Any = begun
    return EarlyChecks(lambda _opened: known, told)


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names that the stage has run by itself; the last one of all fails."""
    names: list[str] = []

    def run_checks(_run: Run, wanted: list[str]) -> list[Result]:
        names.extend(wanted)
        return [Result.of(name, failed("no") if name == IN_UP[-1] else passed("yes"), 1) for name in wanted]

    monkeypatch.setattr(stage, "run_checks", run_checks)
    return names


def prove(run: Run, *found: Result) -> None:
    run.early = early(Begun(*found))
    stage.Checks().run(run)


def good(*names: str) -> list[Result]:
    return [Result.of(name, passed("early"), 1) for name in names]


def test_what_holds_is_not_run_again(run: Run, ran: list[str]) -> None:
    prove(run, *good(*reversed(IN_UP)))
    assert ran == []
    assert [result.name for result in run.results] == IN_UP


def test_what_is_missing_is_run_and_all_are_in_order(run: Run, ran: list[str]) -> None:
    prove(run, *good(IN_UP[-1], IN_UP[1]))
    assert sorted(ran) == sorted({*IN_UP} - {IN_UP[-1], IN_UP[1]})
    assert [result.name for result in run.results] == IN_UP


def test_without_early_checks_all_are_run_and_what_fails_twice_has_failed(run: Run, ran: list[str]) -> None:
    with pytest.raises(ChecksFailed, match=f"1 of {len(IN_UP)} checks failed: '{IN_UP[-1]}'"):
        stage.Checks().run(run)
    assert sorted(ran) == sorted([*IN_UP, IN_UP[-1]])
    assert run.results[-1].reason == "no"


def test_what_holds_at_the_second_attempt_says_what_it_was_at_the_first(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = iter([failed("Only 420 of 449"), passed("449 of 449")])
    monkeypatch.setattr(stage, "run_checks", lambda *_: [Result.of(IN_UP[-1], next(attempts), 1)])
    prove(run, *good(*IN_UP[:-1]))
    assert run.results[-1].status == "passed"
    assert run.results[-1].reason == "449 of 449 (at the second attempt; at the first: Only 420 of 449)"


def test_pods_that_stay_are_a_failure_here_too(run: Run, ran: list[str]) -> None:
    with pytest.raises(ChecksFailed, match=CLEAN_UP):
        prove(run, *good(*IN_UP), Result.of(CLEAN_UP, failed("still there"), 1))
    assert ran == []


def test_a_failure_beside_other_stages_is_told_and_run_once_more_alone(run: Run, ran: list[str]) -> None:
    bad = Result.of(IN_UP[1], failed("slow"), 1)
    stuck = Result.of(CLEAN_UP, failed("still there"), 1)
    told: list[Result] = []
    found = early(Begun(*good("nodes-ready"), bad, stuck), told.append).results()
    assert [result.name for result in found] == ["nodes-ready", IN_UP[1], CLEAN_UP]
    assert told == found
    prove(run, *good(IN_UP[0], *IN_UP[2:]), bad)
    assert ran == [IN_UP[1]]
    assert run.results[1].reason == "yes (at the second attempt; at the first: slow)"


def test_results_are_told_with_their_mark(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    checks = Begun(Result.of(IN_UP[1], failed("slow"), 1))
    monkeypatch.setattr(proof, "CheckRun", SimpleNamespace(begin=lambda *_: checks))
    a_cluster(run, monkeypatch, emulated=False)
    proof.begin_early(run).results()
    run.progress.console.file.flush()
    assert re.search(f"✗ {IN_UP[1]} .* failed", (tmp_path / "out").read_text())


def test_where_there_is_no_cluster_nothing_is_begun(run: Run) -> None:
    found = proof.begin_early(run)
    found.head_start()
    assert found.results() == []


def a_cluster(run: Run, monkeypatch: pytest.MonkeyPatch, *, emulated: bool) -> list[str]:
    """Give the run a cluster that answers; returns the hosts that are asked what they are."""
    run.directory.path.mkdir(parents=True)
    run.directory.kubeconfig.touch()
    bundle: Any = SimpleNamespace(images={"tools": "", "discovery": ""})
    run.bundle = bundle
    asked: list[str] = []

    def is_emulated(host: Any) -> bool:
        asked.append(host.name)
        return emulated

    remotes = SimpleNamespace(get=lambda name: SimpleNamespace(name=name))
    monkeypatch.setattr(proof, "Kube", lambda _kubeconfig: None)
    monkeypatch.setattr(proof, "readiness", lambda _kube: True)
    monkeypatch.setattr(proof, "Remotes", lambda _machines: nullcontext(remotes))
    monkeypatch.setattr(proof, "emulated", is_emulated)
    return asked


def test_beside_an_emulated_node_that_ansible_works_on_nothing_is_begun(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = a_cluster(run, monkeypatch, emulated=True)
    assert (proof.begin_early(run).results(), asked) == ([], ["k8s"])


def test_the_head_start_ends_also_when_pods_do_not_start() -> None:
    begun = Begun()
    begun.pods_running = False
    found = early(begun)
    found.head_start(0.1)
    found.withdraw()
    assert begun.cancelled
