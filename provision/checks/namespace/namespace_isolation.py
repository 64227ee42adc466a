"""namespace-isolation: two enabled namespaces, one that is not, and the default one, on one group."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from provision.checks.policy_bypass import bypassed
from provision.checks.result import Figure, Outcome, failed, passed
from provision.traffic.namespaces import Space
from provision.traffic.places import PodPlace
from provision.traffic.probes import Probe, Reports
from provision.traffic.testbed import Testbed
from provision.traffic.together import run_together, sentence, together_while

_SECONDS = 2.0
_RED = Space("red", multicast=True)
_BLUE = Space("blue", multicast=True)
_GREY = Space("grey")
# Where each probe is, by its tag. Those where multicast is on hear each other, and nobody else hears anybody.
_SPACES = {"red1": _RED, "red2": _RED, "blue1": _BLUE, "blue2": _BLUE, "grey": _GREY}
_WITHIN = (("red1", "red2"), ("red2", "red1"), ("blue1", "blue2"), ("blue2", "blue1"))
_OUTSIDERS = ("blue1", "grey", "default")


def run(testbed: Testbed) -> Outcome:
    """All send and have joined throughout. At last the policy is taken away, and the outsiders must hear one sender."""
    stream = testbed.policy_stream("namespace-isolation")
    places = _places(testbed)
    probes = [Probe(tag, place) for tag, place in places.items()]
    reports = run_together(probes, stream, _SECONDS)
    figures = _figures(reports)
    if problem := trouble(reports):
        return failed(problem, *figures)
    if testbed.foreign:
        return passed("Each pod heard its own namespace throughout, and no other one", *figures)
    outsiders = [Probe(tag, places[tag]) for tag in ("red1", *_OUTSIDERS)]
    # The group is of this check only: others run beside it, in the same pods.
    with bypassed(testbed.node().remote, stream.group) as again:
        without, _ = together_while(outsiders, stream, _SECONDS / 2, lambda _length: again())
    begin, end = without.interval
    if problem := sentence([without.throughout(tag, "red1", begin, end) for tag in _OUTSIDERS]):
        return failed(
            f"Also without the policy not all was heard, so that silence proves nothing: {problem}",
            *figures,
        )
    lift = Figure("received_without_policy", sum(without[tag].of("red1").count for tag in _OUTSIDERS), "datagrams")
    return passed(
        "Each pod heard its own namespace throughout and no other one; without the policy the outsiders did",
        *figures,
        lift,
    )


def trouble(reports: Reports) -> str:
    """What was not heard within a namespace, and what was heard across its border."""
    begin, end = reports.interval
    missed = [reports.throughout(listener, tag, begin, end) for listener, tag in _WITHIN]
    foreign = [
        reports.silent(listener, tag)
        for listener in reports
        for tag in reports
        if listener != tag and (listener, tag) not in _WITHIN
    ]
    return sentence([*missed, *foreign])


def _places(testbed: Testbed) -> Mapping[str, PodPlace]:
    with ThreadPoolExecutor(len(_SPACES) + 1) as starting:
        futures = {tag: starting.submit(testbed.spaces.place, space, tag) for tag, space in _SPACES.items()}
        futures["default"] = starting.submit(testbed.outsider)
        return {tag: future.result() for tag, future in futures.items()}


def _figures(reports: Reports) -> tuple[Figure, ...]:
    own = sum(reports[listener].of(tag).count for listener, tag in _WITHIN)
    every = sum(entry.count for report in reports.values() for entry in report.heard.values())
    return (
        Figure("sent", sum(report.sent for report in reports.values()), "datagrams"),
        Figure("received_within", own, "datagrams"),
        Figure("received_across", every - own, "datagrams"),
    )
