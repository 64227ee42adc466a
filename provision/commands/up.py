"""What `mcastlab up` does."""

from __future__ import annotations

import time
from pathlib import Path

from provision.commands.logs import collect
from provision.commands.session import end_leftovers
from provision.config import Lab
from provision.core.errors import ChecksFailed, InputError, McastlabError
from provision.core.lock import lab_lock
from provision.core.progress import Progress
from provision.core.typed import Typed
from provision.networks import attacher
from provision.pipeline import order as pipeline
from provision.pipeline.publish import publish
from provision.pipeline.run import RunState


def what_next(lab: Lab, typed: Typed) -> list[tuple[str, str]]:
    """(command, what it does) for whoever has just brought `lab` up, ready to paste."""
    return [
        (typed.command("status"), "what runs"),
        (typed.command("check"), "prove again that multicast works"),
        (typed.command(f"ssh {lab.control_plane.name}"), "a shell on a host"),
        (f'export KUBECONFIG="$({typed.command("kubeconfig")})"', "for kubectl"),
        (typed.command("load IMAGE"), "an image of yours onto the nodes"),
        (typed.command("down"), "remove it all"),
    ]


def up(lab: Lab, state: RunState, *, dry_run: bool, json: Path | None, junit: Path | None) -> None:
    """Bring the lab up; on failure collect the logs before the error is passed on."""
    if dry_run:
        for name, plan in pipeline.plan(lab, state):
            print(f"{name:<11} would {state.progress.typed.completed(plan)}")
        return
    progress = state.progress
    with lab_lock(state.directory, lab.name, "up"):
        choice = state.attacher = attacher.choose(lab)
        end_leftovers(state)
        progress.say(f"Lab '{lab.name}': attacher {choice.name} ({choice.reason})")
        try:
            pipeline.up(lab, state)
        except InputError:
            raise
        except McastlabError as error:
            _collect_after_failure(lab, state, error)
            raise
        finally:
            state.withdraw_early()
            if state.results:
                publish(lab, state, json, junit)
    _say_what_next(lab, progress)


def _say_what_next(lab: Lab, progress: Progress) -> None:
    commands = what_next(lab, progress.typed)
    width = max(len(command) for command, _ in commands)
    progress.say(f"\nThe lab '{lab.name}' is up. What to type next:")
    for command, what in commands:
        progress.say(f"  {command:<{width}}  {what}")


def _collect_after_failure(lab: Lab, state: RunState, error: McastlabError) -> None:
    if isinstance(error, ChecksFailed) or state.machines:
        directory = state.directory.logs / time.strftime("failed-%Y%m%d-%H%M%S")
        collect(lab, state, directory)
        state.progress.say(f"Logs of this failure: {directory}")
