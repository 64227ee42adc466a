"""multicast-off-by-default: nothing passes in a new namespace until it is annotated, and then only within it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from provision import multicast
from provision.checks.result import Figure, Outcome, failed, passed
from provision.traffic.namespaces import Space
from provision.traffic.probes import Probe, Reports
from provision.traffic.testbed import Testbed
from provision.traffic.together import run_together, sentence

_SECONDS = 1.5
_PLAIN = Space("plain")


def run(testbed: Testbed) -> Outcome:
    """The one check of the switch that `mcastlab up` makes: both states, both ways, in three pods."""
    stream = testbed.policy_stream("multicast-off-by-default")
    with ThreadPoolExecutor(3) as starting:
        places = [starting.submit(testbed.spaces.place, _PLAIN, name) for name in ("one", "two")]
        outside = starting.submit(testbed.outsider)
        probes = [Probe(name, place.result()) for name, place in zip(("one", "two"), places, strict=True)]
        probes.append(Probe("outsider", outside.result()))
    before = run_together(probes, stream, _SECONDS)
    problem = off(before)
    if problem:
        return failed(f"Before the namespace was enabled: {problem}", *_figures(before, "before"))
    multicast.enable(testbed.kube, testbed.found(), [testbed.spaces.namespace(_PLAIN)])
    testbed.spaces.settle()
    after = run_together(probes, stream, _SECONDS)
    figures = (*_figures(before, "before"), *_figures(after, "after"))
    if problem := on(after):
        return failed(f"After the namespace was enabled: {problem}", *figures)
    return passed(
        "Nothing was heard before the annotation, all of it after, and nothing by a pod of 'default'", *figures
    )


def off(reports: Reports) -> str:
    """What was heard although nobody may hear anything."""
    tags = list(reports)
    return sentence([reports.silent(listener, tag) for listener in tags for tag in tags if tag != listener])


def on(reports: Reports) -> str:
    """What of the two within was not heard by the other, and what crossed the namespace's border."""
    begin, end = reports.interval
    within = [reports.throughout("one", "two", begin, end), reports.throughout("two", "one", begin, end)]
    across = [("outsider", "one"), ("outsider", "two"), ("one", "outsider"), ("two", "outsider")]
    return sentence([*within, *(reports.silent(listener, tag) for listener, tag in across)])


def _figures(reports: Reports, when: str) -> tuple[Figure, ...]:
    heard = sum(reports[listener].of(tag).count for listener, tag in (("one", "two"), ("two", "one")))
    outside = sum(entry.count for entry in reports["outsider"].heard.values())
    return (
        Figure(f"sent_{when}", sum(report.sent for report in reports.values()), "datagrams"),
        Figure(f"received_{when}", heard, "datagrams"),
        Figure(f"outsider_{when}", outside, "datagrams"),
    )
