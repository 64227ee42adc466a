"""Proving a lab that is up: checks run on it, now or beside the stages before theirs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from provision import multicast
from provision.checks import CheckRun, Result, Target
from provision.cluster.api import Kube
from provision.cluster.kubeconfig import readiness, wait_until_ready
from provision.core.errors import McastlabError
from provision.core.wait import NotYet
from provision.hosts.facts import emulated
from provision.hosts.remote import Remotes
from provision.pipeline.early import EarlyChecks
from provision.pipeline.run import Run


def run_checks(run: Run, names: Sequence[str], *, every: bool = False, namespace: str = "") -> list[Result]:
    """Run the checks and groups `names`, or those of `up`, or `every` one, and report each result as it comes.

    `namespace` is the one that pod-to-pod-namespace is about, instead of one that is made for it.
    """
    kube = Kube(run.directory.kubeconfig)
    wait_until_ready(kube)
    if namespace:
        multicast.existing(kube, [namespace])
    with Remotes(run.machines) as remotes:
        checks = CheckRun.begin(names, _target(run, kube, remotes, namespace), every=every)
        return checks.results(lambda result: _tell(run, result))


def begin_early(run: Run) -> EarlyChecks:
    """The checks of `up`, begun now.

    Not where there is no cluster yet, none that answers at once, or one that has enough to do with Ansible.
    """

    def begin(opened: ExitStack) -> CheckRun | None:
        if not run.directory.kubeconfig.exists():
            return None
        try:
            kube = Kube(run.directory.kubeconfig)
            if isinstance(readiness(kube), NotYet):
                return None
            remotes = opened.enter_context(Remotes(run.machines))
            if emulated(remotes.get(run.lab.control_plane.name)):
                return None
            return CheckRun.begin((), _target(run, kube, remotes))
        except McastlabError:
            return None  # a kubeconfig that cannot be used, for one: it is about to be written anew

    return EarlyChecks(begin, lambda result: _tell(run, result))


def _target(run: Run, kube: Kube, remotes: Remotes, namespace: str = "") -> Target:
    images = run.bundle.images
    return Target(
        run.lab, kube, remotes, images["tools"], images["discovery"], namespace=namespace, typed=run.progress.typed
    )


def _tell(run: Run, result: Result) -> None:
    run.progress.report(result.line().plain)
