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

from provision.checks import CLEAN_UP, Result, select
from provision.checks.result import failed, passed
from provision.core.errors import ChecksFailed
from provision.core.paths import StateDir
from provision.core.progress import Progress
from provision.networks.attacher import Attacher
from provision.pipeline import early as judging
from provision.pipeline.run import RunState
from provision.pipeline.stages import checks as stage

CHOICE = Attacher("netattach", "a test wants it")
USUAL = [check.name for check in select(())]


class Early:
    """EarlyChecks whose results are known."""

    def __init__(self, *found: Result) -> None:
        self.found = list(found)

    def results(self) -> list[Result]:
        return self.found


@pytest.fixture
def state(tmp_path: Path) -> RunState:
    directory = StateDir.of(tmp_path / "lab.yml", "mcastlab")
    progress = Progress(Console(file=(tmp_path / "out").open("w"), width=100))
    made = RunState(directory, provider=None, progress=progress)  # type: ignore[arg-type]
    made.attacher = CHOICE
    return made


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names that the stage has judged by itself; the last one of all fails."""
    names: list[str] = []

    def judge(_lab: Any, _state: Any, wanted: list[str]) -> list[Result]:
        names.extend(wanted)
        return [Result.of(name, failed("no") if name == USUAL[-1] else passed("yes"), 1) for name in wanted]

    monkeypatch.setattr(stage, "judge", judge)
    return names


def run(state: RunState, *early: Result) -> None:
    state.early = Early(*early)  # type: ignore[assignment]
    lab: Any = None
    stage.Checks().run(lab, state)


def good(*names: str) -> list[Result]:
    return [Result.of(name, passed("early"), 1) for name in names]


def test_what_holds_is_not_run_again(state: RunState, judged: list[str]) -> None:
    run(state, *good(*reversed(USUAL)))
    assert judged == []
    assert [result.name for result in state.results] == USUAL


def test_what_is_missing_is_run_and_all_are_in_order(state: RunState, judged: list[str]) -> None:
    run(state, *good(USUAL[-1], USUAL[1]))
    assert sorted(judged) == sorted({*USUAL} - {USUAL[-1], USUAL[1]})
    assert [result.name for result in state.results] == USUAL


def test_without_early_checks_all_are_run_and_what_fails_twice_has_failed(state: RunState, judged: list[str]) -> None:
    with pytest.raises(ChecksFailed, match=f"1 of {len(USUAL)} checks failed: {USUAL[-1]}"):
        stage.Checks().run(None, state)  # type: ignore[arg-type]
    assert sorted(judged) == sorted([*USUAL, USUAL[-1]])
    assert state.results[-1].reason == "no"


def test_what_holds_at_the_second_attempt_says_what_it_was_at_the_first(
    state: RunState, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = iter([failed("Only 420 of 449"), passed("449 of 449")])
    monkeypatch.setattr(stage, "judge", lambda *_: [Result.of(USUAL[-1], next(attempts), 1)])
    run(state, *good(*USUAL[:-1]))
    assert state.results[-1].status == "passed"
    assert state.results[-1].reason == "449 of 449 (at the second attempt; at the first: Only 420 of 449)"


def test_pods_that_stay_are_a_failure_here_too(state: RunState, judged: list[str]) -> None:
    with pytest.raises(ChecksFailed, match=CLEAN_UP):
        run(state, *good(*USUAL), Result.of(CLEAN_UP, failed("still there"), 1))
    assert judged == []


class Run:
    """A CheckRun that has ended."""

    def __init__(self, *results: Result) -> None:
        self._results = results
        self.cancelled = False
        self.settled = True

    def results(self, on_result: Callable[[Result], None]) -> list[Result]:
        for result in self._results:
            on_result(result)
        return list(self._results)

    def cancel(self) -> None:
        self.cancelled = True


def early(monkeypatch: pytest.MonkeyPatch, state: RunState, begun: Run | None) -> judging.EarlyChecks:
    monkeypatch.setattr(judging.EarlyChecks, "_begin", lambda _self, _lab: begun)
    lab: Any = SimpleNamespace()
    return judging.EarlyChecks(lab, state)


def test_a_failure_beside_other_stages_is_told_and_judged_once_more_alone(
    monkeypatch: pytest.MonkeyPatch, state: RunState, judged: list[str], tmp_path: Path
) -> None:
    bad = Result.of(USUAL[1], failed("slow"), 1)
    stuck = Result.of(CLEAN_UP, failed("still there"), 1)
    told = early(monkeypatch, state, Run(*good("nodes-ready"), bad, stuck)).results()
    assert [result.name for result in told] == ["nodes-ready", USUAL[1], CLEAN_UP]
    state.early = early(monkeypatch, state, Run(*good(USUAL[0], *USUAL[2:]), bad))
    state.early.head_start()
    stage.Checks().run(None, state)  # type: ignore[arg-type]
    assert judged == [USUAL[1]]
    assert state.results[1].reason == "yes (at the second attempt; at the first: slow)"
    state.progress.console.file.flush()
    assert re.search(f"✗ {USUAL[1]} .* slow", (tmp_path / "out").read_text())


def test_where_there_is_no_cluster_nothing_is_begun(monkeypatch: pytest.MonkeyPatch, state: RunState) -> None:
    found = early(monkeypatch, state, None)
    found.head_start()
    assert found.results() == []


def test_beside_an_emulated_node_that_ansible_works_on_nothing_is_begun(
    monkeypatch: pytest.MonkeyPatch, state: RunState
) -> None:
    state.directory.path.mkdir(parents=True)
    state.directory.kubeconfig.touch()
    asked: list[str] = []
    remotes = SimpleNamespace(get=lambda name: SimpleNamespace(name=name))
    monkeypatch.setattr(judging, "Kube", lambda _kubeconfig: None)
    monkeypatch.setattr(judging, "_readiness", lambda _kube: True)
    monkeypatch.setattr(judging, "Remotes", lambda _machines: nullcontext(remotes))
    monkeypatch.setattr(judging, "emulated", lambda host: not asked.append(host.name))
    lab: Any = SimpleNamespace(control_plane=SimpleNamespace(name="k8s"))
    found = judging.EarlyChecks(lab, state)
    assert (found.results(), asked) == ([], ["k8s"])


def test_the_head_start_ends_also_when_pods_do_not_start(monkeypatch: pytest.MonkeyPatch, state: RunState) -> None:
    monkeypatch.setattr(judging, "_HEAD_START_SECONDS", 0.1)
    begun = Run()
    begun.settled = False
    found = early(monkeypatch, state, begun)
    found.head_start()
    found.withdraw()
    assert begun.cancelled
