"""ssm: two sources send to one group, each receiver joins one of them and hears only that, over IPv4 and IPv6."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from provision.checks.namespace.mld import NO_IPV6, has_ipv6
from provision.checks.result import Figure, Outcome, failed, passed
from provision.core.wait import Deadline
from provision.traffic.namespaces import Space
from provision.traffic.places import Place, PodPlace
from provision.traffic.probes import Probe, Reports
from provision.traffic.testbed import BRIDGE, Testbed
from provision.traffic.together import sentence, together_while

_SECONDS = 4.0
_ASK_SECONDS = 60.0
_TAGS = ("red1", "red2", "red3")
# Receiver: the sender it joins. The second one, a sender itself, is the proof that the other sender can be heard.
_JOINS = {"red3": "red1", "red1": "red2"}


def run(testbed: Testbed) -> Outcome:
    places = testbed.spaces.places(dict.fromkeys(_TAGS, Space("red", multicast=True)))
    families = ["ssm", "ssm6"] if has_ipv6(places["red1"]) else ["ssm"]
    problems: list[str] = []
    figures: list[Figure] = []
    evidence: list[str] = []
    for family in families:
        problem, counted, seen = _family(testbed, family, places)
        problems.append(problem and f"{'IPv6' if family == 'ssm6' else 'IPv4'}: {problem}")
        figures += counted
        evidence += seen
    if problem := sentence(problems):
        return failed(problem, *figures, evidence=tuple(evidence))
    table = "" if testbed.foreign else "; the bridge has its (S,G) and no (*,G)"
    six = "" if len(families) == 2 else f". {NO_IPV6}"
    return passed(f"Each receiver heard the source that it joined and not the other one{table}{six}", *figures)


def _family(testbed: Testbed, family: str, places: Mapping[str, PodPlace]) -> tuple[str, list[Figure], list[str]]:
    """(what is wrong, figures, evidence) of one address family."""
    stream = testbed.policy_stream(family)
    six = family == "ssm6"
    sources = {tag: global_address(places[tag], six=six) for tag in _JOINS.values()}
    probes = [
        Probe("red1", places["red1"], source=sources["red2"]),
        Probe("red2", places["red2"], join=False),
        Probe("red3", places["red3"], rate=0, source=sources["red1"]),
    ]
    members = set(sources.values())
    reports, table = together_while(
        probes, stream, _SECONDS, lambda length: _table(testbed, length, stream.group, members)
    )
    begin, end = reports.interval
    heard = [reports.throughout(tag, source, begin, end) for tag, source in _JOINS.items()]
    problems = [*heard, reports.silent("red3", "red2")]
    if not testbed.foreign:
        problems.append(snooped(table, stream.group, members))
    return sentence(problems), _figures(family, reports), [table]


def _table(testbed: Testbed, length: float, group: str, sources: set[str]) -> str:
    """A lab's group table of the bridge, once all have joined or at the end of a run of `length` seconds."""
    if testbed.foreign:
        return ""
    deadline = Deadline.after(length)
    argv = ["bridge", "-json", "-details", "mdb", "show", "dev", BRIDGE]
    while True:
        table = testbed.node().remote.run(argv, _ASK_SECONDS).stdout
        if deadline.expired or not snooped(table, group, sources):
            return table
        time.sleep(0.3)


def snooped(table: str, group: str, sources: set[str]) -> str:
    """Why the bridge's group table, as `bridge -json -details mdb` prints it, is not one of these sources only.

    A membership by source shows as an entry with `src`. An entry without one is (*,G); in filter mode `include` it is
    only the list that the others were made from and forwards nothing by itself (net/bridge/br_multicast.c).
    """
    entries = [entry for part in _json(table) for entry in part.get("mdb", []) if entry.get("grp") == group]
    found = {entry["src"] for entry in entries if "src" in entry}
    if missing := sources - found:
        return f"the bridge's group table has no (S,G) of {group} for {', '.join(sorted(missing))}"
    if any("src" not in entry and entry.get("filter_mode") != "include" for entry in entries):
        return f"the bridge's group table has (*,G) of {group}: it would let every source through"
    return ""


def _json(text: str) -> Sequence[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(text or "[]")
    return found


def global_address(place: Place, *, six: bool) -> str:
    """The place's global address of one family."""
    argv = ["ip", "-json", "-6" if six else "-4", "address", "show", "dev", place.interface, "scope", "global"]
    links = json.loads(place.run(argv, _ASK_SECONDS).stdout)
    return str(next(entry["local"] for link in links for entry in link["addr_info"]))


def _figures(family: str, reports: Reports) -> list[Figure]:
    joined = sum(reports[tag].of(source).count for tag, source in _JOINS.items())
    every = sum(entry.count for tag in _JOINS for entry in reports[tag].heard.values())
    return [
        Figure(f"{family}_received", joined, "datagrams"),
        Figure(f"{family}_of_other_source", every - joined, "datagrams"),
    ]
