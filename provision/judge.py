"""Running checks on a lab that is up, from its run state."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from provision.checks import Context, Result, run_checks
from provision.config import Lab
from provision.errors import HostError
from provision.kube import Kube, KubeError
from provision.remote import Remotes
from provision.state import RunState
from provision.wait import Deadline, NotYet, until

_READY_SECONDS = 120


def judge(lab: Lab, state: RunState, names: Sequence[str]) -> list[Result]:
    """Run the checks `names`, or all, and report each result as it comes."""
    if state.bundle is None:
        raise HostError("Checks ran before the artifacts were known")
    kube = Kube(state.directory.kubeconfig)
    until("the API server to be ready", lambda: _readiness(kube), Deadline.after(_READY_SECONDS), interval=0.5)
    with Remotes(state.machines) as remotes:
        context = Context(lab, kube, remotes, state.bundle.images()["tools"])
        return run_checks(names, context, lambda result: state.progress.report(result.line().plain))


def _readiness(kube: Kube) -> bool | NotYet:
    """Just after a restart the API server answers before it knows who may do what: then it is not ready."""
    try:
        status, text = kube.request("GET", "/readyz")
    except KubeError as error:
        return NotYet(error.problem)
    return True if status == HTTPStatus.OK else NotYet(f"{status} {text[-200:]}")
