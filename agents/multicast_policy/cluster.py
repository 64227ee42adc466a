"""The cluster, over the official client: single requests, and a mirror of each list that is kept current by a watch."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from kubernetes.client.api_client import ApiClient
from kubernetes.client.configuration import Configuration
from kubernetes.client.exceptions import ApiException
from kubernetes.config import load_incluster_config
from urllib3.exceptions import HTTPError

Object = dict[str, Any]

_LOG = logging.getLogger("multicast-policy")
_REQUEST_SECONDS = 10.0
# The server ends a watch after the first, and the connection is given up after the second without a word: so long can
# a broken one go unnoticed. Going on costs one request and misses nothing.
_WATCH_SECONDS, _SILENCE_SECONDS = 40, 50.0
_AGAIN_SECONDS = 1.0
APPLY, MERGE = "application/apply-patch+yaml", "application/merge-patch+json"


class ClusterError(Exception):
    """The API server refused (`status` is its HTTP code) or did not answer (0)."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Cluster:
    """The API server, as the pod's ServiceAccount; may be used by several threads."""

    def __init__(self) -> None:
        configuration = Configuration()
        load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        configuration.retries = 1
        configuration.connection_pool_maxsize = 16
        self._client = ApiClient(configuration)

    def request(self, method: str, path: str, query: dict[str, str] | None = None, body: Object | None = None,
                content_type: str = "application/json") -> Object:  # fmt: skip
        """The answer's object; raises ClusterError."""
        response = self._send(method, path, query or {}, body, content_type, _REQUEST_SECONDS)
        try:
            text = response.read()
        except (HTTPError, OSError) as error:
            raise ClusterError(f"{method} {path}: {error}") from error
        return _checked(method, path, response.status, text)

    def watch(self, path: str, query: dict[str, str]) -> Iterator[Object]:
        """The events of a watch until the server ends it; raises ClusterError when it breaks."""
        given = {**query, "watch": "1", "allowWatchBookmarks": "true", "timeoutSeconds": str(_WATCH_SECONDS)}
        response = self._send("GET", path, given, None, "application/json", (_REQUEST_SECONDS, _SILENCE_SECONDS))
        try:
            if response.status >= 300:
                _checked("GET", path, response.status, response.read())
            yield from (json.loads(line) for line in _lines(response))
        except (HTTPError, OSError, ValueError) as error:
            raise ClusterError(f"the watch of {path} broke: {error}") from error
        finally:
            response.close()

    def _send(self, method: str, path: str, query: dict[str, str], body: Object | None, content_type: str,
              timeout: float | tuple[float, float]) -> Any:  # fmt: skip
        headers = {"Accept": "application/json", "Content-Type": content_type}
        prepared = self._client.param_serialize(
            method, path, query_params=list(query.items()), header_params=headers, body=body,
            auth_settings=["BearerToken"],
        )  # fmt: skip
        try:
            return self._client.call_api(*prepared, _request_timeout=timeout).response
        except (HTTPError, ApiException, OSError) as error:
            raise ClusterError(f"{method} {path}: the API server does not answer: {error}") from error


def _lines(response: Any) -> Iterator[bytes]:
    rest = b""
    for chunk in response.stream():
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole


def _checked(method: str, path: str, status: int, text: bytes) -> Object:
    try:
        answer: Object = json.loads(text)
    except ValueError:
        answer = {"message": text.decode(errors="replace")[:500]}
    if status >= 300:
        raise ClusterError(f"{method} {path}: {status} {answer.get('message', '')}", status)
    return answer


class Mirror(threading.Thread):
    """The items of one list as they are now, by namespace and name.

    `told` is called after every change, from this thread. A kind that the cluster does not have is an empty list.
    """

    def __init__(self, cluster: Cluster, path: str, told: Callable[[], None], **query: str) -> None:
        super().__init__(name=path, daemon=True)
        self._cluster, self._path, self._told, self._query = cluster, path, told, query
        self._items: dict[tuple[str, str], Object] = {}
        self._lock = threading.Lock()
        self.synced = threading.Event()
        self.heard = 0.0  # time.monotonic of the server's last word

    def items(self) -> list[Object]:
        """All items; not to be changed."""
        with self._lock:
            return list(self._items.values())

    def run(self) -> None:
        """Lists, then watches from there; after anything that went wrong it lists again."""
        while True:
            try:
                version = self._list()
                while True:
                    version = self._watch(version)
            except ClusterError as error:
                if error.status != 410:  # too long ago to go on from: nothing is wrong
                    _LOG.warning("%s; listing again", error)
                    time.sleep(_AGAIN_SECONDS)

    def _list(self) -> str:
        try:
            answer = self._cluster.request("GET", self._path, self._query)
        except ClusterError as error:
            if error.status != 404:
                raise
            self._replace([])
            raise
        self._replace(answer["items"])
        return str(answer["metadata"]["resourceVersion"])

    def _replace(self, items: list[Object]) -> None:
        with self._lock:
            self._items = {_key(item): item for item in items}
        self._heard()

    def _watch(self, version: str) -> str:
        for event in self._cluster.watch(self._path, {**self._query, "resourceVersion": version}):
            item = event["object"]
            if event["type"] == "ERROR":
                raise ClusterError(f"the watch of {self._path} ended: {item.get('message')}", item.get("code", 0))
            version = item["metadata"]["resourceVersion"]
            if event["type"] == "BOOKMARK":
                self.heard = time.monotonic()
                continue
            with self._lock:
                if event["type"] == "DELETED":
                    self._items.pop(_key(item), None)
                else:
                    self._items[_key(item)] = item
            self._heard()
        self.heard = time.monotonic()
        return version

    def _heard(self) -> None:
        self.heard = time.monotonic()
        self.synced.set()
        self._told()


def _key(item: Object) -> tuple[str, str]:
    return item["metadata"].get("namespace", ""), item["metadata"]["name"]
