"""The two annotations that clusters use, and how to write them.

Sources: OVN-Kubernetes, docs/features/multicast; OpenShift 4.4 documentation, "Enabling multicast for a project". Both
count only when the value is exactly `true`.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus

from provision.cluster.api import Kube, KubeError, Object
from provision.core.errors import InputError, McastlabError

ON_NAMESPACE = "k8s.ovn.org/multicast-enabled"
ON_NETNAMESPACE = "netnamespace.network.openshift.io/multicast-enabled"
NETNAMESPACES = "/apis/network.openshift.io/v1/netnamespaces"
_ENABLED = "true"


@dataclass(frozen=True)
class Mark:
    """One annotation as it is found: on which kind of object, its name, and its value, None where it is missing."""

    kind: str
    annotation: str
    value: str | None

    @property
    def enables(self) -> bool:
        return self.value == _ENABLED

    @property
    def odd(self) -> str:
        """What is wrong with a value that is neither missing nor `true`."""
        if self.value is None or self.enables:
            return ""
        return f"{self.annotation} on the {self.kind} is '{self.value}', and only 'true' counts"


@dataclass(frozen=True)
class Edit:
    """A new value, None to remove it, of one annotation of one object."""

    kind: str
    path: str
    annotation: str
    value: str | None
    before: str | None

    @property
    def changes(self) -> bool:
        return self.value != self.before


def namespace_path(name: str) -> str:
    return f"/api/v1/namespaces/{name}"


def netnamespace_path(name: str) -> str:
    return f"{NETNAMESPACES}/{name}"


def mark(kind: str, annotation: str, item: Object | None) -> Mark:
    """The annotation on an object of the API; no object has none."""
    annotations: Mapping[str, str] = (item or {}).get("metadata", {}).get("annotations") or {}
    return Mark(kind, annotation, annotations.get(annotation))


def edit(kind: str, path: str, annotation: str, item: Object, *, on: bool) -> Edit:
    return Edit(kind, path, annotation, _ENABLED if on else None, mark(kind, annotation, item).value)


def write(kube: Kube, edits: list[Edit]) -> None:
    """Make all `edits` or none: the API server is asked about every one first, and what a failure leaves is undone.

    Raises InputError for an object that is gone and HostError where the user may not change one.
    """
    changing = [item for item in edits if item.changes]
    for item in changing:
        _patch(kube, item, item.value, dry_run=True)
    done: list[Edit] = []
    try:
        for item in changing:
            _patch(kube, item, item.value)
            done.append(item)
    except BaseException:
        for item in reversed(done):
            with suppress(McastlabError):
                _patch(kube, item, item.before)
        raise


def _patch(kube: Kube, item: Edit, value: str | None, *, dry_run: bool = False) -> None:
    try:
        kube.merge(item.path, {"metadata": {"annotations": {item.annotation: value}}}, dry_run=dry_run)
    except KubeError as error:
        if error.status == HTTPStatus.NOT_FOUND:
            name = item.path.rsplit("/", 1)[1]
            raise InputError(f"{item.kind} '{name}' is gone", remedy="Try again") from error
        raise
