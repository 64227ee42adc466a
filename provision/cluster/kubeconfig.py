"""A lab's kubeconfig, made fit for use from here, and the API server that it leads to, once that is ready."""

from __future__ import annotations

from http import HTTPStatus

import yaml

from provision.cluster.api import Kube, KubeError
from provision.core.wait import Deadline, NotYet, until

_READY_SECONDS = 120


def reachable(kubeconfig: str, place: str, name: str) -> str:
    """`kubeconfig` of the node `name` for use from here: at ADDRESS:PORT, with the certificate checked for `name`."""
    document = yaml.safe_load(kubeconfig)
    for item in document["clusters"]:
        item["cluster"]["server"] = f"https://{place}"
        item["cluster"]["tls-server-name"] = name
    return yaml.safe_dump(document, sort_keys=False)


def readiness(kube: Kube) -> bool | NotYet:
    """Just after a restart the API server answers before it knows who may do what: then it is not ready."""
    try:
        status, text = kube.request("GET", "/readyz")
    except KubeError as error:
        return NotYet(error.problem)
    return True if status == HTTPStatus.OK else NotYet(f"{status} {text[-200:]}")


def wait_until_ready(kube: Kube) -> None:
    """Raises WaitError with what the API server said last."""
    until("the API server to be ready", lambda: readiness(kube), Deadline.after(_READY_SECONDS), interval=0.5)
