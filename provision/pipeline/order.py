"""The one pipeline: reading this list tells what `mcastlab up` does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from provision.pipeline.run import Done, Run
from provision.pipeline.stages.artifacts import Artifacts
from provision.pipeline.stages.checks import Checks
from provision.pipeline.stages.configure import Configure
from provision.pipeline.stages.departures import Departures
from provision.pipeline.stages.machines import Machines
from provision.pipeline.stages.namespaces import Namespaces
from provision.pipeline.stages.networks import Networks
from provision.pipeline.stages.preflight import Preflight


class Stage(Protocol):
    """A step that can be repeated: run on a lab that is up, it changes nothing."""

    name: str

    def run(self, run: Run) -> Done:
        """Do the step and return what it found or made, in one line, and whether it changed anything."""
        ...

    def plan(self, run: Run) -> str:
        """What `run` would do, in one line, without anything running or changing."""
        ...


STAGES: tuple[Stage, ...] = (
    Preflight(),
    Artifacts(),
    Departures(),
    Machines(),
    Configure(),
    Networks(),
    Namespaces(),
    Checks(),
)


def up(run: Run, stages: Sequence[Stage] = STAGES) -> None:
    """Run the stages in order; the first error ends the run and names its stage by the ✗ before it.

    Checks that have begun are withdrawn when a stage has changed anything, and when one fails.
    """
    try:
        for stage in stages:
            with run.progress.stage(stage.name) as line:
                done = stage.run(run)
                line.summary = done.summary
                if done.changed:
                    run.withdraw_early()
    finally:
        run.withdraw_early()


def plan(run: Run, stages: Sequence[Stage] = STAGES) -> list[tuple[str, str]]:
    """(stage, what it would do) for every stage."""
    return [(stage.name, stage.plan(run)) for stage in stages]
