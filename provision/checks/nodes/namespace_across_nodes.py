"""namespace-across-nodes: an enabled namespace on two nodes, and on each of them pods of others, all on one group."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor

from provision.checks.namespace.mld import has_ipv6
from provision.checks.policy_bypass import bypassed
from provision.checks.result import Figure, Outcome, failed, passed
from provision.core.text import named
from provision.traffic.namespaces import Space
from provision.traffic.places import HostPlace, PodPlace
from provision.traffic.probes import Probe, Reports
from provision.traffic.testbed import BRIDGE, Testbed
from provision.traffic.together import run_together, sentence, together_while

_SECONDS = 2.5
_RED_SPACE, _BLUE_SPACE = Space("red", multicast=True), Space("blue", multicast=True)
_HERE, _THERE = 0, 1
# Tag of a peer: its namespace, and the node. Those of `red` hear each other: on one node, on another, and both at once.
_PLACES = {
    "red1": (_RED_SPACE, _HERE),
    "red2": (_RED_SPACE, _HERE),
    "red-there": (_RED_SPACE, _THERE),
    "blue-there": (_BLUE_SPACE, _THERE),
    "grey-there": (Space("grey"), _THERE),
}
_RED = ("red1", "red2", "red-there")
_OUTSIDERS = ("blue-there", "grey-there", "default-there")


def run(testbed: Testbed) -> Outcome:
    """All send and have joined throughout. At last the other node's policy is taken away, and its outsiders hear."""
    places = _places(testbed)
    probes = [Probe(tag, place) for tag, place in places.items()]
    families = {"IPv4": "namespace-across-nodes"}
    if has_ipv6(places["red1"]):
        families["IPv6"] = "namespace-across-nodes6"
    figures: list[Figure] = []
    for family, stream in families.items():
        reports = run_together(probes, testbed.policy_stream(stream), _SECONDS)
        figures += _figures(family.lower(), reports)
        if problem := trouble(reports):
            return failed(f"{family}: {problem}", *figures)
    if not testbed.foreign and (problem := _unheard(testbed, places)):
        return failed(
            f"Without the policy the outsiders must hear, or their silence proves nothing: {problem}", *figures
        )
    return passed(
        f"Pods of one namespace on {named(testbed.nodes[:2])} heard each other throughout, and nobody else heard them",
        *figures,
    )


def trouble(reports: Reports) -> str:
    """What was not heard within the namespace, and what was heard across its border, whatever the node."""
    begin, end = reports.interval
    within = [(listener, tag) for listener in _RED for tag in _RED if listener != tag]
    missed = [reports.throughout(listener, tag, begin, end) for listener, tag in within]
    foreign = [
        reports.silent(listener, tag)
        for listener in reports
        for tag in reports
        if listener != tag and (listener in _RED) != (tag in _RED)
    ]
    return sentence([*missed, *foreign])


def _unheard(testbed: Testbed, places: Mapping[str, PodPlace]) -> str:
    """Who of the other node's outsiders does not hear its red pod although nothing keeps them from it."""
    stream = testbed.policy_stream("namespace-across-nodes")
    probes = [Probe(tag, places[tag]) for tag in ("red-there", *_OUTSIDERS)]
    node = HostPlace(testbed.remotes.get(testbed.nodes[_THERE]), BRIDGE)
    # The group is of this check only: others run beside it.
    with bypassed(node.remote, stream.group) as again:
        without, _ = together_while(probes, stream, _SECONDS / 2, lambda _length: again())
    begin, end = without.interval
    return sentence([without.throughout(tag, "red-there", begin, end) for tag in _OUTSIDERS])


def _places(testbed: Testbed) -> Mapping[str, PodPlace]:
    with ThreadPoolExecutor(len(_PLACES) + 1) as starting:
        futures: dict[str, Future[PodPlace]] = {
            tag: starting.submit(testbed.spaces.place, space, f"across-{tag}", node=testbed.nodes[place])
            for tag, (space, place) in _PLACES.items()
        }
        futures["default-there"] = starting.submit(
            testbed.spaces.pod, "default", "across-default", node=testbed.nodes[_THERE]
        )
        return {tag: future.result() for tag, future in futures.items()}


def _figures(family: str, reports: Reports) -> tuple[Figure, ...]:
    crossed = [("red-there", "red1"), ("red-there", "red2"), ("red1", "red-there"), ("red2", "red-there")]
    outside = [(listener, tag) for listener in _OUTSIDERS for tag in _RED]
    return (
        Figure(f"{family}_received_across_nodes", sum(reports[a].of(b).count for a, b in crossed), "datagrams"),
        Figure(f"{family}_received_outside", sum(reports[a].of(b).count for a, b in outside), "datagrams"),
    )
