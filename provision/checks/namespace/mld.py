"""mld: any-source multicast over IPv6 (ff1e::/16): members of the namespace hear, a member elsewhere does not."""

from __future__ import annotations

from provision.checks.result import Figure, Outcome, failed, not_applicable, passed
from provision.traffic.namespaces import Space
from provision.traffic.places import Place
from provision.traffic.probes import Probe
from provision.traffic.testbed import Testbed
from provision.traffic.together import run_together, sentence

_SECONDS = 2.0
_ASK_SECONDS = 60.0
NO_IPV6 = "The pod network has no IPv6"
_RED = Space("red", multicast=True)
_BLUE = Space("blue", multicast=True)
_SPACES = {"red1": _RED, "red2": _RED, "blue1": _BLUE, "blue2": _BLUE}


def run(testbed: Testbed) -> Outcome:
    stream = testbed.policy_stream("mld")
    places = testbed.spaces.places(_SPACES)
    if not has_ipv6(places["red1"]):
        return not_applicable(NO_IPV6)
    reports = run_together([Probe(tag, place) for tag, place in places.items()], stream, _SECONDS)
    begin, end = reports.interval
    within = [("red1", "red2"), ("red2", "red1"), ("blue1", "blue2"), ("blue2", "blue1")]
    heard = [reports.throughout(listener, tag, begin, end) for listener, tag in within]
    foreign = [reports.silent(a, b) for a in _SPACES for b in _SPACES if _SPACES[a] != _SPACES[b]]
    figures = (
        Figure("sent", sum(report.sent for report in reports.values()), "datagrams"),
        Figure("received", sum(reports[listener].of(tag).count for listener, tag in within), "datagrams"),
    )
    if problem := sentence([*heard, *foreign]):
        return failed(problem, *figures)
    return passed(f"Each member of {stream.group} heard its own namespace throughout, and no other one", *figures)


def has_ipv6(place: Place) -> bool:
    """Whether the place's interface has a global IPv6 address."""
    argv = ["ip", "-6", "-oneline", "address", "show", "dev", place.interface, "scope", "global"]
    return bool(place.run(argv, _ASK_SECONDS).stdout.strip())
