"""`mcastlab multicast`: find the cluster, do it, print it."""

from __future__ import annotations

import json as json_module
from collections.abc import Callable, Sequence
from pathlib import Path

from provision.errors import HostError, InputError
from provision.kube import Kube
from provision.multicast import show
from provision.multicast.detect import Found, detect
from provision.multicast.macvlan import Attached, still_attached
from provision.multicast.switch import Changed, disable, enable, status
from provision.ui import console


def cluster(kubeconfig: Path | None, lab_kubeconfig: Callable[[], Path]) -> Kube:
    """The cluster of `--kubeconfig`, or the lab's; raises InputError or HostError where there is no such file."""
    if kubeconfig is None:
        path = lab_kubeconfig()
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


def switch(kube: Kube, verb: str, names: Sequence[str], *, as_json: bool) -> None:
    """`enable` or `disable` and print what was done."""
    found = detect(kube)
    done = (enable if verb == "enable" else disable)(kube, found, names)
    attached = {item.namespace: still_attached(kube, item.namespace) for item in done} if verb == "disable" else {}
    _print_changes(verb, found, done, attached, as_json=as_json)


def show_status(kube: Kube, names: Sequence[str], *, as_json: bool) -> None:
    """Print how namespaces stand."""
    found = detect(kube)
    states = status(kube, found, names)
    if as_json:
        print(json_module.dumps({**show.cluster(found), "namespaces": show.states(states)}, indent=2))
    else:
        console().print(show.cluster_line(found), highlight=False, markup=False, soft_wrap=True)
        console().print(show.state_table(states))


def _print_changes(
    verb: str, found: Found, done: Sequence[Changed], attached: dict[str, list[Attached]], *, as_json: bool
) -> None:
    if as_json:
        print(json_module.dumps({**show.cluster(found), "namespaces": show.changes(done, attached)}, indent=2))
        return
    lines = [show.cluster_line(found), *show.change_lines(verb, done, attached)]
    console().print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)
