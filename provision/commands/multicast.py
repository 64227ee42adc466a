"""`mcastlab multicast`: do it, print it."""

from __future__ import annotations

import json as json_module
from collections.abc import Sequence
from dataclasses import replace

from provision.cluster.api import Kube
from provision.commands import multicast_show as show
from provision.core.progress import console
from provision.core.typed import Typed
from provision.multicast import figures
from provision.multicast.backends import lab
from provision.multicast.detect import Detection, detect
from provision.multicast.macvlan import Attached, still_attached
from provision.multicast.switch import Changed, disable, enable, status


def switch(kube: Kube, typed: Typed, verb: str, names: Sequence[str], *, as_json: bool) -> None:
    """`enable` or `disable` and print what was done; `typed` completes what is suggested."""
    found = detect(kube)
    changed = (enable if verb == "enable" else disable)(kube, found, names)
    done = [replace(item, force=item.force.told(typed)) for item in changed]
    attached = {item.namespace: still_attached(kube, item.namespace) for item in done} if verb == "disable" else {}
    _print_changes(verb, found, done, attached, as_json=as_json)


def show_status(kube: Kube, typed: Typed, names: Sequence[str], *, as_json: bool) -> None:
    """Print how namespaces stand; of those that are named, in a lab, what their pods sent and heard as well."""
    found = detect(kube)
    states = [replace(item, force=item.force.told(typed)) for item in status(kube, found, names)]
    counted = figures.read(kube) if names and found.backend is lab.BACKEND else None
    if as_json:
        entries = show.states(states)
        data = {**show.cluster(found), "namespaces": entries}
        if counted:
            entries = [{**entry, "pods": figures.data(counted, entry["namespace"])} for entry in entries]
            data |= {"namespaces": entries, "unread": list(counted.unread)}
        print(json_module.dumps(data, indent=2))
        return
    console().print("\n".join(show.cluster_lines(found)), highlight=False, markup=False, soft_wrap=True)
    console().print(show.state_table(states))
    if counted:
        console().print(figures.table(counted, [item.namespace for item in states]))


def _print_changes(
    verb: str, found: Detection, done: Sequence[Changed], attached: dict[str, list[Attached]], *, as_json: bool
) -> None:
    if as_json:
        print(json_module.dumps({**show.cluster(found), "namespaces": show.changes(done, attached)}, indent=2))
        return
    lines = [*show.cluster_lines(found), *show.change_lines(verb, done, attached)]
    console().print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)
