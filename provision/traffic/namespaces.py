"""Namespaces made for one run of checks, with pods to run commands in; made when first asked for, once each."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from provision import multicast
from provision.cluster.api import Kube, Object
from provision.core.errors import HostError
from provision.core.labels import CHECK
from provision.multicast.annotations import namespace_path
from provision.multicast.detect import Detection
from provision.traffic.places import PodPlace
from provision.traffic.pods import IDLE, NAME_PREFIX, CheckPods

_UNPROVABLE_SECONDS = 5.0
T = TypeVar("T")


@dataclass(frozen=True)
class Space:
    """A namespace to be made for a run; with `multicast` it is enabled before anybody gets a pod in it."""

    name: str
    multicast: bool = False

    def __str__(self) -> str:
        return f"{self.name}-on" if self.multicast else self.name


class CheckNamespaces:
    """The namespaces and idle pods of one run; may be used by several threads at once."""

    def __init__(self, kube: Kube, made: CheckPods, found: Callable[[], Detection]) -> None:
        self._kube = kube
        self._made = made
        self._found = found
        self._token = secrets.token_hex(2)
        self._lock = threading.Lock()
        self._once: dict[str, Future[Any]] = {}
        self._names: list[str] = []
        self._closed = False

    def namespace(self, space: Space) -> str:
        """Its full name; it exists then, and where it is to have multicast, that is in force."""
        return self._only_once(str(space), lambda: self._make(space))

    def place(self, space: Space, name: str, *, hostname: str = "", node: str = "") -> PodPlace:
        """An idle pod `name` in a space."""
        namespace = self.namespace(space)
        return self.pod(namespace, f"{space}-{name}", hostname=hostname, node=node)

    def places(self, spaces: Mapping[str, Space]) -> dict[str, PodPlace]:
        """An idle pod for each tag in its space, all started at once."""
        with ThreadPoolExecutor(len(spaces)) as starting:
            futures = {tag: starting.submit(self.place, space, tag) for tag, space in spaces.items()}
            return {tag: future.result() for tag, future in futures.items()}

    def pod(self, namespace: str, name: str, *, hostname: str = "", node: str = "") -> PodPlace:
        """An idle pod `mcastlab-check-NAME` in any namespace, on any node."""

        def make() -> PodPlace:
            return self._made.start(name, IDLE, namespace=namespace, hostname=hostname, node=node)

        return self._only_once(f"{namespace}/{name}", make)

    def close(self) -> None:
        """Have all of them deleted. Nobody waits: their pods are gone, and no other run's have these names."""
        with self._lock:
            self._closed = True
            names = list(self._names)
        for name in names:
            self._kube.delete(namespace_path(name))

    def _make(self, space: Space) -> str:
        self._only_once("sweep", self._sweep)
        name = f"{NAME_PREFIX}{self._token}-{space}"
        manifest: Object = {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": name, "labels": {CHECK: str(space), "app.kubernetes.io/part-of": "mcastlab"}},
        }
        with self._lock:
            self._names.append(name)
        self._kube.apply(manifest)
        if self._closed:  # `close` may have looked for it before it existed
            self._kube.delete(namespace_path(name))
            raise HostError("The checks are being stopped")
        if space.multicast:
            multicast.enable(self._kube, self._found(), [name])
            self.settle()
        return name

    def settle(self) -> None:
        """After a change where the API cannot tell whether it is in force: give it time."""
        if self._found().name != "lab":
            time.sleep(_UNPROVABLE_SECONDS)

    def _sweep(self) -> None:
        """Once per run: delete what an earlier run left that was killed."""
        for item in self._kube.items("/api/v1/namespaces", labelSelector=CHECK):
            name = item["metadata"]["name"]
            if not name.startswith(f"{NAME_PREFIX}{self._token}-"):
                self._kube.delete(namespace_path(name))

    def _only_once(self, key: str, make: Callable[[], T]) -> T:
        with self._lock:
            future = self._once.get(key)
            mine = future is None
            if future is None:
                future = self._once[key] = Future()
        if mine:
            try:
                future.set_result(make())
            except BaseException as error:
                future.set_exception(error)
        result: T = future.result()
        return result
