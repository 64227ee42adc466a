"""/healthz, /readyz (some policy is in force) and /metrics of an agent, on the node's loopback: no pod reaches it."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from .enforcer import Enforcer
from .figures import by_pod
from .keeper import Keeper

_STUCK_SECONDS = 60.0
_PREFIX = "multicast_policy_"
_POD = ("namespace", "pod")
_WHY = {"off": "off", "forged": "forged", "control": "control", "not_allowed": "not-allowed"}
_FRAMES = {
    "received": "Frames to groups that a pod sent; passed are those that were not refused.",
    "delivered": "Copies delivered to a pod from its namespace.",
    "withheld": "Copies withheld from a pod that came from elsewhere: no loss.",
}


class Collector:
    """What the programs counted and what the agent did, at the moment of asking."""

    def __init__(self, enforcer: Enforcer) -> None:
        self._enforcer = enforcer

    def collect(self) -> Iterator[Metric]:
        """Everything under `multicast_policy_`."""
        outcome = self._enforcer.outcome
        yield from _counted(by_pod(outcome.bound, self._enforcer.counts()))
        yield GaugeMetricFamily(_PREFIX + "observed_generation", "Generation in force.", outcome.generation)
        yield GaugeMetricFamily(_PREFIX + "ports", "Ports bound to a pod.", len(outcome.bound))
        yield GaugeMetricFamily(_PREFIX + "last_update_seconds", "How long the last update took.", outcome.seconds)
        yield CounterMetricFamily(_PREFIX + "updates", "Updates of the maps.", outcome.updates)


def _counted(found: dict[str, Any]) -> Iterator[Metric]:
    for name, help_text in _FRAMES.items():
        metric = CounterMetricFamily(f"{_PREFIX}{name}_frames", help_text, labels=_POD)
        for entry in found["pods"]:
            metric.add_metric([entry[key] for key in _POD], entry[name])
        yield metric
    refused = CounterMetricFamily(
        _PREFIX + "refused_frames", "Frames of a pod that were refused, by why.", labels=(*_POD, "why")
    )
    for entry in found["pods"]:
        for name, why in _WHY.items():
            refused.add_metric([*(entry[key] for key in _POD), why], entry[name])
    yield refused
    for place, help_text in (("node", "Frames to groups between node and pods."),
                             ("unbound", "Frames at ports that no pod is known for.")):  # fmt: skip
        metric = CounterMetricFamily(f"{_PREFIX}{place}_frames", help_text, labels=("what",))
        for name, value in found[place].items():
            metric.add_metric([_WHY.get(name, name)], value)
        yield metric


def health(enforcer: Enforcer, keeper: Keeper) -> tuple[bool, dict[str, Any]]:
    """Whether the agent does its work, and what it has in force."""
    outcome = enforcer.outcome
    silent = time.monotonic() - min(enforcer.beat, keeper.beat)
    told = {"generation": outcome.generation, "ports": len(outcome.bound), "error": outcome.error}
    return not outcome.error and silent < _STUCK_SECONDS, {**told, "seconds_since_last_look": round(silent, 1)}


def server(address: tuple[str, int], enforcer: Enforcer, keeper: Keeper) -> ThreadingHTTPServer:
    """A server that is ready to `serve_forever`."""
    registry = CollectorRegistry()
    registry.register(Collector(enforcer))
    ProcessCollector(registry=registry)

    def answer(path: str) -> tuple[int, str, bytes]:
        if path in {"/healthz", "/readyz"}:
            well, told = health(enforcer, keeper)
            well = well and (path == "/healthz" or told["generation"] > 0)
            return 200 if well else 503, "application/json", json.dumps(told).encode() + b"\n"
        if path == "/metrics":
            try:
                return 200, CONTENT_TYPE_LATEST, generate_latest(registry)
            except OSError as error:
                return 503, "text/plain", f"{error}\n".encode()
        return 404, "text/plain", b"/healthz or /metrics\n"

    return _serving(address, answer)


def idle(address: tuple[str, int]) -> ThreadingHTTPServer:
    """Where the kernel takes no programs: the agent is well, and has nothing in force and nothing counted."""
    return _serving(address, lambda _path: (200, "application/json", b"{}\n"))


def _serving(address: tuple[str, int], answer: Callable[[str], tuple[int, str, bytes]]) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            code, kind, body = answer(self.path)
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with contextlib.suppress(ConnectionError):  # whoever asked did not wait
                self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            """Probes come every few seconds: not logged."""

    return ThreadingHTTPServer(address, Handler)
