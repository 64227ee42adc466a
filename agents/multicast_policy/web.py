"""/healthz, /readyz (some policy is in force) and /metrics of an agent."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from . import nft, rules
from .enforcer import Enforcer

_STUCK_SECONDS = 60.0
_PREFIX = "multicast_policy_"
# Counter of the default table to metric and its label.
_NODE = {
    "dropped_control": ("refused_frames", "control"),
    "dropped_forged": ("refused_frames", "forged"),
    "dropped_unbound": ("refused_frames", "unbound"),
    "node_dropped": ("refused_frames", "of-node"),
    "node_received": ("node_delivered_frames", ""),
}


class Totals:
    """Counters that only grow: a table that was loaded anew counts from nothing, and these go on."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}
        self._lost: dict[str, int] = {}

    def of(self, counted: dict[str, int]) -> dict[str, int]:
        """The totals, with what is counted now; a sender that is gone is left out, namespaces stay."""
        for name, value in counted.items():
            if value < self._last.get(name, 0):
                self._lost[name] = self._lost.get(name, 0) + self._last[name]
        gone = {name: value for name, value in self._last.items() if name not in counted}
        for name, value in gone.items():
            if name.startswith(rules.SENT):
                self._lost.pop(name, None)
            else:
                self._lost[name] = self._lost.get(name, 0) + value
        self._last = {**{name: 0 for name in gone if not name.startswith(rules.SENT)}, **counted}
        return {name: value + self._lost.get(name, 0) for name, value in self._last.items()}


class Collector:
    """What the kernel counted and what the enforcer did, at the moment of asking."""

    def __init__(self, enforcer: Enforcer) -> None:
        self._enforcer, self._totals = enforcer, Totals()

    def collect(self) -> Iterator[Metric]:
        """Everything under `multicast_policy_`."""
        outcome = self._enforcer.outcome
        yield from _counted(self._totals.of(nft.counters()), {port.name: port for port in outcome.bound})
        yield GaugeMetricFamily(_PREFIX + "observed_generation", "Generation in force.", outcome.generation)
        yield GaugeMetricFamily(_PREFIX + "ports", "Ports bound to a pod.", len(outcome.bound))
        yield GaugeMetricFamily(_PREFIX + "last_update_seconds", "How long the last update took.", outcome.seconds)
        yield CounterMetricFamily(_PREFIX + "updates", "Updates of the rules.", outcome.updates)


def _counted(totals: dict[str, int], ports: dict[str, Any]) -> Iterator[Metric]:
    senders = CounterMetricFamily(
        _PREFIX + "received_frames", "Multicast frames that came from a pod, at prerouting.",
        labels=["namespace", "pod", "port"],
    )  # fmt: skip
    copies = {
        rules.DELIVERED: CounterMetricFamily(
            _PREFIX + "delivered_copies", "Copies delivered to pods of a namespace.", labels=["namespace"]
        ),
        rules.DROPPED: CounterMetricFamily(
            _PREFIX + "dropped_copies", "Copies dropped of what pods of a namespace sent.", labels=["namespace"]
        ),
    }
    others = {
        "refused_frames": CounterMetricFamily(_PREFIX + "refused_frames", "Frames refused, by why.", labels=["why"]),
        "node_delivered_frames": CounterMetricFamily(
            _PREFIX + "node_delivered_frames", "Frames that pods sent to the node in its own groups.", labels=[]
        ),
    }
    for name, value in sorted(totals.items()):
        if name in _NODE:
            metric, label = _NODE[name]
            others[metric].add_metric([label] if label else [], value)
        elif name.startswith(rules.SENT):
            if port := ports.get(name.removeprefix(rules.SENT)):
                senders.add_metric([port.namespace, port.pod, port.name], value)
        else:
            prefix = next(prefix for prefix in copies if name.startswith(prefix))
            copies[prefix].add_metric([rules.as_namespace(name.removeprefix(prefix))], value)
    yield from (senders, *copies.values(), *others.values())


def health(enforcer: Enforcer) -> tuple[bool, dict[str, Any]]:
    """Whether the agent does its work, and what it has in force."""
    outcome = enforcer.outcome
    silent = time.monotonic() - enforcer.beat
    told = {"generation": outcome.generation, "ports": len(outcome.bound), "error": outcome.error}
    return not outcome.error and silent < _STUCK_SECONDS, {**told, "seconds_since_last_look": round(silent, 1)}


def server(address: tuple[str, int], enforcer: Enforcer) -> ThreadingHTTPServer:
    """A server that is ready to `serve_forever`."""
    registry = CollectorRegistry()
    registry.register(Collector(enforcer))
    ProcessCollector(registry=registry)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path in {"/healthz", "/readyz"}:
                well, told = health(enforcer)
                well = well and (self.path == "/healthz" or told["generation"] > 0)
                self._answer(200 if well else 503, "application/json", json.dumps(told).encode() + b"\n")
            elif self.path == "/metrics":
                try:
                    self._answer(200, CONTENT_TYPE_LATEST, generate_latest(registry))
                except nft.NftError as error:
                    self._answer(503, "text/plain", f"{error}\n".encode())
            else:
                self._answer(404, "text/plain", b"/healthz or /metrics\n")

        def _answer(self, code: int, kind: str, body: bytes) -> None:
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with contextlib.suppress(ConnectionError):  # whoever asked did not wait
                self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            """Probes come every few seconds: not logged."""

    return ThreadingHTTPServer(address, Handler)
