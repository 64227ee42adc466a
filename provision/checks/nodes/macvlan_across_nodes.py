"""macvlan-across-nodes: a pod on each node, by macvlan, and the source host hear each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from provision.checks.result import Figure, Outcome, failed, passed
from provision.core.text import named
from provision.traffic.places import Place
from provision.traffic.pods import IDLE
from provision.traffic.probes import Probe, Reports
from provision.traffic.testbed import Testbed
from provision.traffic.together import run_together, sentence

_SECONDS = 2.0
_SOURCE = "source"


def run(testbed: Testbed) -> Outcome:
    """All send and have joined throughout, over IPv4 and, where the lab has it, over IPv6."""
    places = _places(testbed)
    families = {"IPv4": "macvlan-across-nodes"} | ({"IPv6": "macvlan-across-nodes6"} if testbed.lab.dual_stack else {})
    figures: list[Figure] = []
    for family, stream in families.items():
        probes = [Probe(tag, place) for tag, place in places.items()]
        reports = run_together(probes, testbed.policy_stream(stream), _SECONDS)
        figures += _figures(family.lower(), reports)
        if problem := trouble(reports):
            return failed(f"{family}: {problem}", *figures)
    return passed(f"The source and a pod on each of {named(testbed.nodes)} heard each other throughout", *figures)


def trouble(reports: Reports) -> str:
    """Who did not hear whom of those that all hear each other."""
    begin, end = reports.interval
    pairs = [(listener, tag) for listener in reports for tag in reports if listener != tag]
    return sentence([reports.throughout(listener, tag, begin, end) for listener, tag in pairs])


def _places(testbed: Testbed) -> Mapping[str, Place]:
    with ThreadPoolExecutor(len(testbed.nodes)) as starting:
        pods = {
            node: starting.submit(testbed.made.start, f"macvlan-across-{node}", IDLE, node=node)
            for node in testbed.nodes
        }
        sender, _ = testbed.source()
        found: dict[str, Place] = {_SOURCE: sender}
        return found | {node: future.result() for node, future in pods.items()}


def _figures(family: str, reports: Reports) -> Sequence[Figure]:
    received = sum(entry.count for report in reports.values() for entry in report.heard.values())
    return (
        Figure(f"{family}_sent", sum(report.sent for report in reports.values()), "datagrams"),
        Figure(f"{family}_received", received, "datagrams"),
    )
