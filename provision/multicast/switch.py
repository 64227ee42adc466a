"""The switch itself: enable and disable namespaces, all or none of them, and say how each one stands."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from provision.cluster.api import Kube, KubeError, Object
from provision.core.errors import InputError, McastlabError, Problems
from provision.core.wait import Deadline
from provision.multicast.annotations import (
    NETNAMESPACES,
    ON_NAMESPACE,
    ON_NETNAMESPACE,
    Edit,
    mark,
    namespace_path,
    write,
)
from provision.multicast.backend import Backend, Enforcement
from provision.multicast.detect import Detection
from provision.multicast.macvlan import shared_networks

_SECONDS = 60.0
_NAME = re.compile("[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")  # RFC 1123; anything else would be another path of the API
_NAMES = (
    "Correct it to at most 63 characters, of a to z, 0 to 9 and '-'; `kubectl get namespaces` lists those that there"
    " are"
)


@dataclass(frozen=True)
class Changed:
    """What `enable` or `disable` did to one namespace: the annotations it wrote, and whether that is in force."""

    namespace: str
    written: tuple[str, ...]
    force: Enforcement


@dataclass(frozen=True)
class NamespaceStatus:
    """How one namespace stands.

    `by` are the annotations that ask for multicast, `odd` sentences on those whose value does not count, `networks` its
    NetworkAttachmentDefinitions, and `shared` those of them on the LAN that all namespaces share.
    """

    namespace: str
    by: tuple[str, ...]
    odd: tuple[str, ...]
    force: Enforcement
    networks: tuple[str, ...]
    shared: tuple[str, ...]

    @property
    def wanted(self) -> bool:
        return bool(self.by)


def enable(kube: Kube, found: Detection, names: Sequence[str]) -> list[Changed]:
    """Switch multicast on for all of `names` and wait until it is in force, as far as the backend can tell.

    Raises InputError for a namespace that does not exist and HostError where the cluster has no switch; nothing has
    been changed then. Raises WaitError when it does not come into force in time; the annotations stay.
    """
    return _switch(kube, found.needed(), names, on=True)


def disable(kube: Kube, found: Detection, names: Sequence[str]) -> list[Changed]:
    """Switch it off; otherwise like `enable`."""
    return _switch(kube, found.known(), names, on=False)


def status(kube: Kube, found: Detection, names: Sequence[str]) -> list[NamespaceStatus]:
    """How each of `names` stands; all namespaces that any annotation speaks of where none is named."""
    items = existing(kube, names) if names else _annotated(kube)
    named = [item["metadata"]["name"] for item in items]
    forces = found.backend.force(kube, named) if found.backend else [Enforcement("off", found.why) for _ in named]
    return [_state(kube, found.backend, item, force) for item, force in zip(items, forces, strict=True)]


def _state(kube: Kube, backend: Backend | None, item: Object, force: Enforcement) -> NamespaceStatus:
    name = item["metadata"]["name"]
    marks = backend.marks(kube, item) if backend else (mark("Namespace", ON_NAMESPACE, item),)
    by = tuple(entry.annotation for entry in marks if entry.enables)
    networks, shared = shared_networks(kube, name)
    return NamespaceStatus(
        name, by, tuple(entry.odd for entry in marks if entry.odd), _judged(force, bool(by)), networks, shared
    )


def _judged(force: Enforcement, wanted: bool) -> Enforcement:
    """What nodes enforce, compared with what is wanted."""
    if force.state == "requested" and not wanted:
        return Enforcement("off", "not requested")
    if wanted and force.state == "off":
        return Enforcement("pending", f"wanted, but not in force: {force.detail}")
    if not wanted and force.state == "on":
        return Enforcement("pending", f"still in force on {force.detail}")
    return force


def _switch(kube: Kube, backend: Backend, names: Sequence[str], *, on: bool) -> list[Changed]:
    items = existing(kube, names)
    edits = {item["metadata"]["name"]: backend.edits(kube, item, on=on) for item in items}
    write(kube, [entry for found in edits.values() for entry in found])
    forces = backend.wait(kube, list(edits), Deadline.after(_SECONDS), on=on)
    return [
        Changed(name, tuple(_said(entry) for entry in found if entry.changes), force)
        for (name, found), force in zip(edits.items(), forces, strict=True)
    ]


def _said(entry: Edit) -> str:
    done = "removed from" if entry.value is None else f"={entry.value} set on"
    return f"{entry.annotation}{'' if entry.value else ' '}{done} the {entry.kind}"


def existing(kube: Kube, names: Sequence[str]) -> list[Object]:
    """The Namespace objects of `names`, once each; raises InputError or Problems for all that do not exist."""
    items: list[Object] = []
    problems: list[McastlabError] = []
    for name in dict.fromkeys(names):
        if not _NAME.fullmatch(name):
            problems.append(InputError(f"'{name}' is no name of a namespace", remedy=_NAMES))
            continue
        found = kube.find(namespace_path(name))
        if found is None or found.get("status", {}).get("phase") == "Terminating":
            what = "does not exist" if found is None else "is being deleted"
            problems.append(InputError(f"Namespace '{name}' {what}", remedy=f"Run `kubectl create namespace {name}`"))
        else:
            items.append(found)
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise Problems(problems)
    return items


def _annotated(kube: Kube) -> list[Object]:
    """The namespaces that have one of the annotations, whatever its value."""
    others = _netnamespaces(kube)
    marked = {item["metadata"]["name"] for item in others if mark("NetNamespace", ON_NETNAMESPACE, item).value}
    every = kube.items("/api/v1/namespaces")
    return [
        item
        for item in every
        if mark("Namespace", ON_NAMESPACE, item).value is not None or item["metadata"]["name"] in marked
    ]


def _netnamespaces(kube: Kube) -> list[Object]:
    try:
        return kube.items(NETNAMESPACES)
    except KubeError as error:
        if error.status == HTTPStatus.FORBIDDEN:
            return []
        raise
