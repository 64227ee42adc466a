"""The one door to the cluster: plain requests over the official client, as JSON, each with a time limit."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote

from provision.core.errors import HostError, InputError
from provision.core.files import read_whole
from provision.core.wait import Deadline, NotYet, until

Object = dict[str, Any]

FIELD_MANAGER = "mcastlab"
NAD_API = "k8s.cni.cncf.io/v1"
_REQUEST_SECONDS = 15.0
_LAB_SILENT = "Check that the control plane runs: `mcastlab status`, `mcastlab logs DIR`"
_FOREIGN_SILENT = "Check that the cluster runs and that this kubeconfig is its: `kubectl --kubeconfig FILE get nodes`"


class KubeError(HostError):
    """The API server refused a request or did not answer; `status` is its HTTP code, 0 when it did not answer."""

    def __init__(self, problem: str, *, status: int = 0, where: str = "", remedy: str = "") -> None:
        super().__init__(problem, where=where, remedy=remedy)
        self.status = status


@dataclass(frozen=True)
class Node:
    name: str
    ready: bool
    version: str
    detail: str = ""  # the kubelet's own message when it is not ready


@dataclass(frozen=True)
class NetworkAttachment:
    """A NetworkAttachmentDefinition; `config` is its CNI configuration as it stands in the object."""

    namespace: str
    name: str
    config: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Applied:
    """What `apply` did to one object; `change` is created, changed or unchanged."""

    kind: str
    namespace: str
    name: str
    change: str

    def __str__(self) -> str:
        path = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.kind} {path} {self.change}"


class Kube:
    """The cluster of `kubeconfig`; may be used by several threads at once.

    `foreign` is a cluster that no lab.yml describes: it changes only what errors advise.
    """

    def __init__(self, kubeconfig: Path, *, foreign: bool = False) -> None:
        self.foreign = foreign
        self._kubeconfig = kubeconfig
        self._lock = threading.Lock()
        self._client: Any = None
        self._plurals: dict[tuple[str, str], tuple[str, bool]] = {}

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
        content_type: str = "application/json",
    ) -> tuple[int, str]:
        """Send one request; return its HTTP status and text. Raises KubeError when nothing answers."""
        from urllib3.exceptions import HTTPError

        client = self.client()
        accept = {"Accept": "application/json, */*", "Content-Type": content_type}
        prepared = client.param_serialize(
            method, path, query_params=list((query or {}).items()), header_params=accept, body=body,
            auth_settings=["BearerToken"],
        )  # fmt: skip
        from kubernetes.client.exceptions import ApiException

        try:
            response = client.call_api(*prepared, _request_timeout=_REQUEST_SECONDS)
            text = response.read().decode(errors="replace")
        except (HTTPError, ApiException, OSError) as error:
            raise KubeError(
                f"The API server does not answer: {_cause(error)}",
                where=client.configuration.host,
                remedy=_FOREIGN_SILENT if self.foreign else _LAB_SILENT,
            ) from error
        return response.status, text

    def find(self, path: str, **query: str) -> Object | None:
        """The object or list at `path`, None when there is none; `query` as in labelSelector='a=b'."""
        status, text = self.request("GET", path, query=query)
        return None if status == 404 else checked(status, text, path)

    def items(self, path: str, **query: str) -> list[Object]:
        """The items of the list at `path`, none when the cluster does not know that kind."""
        found = self.find(path, **query)
        return list(found["items"]) if found else []

    def nodes(self) -> list[Node]:
        return [node_of(item) for item in self.items("/api/v1/nodes")]

    def system_pods(self) -> list[Object]:
        return self.items("/api/v1/namespaces/kube-system/pods")

    def network_attachments(self) -> list[NetworkAttachment]:
        """All NetworkAttachmentDefinitions; none when the cluster has no such kind."""
        return [
            NetworkAttachment(
                item["metadata"]["namespace"],
                item["metadata"]["name"],
                item.get("spec", {}).get("config", ""),
                item["metadata"].get("labels") or {},
            )
            for item in self.items(f"/apis/{NAD_API}/network-attachment-definitions")
        ]

    def apply(self, manifest: Object) -> Applied:
        """Server-side apply of one manifest as field manager mcastlab; safe to repeat.

        A kind whose CustomResourceDefinition was made a moment ago is waited for.
        """
        path = self._path(manifest)
        before = self.find(path)
        status, text = self.request(
            "PATCH", path, query={"fieldManager": FIELD_MANAGER, "force": "true"}, body=manifest,
            content_type="application/apply-patch+yaml",
        )  # fmt: skip
        after = checked(status, text, path)
        same = before is not None and before["metadata"]["resourceVersion"] == after["metadata"]["resourceVersion"]
        change = "created" if before is None else "unchanged" if same else "changed"
        return Applied(after["kind"], after["metadata"].get("namespace", ""), after["metadata"]["name"], change)

    def merge(self, path: str, body: Object, *, dry_run: bool = False) -> Object:
        """Merge `body` into the object at `path` (RFC 7386: None removes); with `dry_run` only ask."""
        query = {"fieldManager": FIELD_MANAGER} | ({"dryRun": "All"} if dry_run else {})
        status, text = self.request(
            "PATCH", path, query=query, body=body, content_type="application/merge-patch+json"
        )  # fmt: skip
        return checked(status, text, path)

    def delete(self, path: str) -> None:
        """Ask for the object at `path` to be deleted; one that does not exist is no error."""
        status, text = self.request("DELETE", path)
        if status != HTTPStatus.NOT_FOUND:
            checked(status, text, path)

    def _path(self, manifest: Object) -> str:
        version, kind, metadata = manifest["apiVersion"], manifest["kind"], manifest["metadata"]
        plural, namespaced = self._plural(version, kind)
        base = f"/apis/{version}" if "/" in version else f"/api/{version}"
        if namespaced:
            base += f"/namespaces/{metadata.get('namespace', 'default')}"
        return f"{base}/{plural}/{quote(metadata['name'], safe='')}"

    def _plural(self, version: str, kind: str) -> tuple[str, bool]:
        """(resource name, whether it lives in namespaces) of a kind, as the API server tells."""
        if (version, kind) not in self._plurals:
            path = f"/apis/{version}" if "/" in version else f"/api/{version}"

            def probe() -> tuple[str, bool] | NotYet:
                known = (self.find(path) or {}).get("resources", [])
                for resource in known:
                    if resource["kind"] == kind and "/" not in resource["name"]:
                        return resource["name"], resource["namespaced"]
                return NotYet(f"{version} has {', '.join(resource['kind'] for resource in known) or 'no kinds'}")

            self._plurals[version, kind] = until(
                f"kind '{kind}' of '{version}' to be served", probe, Deadline.after(15)
            )
        return self._plurals[version, kind]

    def client(self) -> Any:
        """The official client, made at the first use."""
        with self._lock:
            if self._client is None:
                self._client = _client(self._kubeconfig, foreign=self.foreign)
            return self._client


def _cause(error: Exception) -> str:
    """What went wrong, without the library's own words around it: "HTTPSConnection(…): " and the retries."""
    text = str(getattr(error, "reason", None) or error)
    return re.sub(r"^HTTPS?Connection(Pool)?\([^)]*\): ", "", text)


