"""Choosing checks, and running them: one that breaks fails alone, and the testbed is always cleared."""

import threading
import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from provision.checks import CheckRun
from provision.checks.registry import CHECKS, GROUPS, Check, select
from provision.checks.result import Figure, Outcome, Result, failed, not_applicable, passed, require_none_failed
from provision.core.errors import ChecksFailed, HostError, InputError, Problems
from provision.core.typed import Typed

TRAFFIC = ["host-to-host", "source-to-pod", "pod-to-pod-macvlan", "host-network-pod"]


def test_the_usual_checks_in_order_when_none_is_named() -> None:
    assert [check.name for check in select(())] == [
        "nodes-ready",
        "system-pods-ready",
        "cluster-dns",
        "networks-present",
        "tenant-networks",
        "attachments-whole",
        "host-to-host",
        "source-to-pod",
        "pod-to-pod-macvlan",
        "host-network-pod",
        "multicast-off-by-default",
    ]
    assert all(check.summary for check in CHECKS)


def test_named_checks_once_each() -> None:
    chosen = select(["source-to-pod", "cluster-dns", "source-to-pod"])
    assert [check.name for check in chosen] == ["cluster-dns", "source-to-pod"]


def test_groups_and_all() -> None:
    assert [check.name for check in select(["lan"])] == TRAFFIC
    assert [check.name for check in select(["lan", "cluster-dns"])] == ["cluster-dns", *TRAFFIC]
    assert len(select(["namespace"])) == 9
    assert select((), every=True) == list(CHECKS)
    assert {check.group for check in CHECKS} == set(GROUPS)


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(InputError) as caught:
        select(["source-to-pods"])
    assert str(caught.value) == (
        "There is no check 'source-to-pods'\n"
        "  remedy: Take the nearest, 'source-to-pod'; `mcastlab check --list` shows all"
    )


def test_all_unknown_names_at_once() -> None:
    with pytest.raises(Problems, match=r"'dns'.*\n.*\n.*'host'"):
        select(["dns", "host", "host-to-host"])


class Testbed(SimpleNamespace):
    """One that needs no cluster, and notes how it was closed."""

    def __init__(self, *, emulated: bool = False) -> None:
        super().__init__(emulated=emulated, typed=Typed(), closed=[])

    def lacks(self, needs: Sequence[str]) -> str:
        return "not here" if "hosts" in needs else ""

    def close(self, in_a_hurry: bool = False) -> None:
        self.closed.append("hurry" if in_a_hurry else "close")


def run(testbed: Any, **checks: Any) -> tuple[list[Result], list[str]]:
    told: list[str] = []
    chosen = [Check(name, "", function) for name, function in checks.items()]
    return CheckRun(chosen, testbed).results(lambda result: told.append(result.name)), told


def test_a_check_that_raises_has_failed_and_the_others_go_on() -> None:
    testbed = Testbed()

    def unreachable(_bench: Any) -> Outcome:
        raise HostError("Host 'k8s' is gone", where="root@10.0.0.11:22", remedy="Start it", detail="no route")

    def broken(_bench: Any) -> Outcome:
        return {}["nothing"]

    results, told = run(testbed, a=unreachable, b=broken, c=lambda _bench: passed("fine"))
    assert [(result.name, result.status) for result in results] == [("a", "failed"), ("b", "failed"), ("c", "passed")]
    assert results[0].reason == "Host 'k8s' is gone"
    assert results[0].evidence == ("root@10.0.0.11:22", "no route")
    assert results[0].remedy == "Start it"
    assert results[1].reason == "The check itself broke: KeyError: 'nothing'"
    assert sorted(told) == ["a", "b", "c"]
    assert testbed.closed == ["close"]


@pytest.mark.parametrize(("emulated", "most"), [(False, 3), (True, 1)])
def test_checks_run_side_by_side_where_the_node_is_not_emulated(emulated: bool, most: int) -> None:
    at_once, running = [0], []
    met = threading.Barrier(most)

    def check(_bench: Any) -> Outcome:
        running.append(None)
        met.wait(10)  # three at once, or it breaks; and alone over an interval, in which another could begin
        time.sleep(0.05)
        at_once.append(len(running))
        running.pop()
        return passed("fine")

    run(Testbed(emulated=emulated), a=check, b=check, c=check)
    assert max(at_once) == most


def test_what_the_cluster_lacks_is_not_applicable_and_is_not_run() -> None:
    def never(_bench: Any) -> Outcome:
        raise AssertionError

    checks = [Check("a", "", never, needs=("hosts",)), Check("b", "", lambda _bench: passed("fine"), needs=("switch",))]
    testbed: Any = Testbed()
    results = CheckRun(checks, testbed).results(lambda _result: None)
    assert [(result.status, result.reason) for result in results] == [
        ("not-applicable", "not here"),
        ("passed", "fine"),
    ]
    assert testbed.closed == ["close"]


def test_an_interrupt_clears_the_bench_and_is_passed_on() -> None:
    def interrupt(_result: Result) -> None:
        raise KeyboardInterrupt

    testbed: Any = Testbed()
    with pytest.raises(KeyboardInterrupt):
        CheckRun([Check("a", "", lambda _bench: passed("fine"))], testbed).results(interrupt)
    assert testbed.closed == ["hurry"]


def test_pods_that_stay_are_a_failure_and_no_result_is_lost() -> None:
    class Stuck(Testbed):
        def close(self, in_a_hurry: bool = False) -> None:
            raise HostError("Waited 30 s for pod 'default/mcastlab-check-dns' to be gone; last seen: phase Running")

    results, told = run(Stuck(), a=lambda _bench: passed("fine"))
    assert [(result.name, result.status) for result in results] == [("a", "passed"), ("clean-up", "failed")]
    assert told == ["a", "clean-up"]


def test_a_result_as_a_line() -> None:
    good = Result.of("nodes-ready", passed("1 of 1 nodes is ready", Figure("ready", 1, "nodes")), 0.24)
    assert good.line().plain == "✓ nodes-ready                0.2 s  passed"
    bad = Result.of("multicast-off-by-default", failed("Nothing came", evidence=("one\ntwo\n",)), 12.0)
    assert bad.line().plain == "✗ multicast-off-by-default  12.0 s  failed"
    other = Result.of("mld", not_applicable("The lab has no IPv6"), 0.0)
    assert other.line().plain == "- mld                        0.0 s  not-applicable"


def test_what_failed_is_named_with_the_commands_that_go_on_from_there() -> None:
    bad = [Result.of(name, failed("Nothing came"), 1.0) for name in ("host-to-host", "clean-up")]
    results = [*bad, Result.of("mld", passed("All came"), 1.0)]
    collect = "; `mcastlab logs DIR` collects what tells why"
    for failures, options, logs, remedy in (
        (results, [], True, "`mcastlab check host-to-host` repeats what failed" + collect),
        (results, ["--namespace", "a b"], False, "`mcastlab check host-to-host --namespace 'a b'` repeats what failed"),
        (results[1:], [], True, "`mcastlab check` removes what is left" + collect),
    ):
        with pytest.raises(ChecksFailed) as told:
            require_none_failed(failures, options, logs=logs)
        assert told.value.remedy == remedy
    assert told.value.problem == "1 of 2 checks failed: 'clean-up'"
    require_none_failed(results[2:])
