"""What passes and what fails, and the reason given: every way in which a run can be wrong."""

from dataclasses import replace

import pytest

from provision.checks.verdict import judge
from provision.traffic.iperf import DATAGRAM_BYTES, Reception, Sent
from provision.traffic.observe import Observation

GOOD = Observation(
    group="224.0.67.67",
    sender="host 'mcastsrc'",
    sender_interface="eth1",
    receiver="pod 'default/receiver'",
    interface="eth1",
    sent=Sent(40000, 449),
    left=452,
    receiver_runs=True,
    joined=frozenset({"eth1"}),
    reception=Reception(40000, 449, 0, 0, 449 * DATAGRAM_BYTES, 0.01, True),
    reached=455,
    heard=0,
)


def received(total: int = 449, lost: int = 0, out_of_order: int = 0, copies: int = 0) -> Reception:
    size = (total - lost + copies) * DATAGRAM_BYTES
    return Reception(40000, total, lost, out_of_order, size, 0.01, True)


def test_all_received_passes() -> None:
    outcome = judge(GOOD, 99.0)
    assert (outcome.status, outcome.reason) == ("passed", "449 of 449 datagrams were received (100.0 %)")
    assert {figure.name: figure.value for figure in outcome.figures} == {
        "sent": 449,
        "received": 449,
        "received_percent": 100.0,
        "sender_interface": 452,
        "receiver_interface": 455,
        "out_of_order": 0,
        "jitter": 0.01,
        "bystander": 0,
    }


@pytest.mark.parametrize(("lost", "status"), [(0, "passed"), (4, "passed"), (5, "failed"), (448, "failed")])
def test_the_threshold_is_of_what_was_sent(lost: int, status: str) -> None:
    """4 of 449 are 0.89 %, 5 are 1.11 %."""
    assert judge(replace(GOOD, reception=received(lost=lost)), 99.0).status == status


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"sent": None}, "The sender, host 'mcastsrc', sent nothing: see its output"),
        (
            {"left": 3},
            "iperf reports 449 datagrams sent, but interface 'eth1' of host 'mcastsrc' sent only 3 packets:"
            " it is down, or the route leads out of another one",
        ),
        ({"receiver_runs": False}, "The receiver, pod 'default/receiver', did not run to the end: see its output"),
        (
            {"joined": frozenset()},
            "The receiver, pod 'default/receiver', is not a member of 224.0.67.67 on any interface",
        ),
        (
            {"joined": frozenset({"eth0"})},
            "The receiver, pod 'default/receiver', joined 224.0.67.67 on 'eth0' instead of 'eth1'",
        ),
        (
            {"joined": frozenset({"eth0", "eth1"})},
            "The receiver, pod 'default/receiver', joined 224.0.67.67 not only on 'eth1' but also on 'eth0'",
        ),
        (
            {"reception": None, "reached": 2},
            "No datagram of 449 sent was received. Likely: they left host 'mcastsrc', but only 2 packets reached"
            " interface 'eth1' of pod 'default/receiver': snooping without a querier, a MAC filter of the"
            " hypervisor, or a firewall that drops bridged traffic",
        ),
        (
            {"reception": None},
            "No datagram of 449 sent was received. Likely: they reached interface 'eth1' of pod 'default/receiver'"
            " (455 packets) but not the socket: reverse-path filter (rp_filter), a firewall there, or a full socket"
            " buffer",
        ),
        (
            {"reception": received(total=200), "reached": 201},
            "Only 200 of 449 datagrams were received (44.5 % of the 99 % needed). Likely: they left host 'mcastsrc',"
            " but only 201 packets reached interface 'eth1' of pod 'default/receiver': snooping without a querier, a"
            " MAC filter of the hypervisor, or a firewall that drops bridged traffic",
        ),
        (
            {"reception": received(out_of_order=449, copies=449), "reached": 900},
            "Duplicates: about 898 datagrams were received of 449 sent: two paths lead to the receiver, or a bridge"
            " sends back what it got (hairpin mode)",
        ),
        (
            {"reception": received(out_of_order=20)},
            "20 of 449 datagrams came out of order: more than one path leads to the receiver",
        ),
        (
            {"reached": 10},
            "The counters disagree: the receiver counts 449 datagrams, its interface 'eth1' only 10 packets:"
            " they came in by another interface",
        ),
        ({"heard": 7}, "The bystander, which joined no group, heard 7 multicast datagrams"),
        (
            {"heard": None},
            "The bystander, which must hear nothing, did not answer by unicast: its silence proves nothing",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_failures(change: dict, reason: str) -> None:
    outcome = judge(replace(GOOD, **change), 99.0)
    assert (outcome.status, outcome.reason) == ("failed", reason)


def test_a_threshold_of_nothing_still_needs_a_datagram() -> None:
    assert judge(replace(GOOD, reception=None), 0.0).status == "failed"
    assert judge(replace(GOOD, reception=received(total=0)), 0.0).status == "failed"


def test_copies_do_not_make_up_for_losses() -> None:
    """iperf takes copies off the losses: 8 lost and 4 copies look like 4 lost."""
    flow = replace(GOOD, reception=received(lost=4, out_of_order=4, copies=4))
    assert judge(flow, 99.0).status == "failed"


def test_one_percent_of_copies_is_the_limit() -> None:
    assert judge(replace(GOOD, reception=received(out_of_order=4, copies=4)), 99.0).status == "passed"
    assert judge(replace(GOOD, reception=received(out_of_order=5, copies=5)), 90.0).status == "failed"
