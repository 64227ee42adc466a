"""Judging who heard whom, from peers' reports; and what the bridge's group table says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from provision.checks.namespace import mld, namespace_isolation, off_by_default, pod_to_pod_namespace, ssm
from provision.core.errors import CommandError
from provision.traffic.probes import Probe, ProbeReport, Reports, parse

QUARTERS = 8
START = 1000.0


def report(tag: str, *heard: str, gaps: int = 0, sent: int = 40) -> ProbeReport:
    """A peer that was there for two seconds and heard each tag in all quarters of a second but the first `gaps`."""
    bins = [int(START * 4) + number for number in range(gaps, QUARTERS)]
    entry = {"count": len(bins), "last": START + 2, "bins": bins}
    own = [int(START * 4) + number for number in range(QUARTERS)] if sent else []
    told = {
        "joined": START - 0.3,
        "ended": START + 2.3,
        "sent": sent,
        "bins": own,
        "heard": dict.fromkeys(heard, entry),
    }
    return parse(tag, json.dumps(told), f"pod '{tag}'")


def reports(*found: ProbeReport) -> Reports:
    return Reports({item.tag: item for item in found})


def test_a_peer_that_reports_nothing_is_an_error() -> None:
    for text in ("", "[]", '{"heard": 1}', "Traceback"):
        with pytest.raises(CommandError, match="The probe in pod 'x' reported nothing"):
            parse("x", text, "pod 'x'")


def test_throughout_is_every_quarter_of_a_second() -> None:
    whole = reports(report("a", "b"), report("b", "a", gaps=4), report("c"))
    begin, end = whole.interval
    assert whole.throughout("a", "b", begin, end) == ""
    assert (
        whole.throughout("b", "a", begin, end)
        == "'b' heard 'a' in only 4 of the 8 quarters of a second in which it sent"
    )
    assert whole.throughout("c", "a", begin, end) == "'c' heard nothing of 'a', which sent 40 datagrams"


def test_peers_that_missed_each_other_prove_nothing() -> None:
    late = ProbeReport("b", START + 2, START + 4, 40, frozenset(), {})
    apart = reports(report("a"), late)
    begin, end = apart.interval
    assert "were not there at the same time" in apart.throughout("a", "b", begin, end)


def test_silence_needs_somebody_who_sends() -> None:
    assert reports(report("a"), report("b")).silent("a", "b") == ""
    assert reports(report("a", "b"), report("b")).silent("a", "b") == "'a' heard 8 of 40 datagrams of 'b'"
    assert "sent nothing" in reports(report("a"), report("b", sent=0)).silent("a", "b")


def test_off_and_on() -> None:
    quiet = reports(report("one"), report("two"), report("outsider"))
    assert off_by_default.off(quiet) == ""
    assert "'one' heard nothing of 'two'" in off_by_default.on(quiet)
    within = reports(report("one", "two"), report("two", "one"), report("outsider"))
    assert off_by_default.on(within) == ""
    assert "'one' heard 8 of 40 datagrams of 'two'" in off_by_default.off(within)
    leaking = reports(report("one", "two"), report("two", "one"), report("outsider", "two"))
    assert off_by_default.on(leaking) == "'outsider' heard 8 of 40 datagrams of 'two'"


def isolated(**changes: tuple[str, ...]) -> Reports:
    heard = {"red1": ("red2",), "red2": ("red1",), "blue1": ("blue2",), "blue2": ("blue1",), "grey": (), "default": ()}
    return reports(*(report(tag, *changes.get(tag, tags)) for tag, tags in heard.items()))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({}, ""),
        ({"red1": ()}, "'red1' heard nothing of 'red2', which sent 40 datagrams"),
        ({"blue1": ("blue2", "red1")}, "'blue1' heard 8 of 40 datagrams of 'red1'"),
        ({"grey": ("red1",)}, "'grey' heard 8 of 40 datagrams of 'red1'"),
        ({"default": ("blue2",)}, "'default' heard 8 of 40 datagrams of 'blue2'"),
        ({"red2": ("red1", "default")}, "'red2' heard 8 of 40 datagrams of 'default'"),
    ],
)
def test_isolation(changes: dict[str, tuple[str, ...]], problem: str) -> None:
    assert namespace_isolation.trouble(isolated(**changes)) == problem


@pytest.mark.parametrize(
    ("answers", "wanted", "problem"),
    [
        (["mlistener"], True, ""),
        ([], True, "The sender had no answer from 'mlistener', which has joined 224.1.0.1"),
        (["mlistener", "outsider"], True, "was answered by 'outsider', of another namespace"),
        (["outsider"], False, "was answered by 'outsider', of another namespace"),
        ([], False, ""),
        (["mlistener"], False, "'mlistener' answered, although its namespace is not enabled"),
    ],
)
def test_who_may_answer(answers: list[str], wanted: bool, problem: str) -> None:
    found = pod_to_pod_namespace.trouble("mlistener", answers, wanted=wanted)
    assert found.endswith(problem)
    assert bool(found) == bool(problem)


def entry(**more: Any) -> dict[str, Any]:
    return {"dev": "cni0", "port": "veth1", "grp": "232.77.0.1", "state": "temp", **more}


def mdb(*entries: dict[str, Any]) -> str:
    return json.dumps([{"mdb": list(entries)}, {"router": {}}])


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        (mdb(entry(src="10.244.0.5", filter_mode="include")), ""),
        (mdb(entry(src="10.244.0.5"), entry(filter_mode="include", source_list=[{"address": "10.244.0.5"}])), ""),
        (mdb(entry(src="10.244.0.5"), entry(filter_mode="exclude")), "has (*,G) of 232.77.0.1"),
        (mdb(entry(src="10.244.0.5"), entry()), "has (*,G) of 232.77.0.1"),
        (mdb(entry(src="10.244.0.9")), "has no (S,G) of 232.77.0.1 for 10.244.0.5"),
        (mdb({**entry(), "grp": "232.77.0.2"}), "has no (S,G)"),
        ("", "has no (S,G)"),
    ],
)
def test_the_group_table(table: str, problem: str) -> None:
    found = ssm.snooped(table, "232.77.0.1", {"10.244.0.5"})
    assert problem in found
    assert bool(found) == bool(problem)


class Place:
    label, interface = "pod 'x'", "eth0"

    def __init__(self, out: str = "") -> None:
        self.out = out

    def run(self, argv: Any, timeout: float, check: bool = True) -> Any:
        self.argv = argv
        return self


def test_a_peers_command_says_what_it_does() -> None:
    place: Any = Place()
    argv = Probe("red1", place, rate=0, source="10.244.0.5").argv("232.77.0.1", 7001, 2, 64)
    assert argv[:4] == ["python3", "-I", "-S", "-c"]
    assert argv[5:9] == ["232.77.0.1", "7001", "red1", "2"]
    assert argv[9:] == [
        "--rate", "0", "--ttl", "64", "--interface", "eth0", "--source", "10.244.0.5",
    ]  # fmt: skip


def test_ipv6_is_a_global_address() -> None:
    place: Any = Place()
    place.stdout = "2: eth0    inet6 fd00:10:244::5/64 scope global"
    assert mld.has_ipv6(place)
    place.stdout = "\n"
    assert not mld.has_ipv6(place)
