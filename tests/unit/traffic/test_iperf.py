"""The parsers on what iperf 2.1.8 really printed, recorded with two network namespaces on a bridge."""

from pathlib import Path

import pytest

from provision.traffic.iperf import parse_receiver, parse_sender, receiver_argv, sender_argv

RECORDED = Path(__file__).parent / "recorded"


def recorded(name: str) -> str:
    return (RECORDED / f"{name}.txt").read_text()


def reception(name: str):
    sent = parse_sender(recorded(f"sender-{name}"))
    return sent, parse_receiver(recorded(f"receiver-{name}"), sent.port)


def test_the_seeds_own_command_lines() -> None:
    assert " ".join(receiver_argv("224.0.67.67", "eth1")) == "iperf -s -u -B 224.0.67.67%eth1 -i 1"
    sender = sender_argv("224.0.67.67", "10.0.0.12", 5, 5)
    assert " ".join(sender) == "iperf -c 224.0.67.67 -u --ttl 5 -t 5 -B 10.0.0.12"
    assert receiver_argv("224.0.67.68", "eth1", 5002)[-2:] == ["-p", "5002"]


def test_a_run_is_told_from_the_warm_up_before_it() -> None:
    output = recorded("receiver-warm-up-and-run")
    warm_up, run = parse_sender(recorded("sender-warm-up")), parse_sender(recorded("sender-run"))
    assert (warm_up.datagrams, run.datagrams) == (30, 449)
    assert parse_receiver(output, warm_up.port).arrived == 30
    found = parse_receiver(output, run.port)
    # The four that iperf drops after a previous client's end; the checks wait it out.
    assert (found.total, found.lost, found.arrived, found.complete) == (449, 4, 445, True)


def test_a_short_run_has_its_only_interval_twice_and_counts_once() -> None:
    found = parse_receiver(recorded("receiver-warm-up-and-run"), 58683)
    assert (found.total, found.complete, found.with_copies) == (30, True, 30)


def test_a_lost_tail_is_not_forgiven() -> None:
    sent, found = reception("cut-off")
    assert sent.datagrams == 360
    # No end was received, so the intervals are added up; the one that was reported late is not counted.
    assert (found.total, found.lost, found.arrived, found.complete) == (207, 0, 206, False)


def test_losses_in_between() -> None:
    sent, found = reception("every-20th-lost")
    assert (sent.datagrams, found.total, found.lost, found.arrived) == (271, 271, 14, 257)


@pytest.mark.parametrize(("name", "copies"), [("every-datagram-twice", 270), ("every-tenth-twice", 27)])
def test_copies_never_raise_what_arrived(name: str, copies: int) -> None:
    sent, found = reception(name)
    assert (found.lost, found.out_of_order) == (0, copies)
    assert found.arrived == 271 - copies
    assert found.with_copies == pytest.approx(sent.datagrams + copies, rel=0.01)


def test_a_receiver_that_was_ended_reports_what_it_had() -> None:
    sent = parse_sender(recorded("sender-receiver-ended-early"))
    found = parse_receiver(recorded("receiver-ended-early"), sent.port)
    assert (sent.port, sent.datagrams, found.arrived) == (56735, 271, 136)


def test_nothing_received_is_none() -> None:
    assert parse_receiver(recorded("receiver-nothing"), 5001) is None


def test_a_sender_that_could_not_bind_sent_nothing() -> None:
    """iperf ends with exit code 0 there; only the missing report tells."""
    assert parse_sender(recorded("sender-cannot-bind")) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "iperf: command not found\n",
        "[  1] Sent 10 datagrams\n",
        "[  1] local 10.0.0.12 port 1 connected with 224.0.67.67 port 5001\n[  1] Sent 0 datagrams\n",
        "[  1] local 10.0.0.12 port 1 connected with 224.0.67.67 port 5001\n[  1] Sent 1 datagrams\n",  # only the end
    ],
)
def test_broken_sender_output_is_nothing_sent(text: str) -> None:
    assert parse_sender(text) is None


@pytest.mark.parametrize("lines", range(12))
def test_receiver_output_may_end_anywhere(lines: int) -> None:
    cut = "\n".join(recorded("receiver-warm-up-and-run").splitlines()[:lines])
    found = parse_receiver(cut, 58683)
    assert found is None or found.arrived == 30


def test_a_row_before_its_client_is_ignored() -> None:
    row = "[  1] 0.0000-1.0000 sec   129 KBytes  1.06 Mbits/sec   0.004 ms 4/94 (4.3%)\n"
    assert parse_receiver(row + "[  1] 0.0000-1.0000 sec  3 datagrams received out-of-order\n", 1) is None
