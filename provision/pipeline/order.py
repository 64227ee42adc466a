"""The one pipeline: reading this list tells what `mcastlab up` does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from provision.config import Lab
from provision.pipeline.run import RunState
from provision.pipeline.stages.artifacts import Artifacts
from provision.pipeline.stages.checks import Checks
from provision.pipeline.stages.configure import Configure
from provision.pipeline.stages.machines import Machines
from provision.pipeline.stages.namespaces import Namespaces
from provision.pipeline.stages.networks import Networks
from provision.pipeline.stages.preflight import Preflight


class Stage(Protocol):
    """A step that can be repeated: run on a lab that is up, it changes nothing."""

    name: str

    def run(self, lab: Lab, state: RunState) -> str:
        """Do the step and return what it found or made, in one line."""
        ...

    def plan(self, lab: Lab, state: RunState) -> str:
        """What `run` would do, in one line, without anything running or changing."""
        ...


STAGES: tuple[Stage, ...] = (Preflight(), Artifacts(), Machines(), Configure(), Networks(), Namespaces(), Checks())


def up(lab: Lab, state: RunState, stages: Sequence[Stage] = STAGES) -> None:
    """Run the stages in order; the first error ends the run and names its stage by the ✗ before it."""
    for stage in stages:
        with state.progress.stage(stage.name) as line:
            line.summary = stage.run(lab, state)


def plan(lab: Lab, state: RunState, stages: Sequence[Stage] = STAGES) -> list[tuple[str, str]]:
    """(stage, what it would do) for every stage."""
    return [(stage.name, stage.plan(lab, state)) for stage in stages]
