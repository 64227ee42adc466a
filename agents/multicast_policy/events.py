"""Events: a pod whose multicast is refused is told why, on the pod itself, and the node's troubles on the node."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from .cluster import Cluster, ClusterError

_LOG = logging.getLogger("multicast-policy")
_COMPONENT = "multicast-policy"
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
    """Looks at the counters every two seconds; a pod is told at most every ten minutes, of all since last time."""

    def __init__(self, cluster: Cluster, node: str, figures: Figures) -> None:
        super().__init__(name="events", daemon=True)
        self._cluster, self._node, self._figures = cluster, node, figures
        self._told: dict[str, tuple[float, Mapping[str, Any]]] = {}  # by pod's UID: when, and what it had then
        self._notes: dict[str, float] = {}

    def run(self) -> None:
        """Never returns."""
        first = True
        while True:
            try:
                self.look(time.monotonic(), only_remember=first)
                first = False
            except OSError as error:
                _LOG.error("what was counted cannot be read: %s", error)
            time.sleep(_LOOK_SECONDS)

    def look(self, now: float, *, only_remember: bool = False) -> None:
        """Tell what is new at `now`; what was refused before the agent began is not."""
        pods = {entry["uid"]: entry for entry in self._figures()["pods"] if entry["uid"]}
        self._told = {uid: told for uid, told in self._told.items() if uid in pods}
        for uid, entry in pods.items():
            if only_remember:
                self._told[uid] = (now - _AGAIN_SECONDS, entry)
                continue
            when, last = self._told.get(uid, (now - _AGAIN_SECONDS, {}))
            if now - when < _AGAIN_SECONDS or not (said := refusals(entry, last)):
                continue
            about = {"kind": "Pod", "namespace": entry["namespace"], "name": entry["pod"], "uid": uid}
            if self._send(about, "MulticastRefused", said):
                self._told[uid] = (now, entry)

    def tell(self, notes: Sequence[str]) -> None:
        """Tell the node's troubles, each at most every ten minutes."""
        now = time.monotonic()
        for note in notes:
            if now - self._notes.get(note, -_AGAIN_SECONDS) >= _AGAIN_SECONDS:
                self._notes[note] = now
                about = {"kind": "Node", "name": self._node, "uid": self._node}
                threading.Thread(target=self._send, args=(about, "MulticastPolicy", note), daemon=True).start()

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
