#!/usr/bin/env python3
"""How quick the switch is, on a lab that is up: from the annotation to the first datagram, and to the last.

A pod sends 1,000 datagrams a second, another of the same namespace listens; the namespace is annotated and the
annotation removed, again and again. Times are of this machine's clock, which nodes in containers share. Usage:

    benchmarks/multicast_switch.py KUBECONFIG IMAGE [--switches 200]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from provision.cluster import manifests  # noqa: E402
from provision.cluster.api import Kube  # noqa: E402

NAMESPACE, GROUP = "bench-switch", "239.9.9.9"
SENDER = f"""
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
due = time.monotonic()
while True:
    s.sendto(b'x', ('{GROUP}', 5005))
    due += 0.001
    time.sleep(max(0, due - time.monotonic()))
"""
# Prints when a datagram ends a silence, and when the last one before a silence came.
LISTENER = f"""
import socket, struct, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(('{GROUP}', 5005))
s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, struct.pack('=4sl', socket.inet_aton('{GROUP}'), 0))
s.settimeout(0.1)
last = 0
while True:
    try:
        s.recv(9)
    except TimeoutError:
        if last:
            print('off', last, flush=True)
        last = 0
        continue
    now = time.time()
    if not last:
        print('on', now, flush=True)
    last = now
"""
_PATH = f"/api/v1/namespaces/{NAMESPACE}"


def annotate(kube: Kube, value: str | None) -> float:
    """Set or remove the annotation; when the request was sent."""
    body: dict[str, Any] = {"metadata": {"annotations": {"k8s.ovn.org/multicast-enabled": value}}}
    started = time.time()
    status, text = kube.request("PATCH", _PATH, body=body, content_type="application/merge-patch+json")
    if status != 200:
        sys.exit(text)
    return started


def wait_running(kube: Kube, name: str) -> None:
    for _ in range(300):
        pod = kube.find(f"{_PATH}/pods/{name}") or {}
        if any(c["type"] == "Ready" and c["status"] == "True" for c in pod.get("status", {}).get("conditions", [])):
            return
        time.sleep(0.2)
    sys.exit(f"pod {name} is not ready")


def events(kube: Kube) -> list[tuple[str, float]]:
    """What the listener printed: ('on' or 'off', time)."""
    _, text = kube.request("GET", f"{_PATH}/pods/listener/log")
    return [(line.split()[0], float(line.split()[1])) for line in text.splitlines()]


def delays(kind: str, asked: list[tuple[str, float]], found: list[tuple[str, float]]) -> list[float]:
    """For each switch of `kind` the seconds to the first datagram after it, or to the last before the next switch.

    A busy machine makes silences of its own within a flow: only the first and the last event of a turn count.
    """
    delays = []
    for (what, sent), (_, until) in zip(asked, [*asked[1:], ("", float("inf"))], strict=True):
        if what != kind:
            continue
        seen = [moment for event, moment in found if event == kind and sent - 0.01 <= moment < until]
        # Without an effect before the next switch it took at least as long as that.
        moment = (seen[0] if kind == "on" else seen[-1]) if seen else until
        delays.append(max(0.0, moment - sent))
    return delays


def shown(name: str, times: list[float]) -> str:
    """Median, p99 and worst, in milliseconds."""
    ordered = sorted(times)
    p99 = ordered[min(len(ordered) - 1, round(0.99 * len(ordered)))]
    median, p99, worst = (1000 * value for value in (statistics.median(ordered), p99, ordered[-1]))
    return f"{name:<32} median {median:6.0f} ms  p99 {p99:6.0f} ms  worst {worst:6.0f} ms  of {len(ordered)}"


def main() -> None:
    """Switch and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kubeconfig", type=Path)
    parser.add_argument("image", help="with /usr/bin/python3, present on the nodes")
    parser.add_argument("--switches", type=int, default=200)
    parser.add_argument("--pause", type=float, default=0.7, help="seconds between two switches; more on a busy machine")
    options = parser.parse_args()
    kube = Kube(options.kubeconfig)
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    try:
        for name, program in (("sender", SENDER), ("listener", LISTENER)):
            kube.apply(manifests.pod(name, options.image, ["python3", "-c", program], namespace=NAMESPACE))
        for name in ("sender", "listener"):
            wait_running(kube, name)
        time.sleep(2)
        asked = []
        for _ in range(options.switches):
            asked.append(("on", annotate(kube, "true")))
            time.sleep(options.pause)
            asked.append(("off", annotate(kube, None)))
            time.sleep(options.pause)
        time.sleep(2)
        found = events(kube)
    finally:
        kube.request("DELETE", _PATH)
    for kind, name in (("on", "annotation to first datagram"), ("off", "annotation removed to last")):
        print(shown(name, delays(kind, asked, found)))


if __name__ == "__main__":
    main()
