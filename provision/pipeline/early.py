"""Running checks on a lab that is up, from its run state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from http import HTTPStatus

from provision import multicast
from provision.checks import CheckRun, Result, Target
from provision.cluster.api import Kube, KubeError
from provision.config import Lab
from provision.core.errors import HostError, McastlabError, WaitError
from provision.core.wait import Deadline, NotYet, until
from provision.hosts.remote import Remotes
from provision.pipeline.run import RunState
from provision.traffic.testbed import emulated

_READY_SECONDS = 120
_HEAD_START_SECONDS = 8


def judge(lab: Lab, state: RunState, names: Sequence[str], *, every: bool = False, namespace: str = "") -> list[Result]:
    """Run the checks and groups `names`, or the usual ones, or `every` one, and report each result as it comes.

    `namespace` is the one that pod-to-pod-namespace is about, instead of one that is made for it.
    """
    kube = Kube(state.directory.kubeconfig)
    until("the API server to be ready", lambda: _readiness(kube), Deadline.after(_READY_SECONDS), interval=0.5)
    if namespace:
        multicast.existing(kube, [namespace])
    with Remotes(state.machines) as remotes:
        run = CheckRun.begin(names, _context(lab, state, kube, remotes, namespace), every=every)
        return run.results(_report(state))


class EarlyChecks:
    """The usual checks, begun beside the stages before them, on a lab that was up before.

    They hold only if these stages change nothing, since all was then as it is now: else whoever changes something
    withdraws them, and the checks are run anew.
    """

    def __init__(self, lab: Lab, state: RunState) -> None:
        self._state = state
        self._open = ExitStack()
        executor = ThreadPoolExecutor(1, thread_name_prefix="early")
        self._begun = executor.submit(self._begin, lab)
        executor.shutdown(wait=False)

    def _begin(self, lab: Lab) -> CheckRun | None:
        """None where there is no cluster yet, none that answers at once, or one that has enough to do with Ansible."""
        kubeconfig = self._state.directory.kubeconfig
        if not kubeconfig.exists():
            return None
        try:
            kube = Kube(kubeconfig)
            if isinstance(_readiness(kube), NotYet):
                return None
            remotes = self._open.enter_context(Remotes(self._state.machines))
            if emulated(remotes.get(lab.control_plane.name)):
                return None
            return CheckRun.begin((), _context(lab, self._state, kube, remotes))
        except McastlabError:
            return None  # a kubeconfig that cannot be used, for one: it is about to be written anew

    def head_start(self) -> None:
        """Wait a little until their pods run, if they can begin.

        From then on they mostly wait for datagrams, and what runs beside them does not hold them up.
        """

        def probe() -> bool | NotYet:
            if not self._begun.done():
                return NotYet("not begun")
            run = self._begun.result()
            return True if run is None or run.settled else NotYet("pods start")

        with suppress(WaitError):
            until("the pods of checks to run", probe, Deadline.after(_HEAD_START_SECONDS))

    def results(self) -> list[Result]:
        """Theirs, each reported as it comes; none where the checks could not begin."""
        with self._open:
            run = self._begun.result()
            return run.results(_report(self._state)) if run else []

    def withdraw(self) -> None:
        """Stop them and remove their pods."""
        with self._open:
            if run := self._begun.result():
                run.cancel()


def _context(lab: Lab, state: RunState, kube: Kube, remotes: Remotes, namespace: str = "") -> Target:
    if state.bundle is None:
        raise HostError("Checks ran before the artifacts were known")
    images = state.bundle.images()
    tools, discovery, typed = images["tools"], images["discovery"], state.progress.typed
    return Target(lab, kube, remotes, tools, discovery, namespace=namespace, typed=typed)


def _report(state: RunState) -> Callable[[Result], None]:
    return lambda result: state.progress.report(result.line().plain)


def _readiness(kube: Kube) -> bool | NotYet:
    """Just after a restart the API server answers before it knows who may do what: then it is not ready."""
    try:
        status, text = kube.request("GET", "/readyz")
    except KubeError as error:
        return NotYet(error.problem)
    return True if status == HTTPStatus.OK else NotYet(f"{status} {text[-200:]}")
