"""What the commands do with a lab."""

from __future__ import annotations

import json as json_module
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from provision.commands.logs import collect
from provision.config import Lab
from provision.core.errors import ChecksFailed, HostError, InputError, McastlabError
from provision.core.leftovers import end_leftovers
from provision.core.lock import lab_lock
from provision.core.progress import Progress, console
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
        _end_leftovers(state)
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


def _end_leftovers(state: RunState) -> None:
    if ended := end_leftovers(state.directory):
        state.progress.say(f"Ended what a killed command had left running: process {', '.join(map(str, ended))}")


def _collect_after_failure(lab: Lab, state: RunState, error: McastlabError) -> None:
    if isinstance(error, ChecksFailed) or state.machines:
        directory = state.directory.logs / time.strftime("failed-%Y%m%d-%H%M%S")
        collect(lab, state, directory)
        state.progress.say(f"Logs of this failure: {directory}")


def down(lab: Lab, state: RunState, *, dry_run: bool, yes: bool) -> None:
    """Remove what `up` made, and the state folder; from the user's own hosts only after asking, unless `yes`."""
    existing = state.provider.existing
    what = _on_hosts(lab) if existing else f"all containers, volumes and networks of lab '{lab.name}'"
    if dry_run:
        print(f"would remove, as far as there are any: {what} and {state.directory.path}")
        return
    if existing and not yes:
        _ask(f"This removes {what}, with everything that runs in its pods.")
    directory = state.directory.path
    existed = directory.exists()
    with lab_lock(state.directory, lab.name, "down"):
        _end_leftovers(state)
        removed = state.provider.down(lab)
        shutil.rmtree(directory)
    if existed:
        removed.append(f"folder {directory}")
    if not any(directory.parent.iterdir()):
        directory.parent.rmdir()
    for item in removed or ["nothing: the lab was not up"]:
        state.progress.say(f"removed {item}")


def _on_hosts(lab: Lab) -> str:
    hosts = ", ".join(f"'{host.name}'" for host in lab.hosts)
    return f"Kubernetes, containerd and the settings of lab '{lab.name}' from the hosts {hosts}"


def _ask(what: str) -> None:
    """Raises InputError unless a person types yes."""
    if not sys.stdin.isatty():
        raise InputError(f"{what} Nobody can be asked, for there is no terminal", remedy="Repeat it with --yes")
    if input(f"{what}\nType yes to go on: ").strip().lower() != "yes":
        raise InputError("Nothing was removed", remedy="Repeat it, and type yes")


def status(lab: Lab, state: RunState, *, as_json: bool) -> None:
    """Print what the provider and the cluster know about the lab now."""
    from provision.commands.status import gather, table

    facts = gather(lab, state)
    if as_json:
        print(json_module.dumps(facts, indent=2))
    else:
        console().print(table(facts))


def render(lab: Lab, what: str | None) -> None:
    """Print one kind of manifest or config, or all."""
    from provision.commands.render import KINDS
    from provision.commands.render import render as rendered

    for kind in [what] if what else KINDS:
        sys.stdout.write(rendered(kind, lab))


def ssh(lab: Lab, state: RunState, host: str, command: Sequence[str]) -> NoReturn:
    """Become `ssh` to a host of the lab, whose exit code is then the command's."""
    from provision.hosts.login import become_ssh

    if host not in (names := [entry.name for entry in lab.hosts]):
        raise InputError(f"The lab has no host '{host}'", remedy=f"Its hosts: {', '.join(names)}")
    state.machines = state.provider.machines(lab)
    become_ssh(state.machine(host), command)


def kubeconfig(state: RunState) -> str:
    """The path of the lab's kubeconfig; raises HostError when there is none yet."""
    path = state.directory.kubeconfig
    if not path.exists():
        raise HostError("There is no kubeconfig yet", where=str(path), remedy="Run `mcastlab up`")
    return str(path)


def logs(lab: Lab, state: RunState, directory: Path) -> None:
    """Collect all that is needed to debug the lab into `directory`; raises HostError where there is nothing of it."""
    state.machines = state.provider.machines(lab)
    if not (state.machines or state.directory.path.exists()):
        raise HostError(f"Lab '{lab.name}' is not up, and has left no logs", remedy="Run `mcastlab up`")
    collect(lab, state, directory)
    state.progress.say(f"written to {directory}")
