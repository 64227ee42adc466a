"""Events: a pod whose multicast is refused is told why, on the pod itself, and the node's troubles on the node."""

from __future__ import annotations

import json
import logging
import queue
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from . import files
from .cluster import Cluster, ClusterError

_LOG = logging.getLogger("multicast-policy")
_COMPONENT, POD, NODE = "multicast-policy", "MulticastRefused", "MulticastPolicy"
_LOOK_SECONDS, _AGAIN_SECONDS = 2.0, 600.0
_WHY = {
    "off": "{} to groups, because multicast is off in namespace '{}': its annotation k8s.ovn.org/multicast-enabled=true"
    " switches it on, or `mcastlab multicast enable {}`",
    "forged": "{} whose MAC or IP source address is not this pod's own",
    "control": "{} that no pod may send: queries, router advertisements, redirects, PIM",
    "not_allowed": "{} with VLAN tags, with headers that cannot be read, or with more membership reports than a pod may"
    " send",
}

Figures = Callable[[], Mapping[str, Any]]


class Teller(threading.Thread):
    """Looks at the counters every two seconds; a pod or a node is told a thing at most every ten minutes.

    When it told whom stands in the file `told`, since an agent that is started again is to know it.
    """

    def __init__(self, cluster: Cluster, node: str, told: Path, figures: Figures) -> None:
        super().__init__(name="events", daemon=True)
        self._cluster, self._node, self._path, self._figures = cluster, node, told, figures
        self._last: dict[str, Mapping[str, Any]] = {}  # by pod's UID: what was counted when it was told
        self._begun = False
        self._told = _read(told)  # by UID, or the words on a node: time.time()
        self._notes = queue.SimpleQueue[str]()

    def run(self) -> None:
        """Never returns."""
        while True:
            try:
                self.look(time.time())
            except OSError as error:
                _LOG.error("what was counted cannot be read: %s", error)
            time.sleep(_LOOK_SECONDS)

    def look(self, now: float) -> None:
        """Tell the node's troubles, and pods what is new at `now`; what was counted before the first look is not."""
        node = {"kind": "Node", "name": self._node, "uid": self._node}
        while not self._notes.empty():
            note = self._notes.get()
            self._once(note, now, node, NODE, note)
        pods = {entry["uid"]: entry for entry in self._figures()["pods"] if entry["uid"]}
        first, self._begun = not self._begun, True
        self._last = {uid: last for uid, last in self._last.items() if uid in pods}
        for uid, entry in pods.items():
            last = self._last.setdefault(uid, entry if first else {})
            about = {"kind": "Pod", "namespace": entry["namespace"], "name": entry["pod"], "uid": uid}
            if (said := refusals(entry, last)) and self._once(uid, now, about, POD, said):
                self._last[uid] = entry

    def tell(self, notes: Iterable[str]) -> None:
        """Have the node's troubles told with the next look."""
        for note in notes:
            self._notes.put(note)

    def _once(self, key: str, now: float, about: Mapping[str, str], reason: str, message: str) -> bool:
        if now - self._told.get(key, 0) < _AGAIN_SECONDS or not self._send(about, reason, message):
            return False
        self._told = {old: when for old, when in self._told.items() if now - when < _AGAIN_SECONDS} | {key: now}
        self._remember()
        return True

    def _remember(self) -> None:
        try:
            files.write_whole(str(self._path), json.dumps(self._told).encode())
        except OSError as error:
            _LOG.error("what was told cannot be kept, so something may be told again: %s", error)

    def _send(self, about: Mapping[str, str], reason: str, message: str) -> bool:
        namespace = about.get("namespace", "default")
        try:
            body = self._event({"namespace": namespace, **about}, reason, message)
            self._cluster.request("POST", f"/api/v1/namespaces/{namespace}/events", body=body)
        except ClusterError as error:
            _LOG.error("event on %s '%s': %s", about["kind"], about["name"], error)
            return False
        return True

    def _event(self, about: Mapping[str, str], reason: str, message: str) -> dict[str, Any]:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        metadata = {"name": f"{about['name']}.{uuid.uuid4().hex[:16]}", "namespace": about["namespace"]}
        involved = {key: value for key, value in about.items() if about["kind"] == "Pod" or key != "namespace"}
        return {
            "apiVersion": "v1", "kind": "Event", "type": "Warning", "reason": reason, "message": message[:1000],
            "metadata": metadata, "involvedObject": {"apiVersion": "v1", **involved},
            "source": {"component": _COMPONENT, "host": self._node},
            "reportingComponent": _COMPONENT, "reportingInstance": self._node,
            "firstTimestamp": now, "lastTimestamp": now, "count": 1,
        }  # fmt: skip


def _read(path: Path) -> dict[str, float]:
    try:
        found = json.loads(files.read_text(str(path), "the next look writes it anew"))
        return {str(key): float(when) for key, when in found.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        _LOG.error("'%s' cannot be read, so something may be told again: %s", path, error)
        return {}


def refusals(entry: Mapping[str, Any], last: Mapping[str, Any]) -> str:
    """What was refused since `last`, in words; empty when nothing was."""
    new = {name: entry[name] - last.get(name, 0) for name in _WHY}
    said = [
        text.format(_frames(new[name]), entry["namespace"], entry["namespace"])
        for name, text in _WHY.items()
        if new[name] > 0
    ]
    return f"Refused were {'; '.join(said)}" if said else ""


def _frames(count: int) -> str:
    return "1 frame" if count == 1 else f"{count} frames"
