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
from provision.networks.attacher import choose_attacher
from provision.pipeline import order as pipeline
from provision.pipeline.publish import publish
from provision.pipeline.run import Run


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


def up(run: Run, *, dry_run: bool, json: Path | None, junit: Path | None) -> None:
    """Bring the lab up; on failure collect the logs before the error is passed on."""
    if dry_run:
        for name, plan in pipeline.plan(run):
            print(f"{name:<11} would {run.progress.typed.completed(plan)}")
        return
    lab, progress = run.lab, run.progress
    with lab_lock(run.directory, lab.name, "up"):
        choice = run.attacher = choose_attacher(lab)
        end_leftovers(run)
        progress.say(f"Second interfaces: {choice.name}, because {choice.reason}")
        try:
            pipeline.up(run)
        except InputError:
            raise
        except McastlabError as error:
            _collect_after_failure(run, error)
            raise
        finally:
            if run.results:
                publish(run, json, junit)
    _say_what_next(lab, progress)


def _say_what_next(lab: Lab, progress: Progress) -> None:
    commands = what_next(lab, progress.typed)
    width = max(len(command) for command, _ in commands)
    progress.say(f"\nThe lab '{lab.name}' is up. What to type next:")
    for command, what in commands:
        progress.say(f"  {command:<{width}}  {what}")


def _collect_after_failure(run: Run, error: McastlabError) -> None:
    if isinstance(error, ChecksFailed) or run.machines:
        directory = run.directory.logs / time.strftime("failed-%Y%m%d-%H%M%S")
        collect(run, directory)
        run.progress.say(f"Logs of this failure: {directory}")
