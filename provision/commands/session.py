"""One command on one lab: its configuration, its provider and its progress."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.core import leftovers
from provision.core.errors import HostError, InputError
from provision.core.paths import StateDir
from provision.core.progress import Progress, Verbosity, console
from provision.core.typed import DEFAULT_LAB_FILE, Typed

if TYPE_CHECKING:
    from provision.cluster.api import Kube
    from provision.pipeline.run import Run


def open_lab(typed: Typed, verbosity: Verbosity = Verbosity.NORMAL) -> Run:
    """A run on the lab that is meant (default: lab.yml here, which may be missing).

    A provider that was typed takes the place of the one that the file names.
    """
    from provision import config  # late, so that --help and completion stay fast
    from provision.pipeline.run import Run
    from provision.providers.choose import make_provider

    path = typed.lab or DEFAULT_LAB_FILE
    lab = config.load(path if typed.lab or path.exists() else None)
    if typed.provider:
        lab = lab.model_copy(update={"provider": typed.provider})
    directory = StateDir.of(path, lab.name)
    directory.refuse_anothers()
    progress = Progress(console(stderr=True), verbosity, typed)
    return Run(lab, directory, make_provider(lab, directory), progress)


def open_cluster(typed: Typed) -> Kube:
    """The cluster whose kubeconfig was named, or the lab's; no lab.yml is read where a kubeconfig is named.

    Raises InputError or HostError where there is no such file.
    """
    from provision.cluster.api import Kube

    kubeconfig = typed.kubeconfig
    if kubeconfig is None:
        path = open_lab(typed).directory.kubeconfig
        if not path.exists():
            raise HostError(
                "There is no lab's kubeconfig",
                where=str(path),
                remedy="Run `mcastlab up`, or name one: --kubeconfig FILE",
            )
        return Kube(path)
    if not kubeconfig.is_file():
        raise InputError("There is no such kubeconfig", where=str(kubeconfig), remedy="Correct its path")
    return Kube(kubeconfig, foreign=True)


def end_leftovers(run: Run) -> None:
    """End what a killed command has left running for this lab, and say so."""
    if ended := leftovers.end_leftovers(run.directory):
        run.progress.say(f"Ended what a killed command had left running: process {', '.join(map(str, ended))}")
