"""Namespaces made for one run of checks, with pods to run commands in; made when first asked for, once each."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from provision import multicast
from provision.cluster.api import Kube, Object
from provision.core.errors import HostError
from provision.multicast.annotations import namespace_path
from provision.multicast.detect import Detection
from provision.traffic.places import PodPlace
from provision.traffic.pods import IDLE, LABEL, NAME_PREFIX, CheckPods

_UNPROVABLE_SECONDS = 5.0
T = TypeVar("T")


class CheckNamespaces:
    """The namespaces and idle pods of one run; may be used by several threads at once.

    Those whose name ends in `-on` are enabled before anybody gets a pod in them.
    """

    def __init__(self, kube: Kube, made: CheckPods, found: Callable[[], Detection]) -> None:
        self._kube = kube
        self._made = made
        self._found = found
        self._token = secrets.token_hex(2)
        self._lock = threading.Lock()
        self._once: dict[str, Future[Any]] = {}
        self._names: list[str] = []
        self._closed = False

    def namespace(self, room: str) -> str:
        """The full name of a room's namespace, which exists then; in force where the room is one that is on."""
        return self._only_once(room, lambda: self._make(room))

    def place(self, room: str, name: str, *, hostname: str = "") -> PodPlace:
        """An idle pod `name` in a room."""
        namespace = self.namespace(room)
        return self.pod(namespace, f"{room}-{name}", hostname=hostname)

    def places(self, rooms: Mapping[str, str]) -> dict[str, PodPlace]:
        """An idle pod for each tag in its room, all started at once; `rooms` is the room by tag."""
        with ThreadPoolExecutor(len(rooms)) as starting:
            futures = {tag: starting.submit(self.place, room, tag) for tag, room in rooms.items()}
            return {tag: future.result() for tag, future in futures.items()}

    def pod(self, namespace: str, name: str, *, hostname: str = "") -> PodPlace:
        """An idle pod `mcastlab-check-NAME` in any namespace."""

        def make() -> PodPlace:
            return self._made.start(name, IDLE, namespace=namespace, hostname=hostname)

        return self._only_once(f"{namespace}/{name}", make)

    def close(self) -> None:
        """Have all rooms deleted. Nobody waits: their pods are gone, and no other run's rooms have these names."""
        with self._lock:
            self._closed = True
            names = list(self._names)
        for name in names:
            self._kube.delete(namespace_path(name))

    def _full(self, room: str) -> str:
        return f"{NAME_PREFIX}{self._token}-{room}"

    def _make(self, room: str) -> str:
        self._only_once("sweep", self._sweep)
        name = self._full(room)
        manifest: Object = {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": name, "labels": {LABEL: room, "app.kubernetes.io/part-of": "mcastlab"}},
        }
        with self._lock:
            self._names.append(name)
        self._kube.apply(manifest)
        if self._closed:  # `close` may have looked for it before it existed
            self._kube.delete(namespace_path(name))
            raise HostError("The checks are being stopped")
        if room.endswith("-on"):
            multicast.enable(self._kube, self._found(), [name])
            self.settle()
        return name

    def settle(self) -> None:
        """After a change where the API cannot tell whether it is in force: give it time."""
        if self._found().name != "lab":
            time.sleep(_UNPROVABLE_SECONDS)

    def _sweep(self) -> None:
        """Once per run: delete what an earlier run left that was killed."""
        for item in self._kube.items("/api/v1/namespaces", labelSelector=LABEL):
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