def node_of(item: Object) -> Node:
    """A Node object of the API as a `Node`; without a Ready condition it is not ready."""
    conditions = item.get("status", {}).get("conditions", [])
    ready: Object = next((condition for condition in conditions if condition["type"] == "Ready"), {})
    version = item.get("status", {}).get("nodeInfo", {}).get("kubeletVersion", "")
    detail = ready.get("message", "the kubelet has not reported yet")
    return Node(item["metadata"]["name"], ready.get("status") == "True", version, detail)


def _client(kubeconfig: Path, *, foreign: bool) -> Any:
    from kubernetes.client.api_client import ApiClient
    from kubernetes.client.configuration import Configuration
    from kubernetes.config import load_kube_config
    from kubernetes.config.config_exception import ConfigException
    from yaml import YAMLError

    configuration = Configuration()
    kind, remedy = (InputError, "Name another file") if foreign else (HostError, "Run `mcastlab up`")
    try:
        read_whole(kubeconfig, remedy, links=foreign, kind=kind)  # the loader would wait for a FIFO
        load_kube_config(  # type: ignore[no-untyped-call]
            str(kubeconfig), client_configuration=configuration, persist_config=False
        )
    # The loader checks little itself: what is no mapping where it wants one is Python's to complain of.
    except (
        ConfigException,
        YAMLError,
        OSError,
        TypeError,
        ValueError,
        AttributeError,
        LookupError,
        RecursionError,
    ) as error:
        raise kind(f"The kubeconfig cannot be used: {error}", where=str(kubeconfig), remedy=remedy) from error
    configuration.retries = 1
    configuration.connection_pool_maxsize = 16
    return ApiClient(configuration)


def checked(status: int, text: str, path: str) -> Object:
    """The object in an answer of the API server; raises KubeError when it is a refusal."""
    if status >= 300:
        raise refused(status, text, path)
    answer: Object = json.loads(text)
    return answer


def refused(status: int, text: str, path: str) -> KubeError:
    """The error for an answer of the API server that is a refusal."""
    remedy = ""
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        remedy = "Use a kubeconfig whose user may do this, such as a cluster administrator's"
    return KubeError(f"The API server answered {status}: {message(text)}", status=status, where=path, remedy=remedy)


def message(text: str) -> str:
    """The message of a Status object, or the text as it is."""
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text.strip()
