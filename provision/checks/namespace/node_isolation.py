"""node-isolation: a node, and a pod with its network, belong to no namespace: nothing to them, nothing from them."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from provision.checks.policy_bypass import bypassed
from provision.checks.result import Figure, Outcome, failed, passed
from provision.traffic.namespaces import Space
from provision.traffic.places import Place
from provision.traffic.pods import IDLE
from provision.traffic.probes import Probe, Reports
from provision.traffic.testbed import BRIDGE, Testbed
from provision.traffic.together import run_together, sentence, together_while

_SECONDS = 2.0
_RED = Space("red", multicast=True)
_NODE = ("node", "hostnet")


def run(testbed: Testbed) -> Outcome:
    """Two pods of an enabled namespace, the node and a pod of that namespace with the node's network, on one group."""
    stream = testbed.policy_stream("node-isolation")
    places = _places(testbed)
    reports = run_together(_probes(places), stream, _SECONDS)
    figures = _figures(reports)
    begin, end = reports.interval
    within = [reports.throughout("red1", "red2", begin, end), reports.throughout("red2", "red1", begin, end)]
    if problem := sentence([*within, *_crossed(reports)]):
        return failed(problem, *figures)
    probes = _probes({tag: places[tag] for tag in ("red1", *_NODE)})
    # The group is of this check only: others run beside it, in the same pods.
    with bypassed(testbed.node().remote, stream.group) as again:
        without, _ = together_while(probes, stream, _SECONDS / 2, lambda _length: again())
    begin, end = without.interval
    heard = [without.throughout(tag, "red1", begin, end) for tag in _NODE]
    heard += [without.throughout("red1", tag, begin, end) for tag in _NODE]
    if problem := sentence(heard):
        return failed(
            f"Also without the policy not all was heard, so that silence proves nothing: {problem}",
            *figures,
        )
    return passed(
        "Pods heard each other; the node heard none of them and none heard the node; without the policy all did",
        *figures,
    )


def _places(testbed: Testbed) -> Mapping[str, Place]:
    with ThreadPoolExecutor(3) as starting:
        reds = {tag: starting.submit(testbed.spaces.place, _RED, tag) for tag in ("red1", "red2")}
        namespace = testbed.spaces.namespace(_RED)
        hostnet = starting.submit(testbed.made.start, "hostnet", IDLE, namespace=namespace, host_network=True)
        found: dict[str, Place] = {tag: future.result() for tag, future in reds.items()}
        return {**found, "node": testbed.node(), "hostnet": hostnet.result()}


def _probes(places: Mapping[str, Place]) -> list[Probe]:
    return [Probe(tag, place, interface=BRIDGE if tag in _NODE else "") for tag, place in places.items()]


def _crossed(reports: Reports) -> list[str]:
    """What passed between a pod and the node."""
    pairs = [(pod, tag) for pod in ("red1", "red2") for tag in _NODE]
    return [reports.silent(*pair) for pair in pairs] + [reports.silent(tag, pod) for pod, tag in pairs]


def _figures(reports: Reports) -> tuple[Figure, ...]:
    to_node = sum(reports[tag].of(pod).count for tag in _NODE for pod in ("red1", "red2"))
    from_node = sum(reports[pod].of(tag).count for tag in _NODE for pod in ("red1", "red2"))
    return (
        Figure("received_within", reports["red1"].of("red2").count + reports["red2"].of("red1").count, "datagrams"),
        Figure("received_by_node", to_node, "datagrams"),
        Figure("received_from_node", from_node, "datagrams"),
    )
