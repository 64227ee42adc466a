"""NodeMulticast: this node's word on what is in force here, written whenever that changes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from .cluster import MERGE, Cluster, ClusterError
from .enforcer import Outcome

_LOG = logging.getLogger("multicast-policy")
_AGAIN_SECONDS = 0.5
API = "/apis/mcastlab.io/v1alpha1"


class Reporter(threading.Thread):
    """Writes the last outcome and notes it was told; what changes meanwhile is written together.

    `refused` is why the node's kernel does not take the policy's programs: such a node has no outcome.
    """

    def __init__(self, cluster: Cluster, node: str, refused: str = "") -> None:
        super().__init__(name="status", daemon=True)
        self._cluster, self._path, self._refused = cluster, f"{API}/nodemulticasts/{node}/status", refused
        self._news = threading.Event()
        self._outcome = Outcome()
        self._notes: tuple[str, ...] = ()

    def tell(self, outcome: Outcome) -> None:
        """Have `outcome` written."""
        self._outcome = outcome
        self._news.set()

    def note(self, notes: Sequence[str]) -> None:
        """Have `notes` written, sentences for the administrator."""
        self._notes = tuple(notes)
        self._news.set()

    def run(self) -> None:
        """Never returns; tries until the API server takes it."""
        written: dict[str, Any] = {}
        while True:
            self._news.wait()
            self._news.clear()
            wanted = self._status(self._outcome)
            if wanted == written:
                continue
            now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            try:
                body = {"status": {**wanted, "updated": now}}
                self._cluster.request("PATCH", self._path, body=body, content_type=MERGE)
                written = wanted
            except ClusterError as error:
                # 404 is the controller's turn: it has not made the object yet.
                _LOG.log(logging.DEBUG if error.status == 404 else logging.ERROR, "%s", error)
                threading.Timer(_AGAIN_SECONDS, self._news.set).start()

    def _status(self, outcome: Outcome) -> dict[str, Any]:
        return {
            "observedGeneration": outcome.generation,
            "namespaces": [{"name": name, "ports": count} for name, count in sorted(outcome.namespaces.items())],
            "error": outcome.error,
            "refused": self._refused,
            "notes": [*self._notes, *([outcome.note] if outcome.note else [])],
        }
