"""One run of multicast from a sender to a receiver, observed from all sides and then judged."""

from __future__ import annotations

import time
from dataclasses import dataclass
from ipaddress import IPv4Address

from provision.checks.result import Figure, Outcome, failed
from provision.checks.verdict import Flow, judge
from provision.config import Lab
from provision.core.errors import WaitError
from provision.core.run import Completed
from provision.core.wait import Deadline, NotYet, until
from provision.traffic import iperf
from provision.traffic.bystander import Bystander
from provision.traffic.iperf import Reception
from provision.traffic.places import Place, Receiver, snapshot
from provision.traffic.testbed import Stream

_JOIN_SECONDS = 5.0
_WARM_UP_SECONDS = 0.3
_WARM_UP_ATTEMPTS = 3
_WARM_UP_REPORT_SECONDS = 0.8
_REPORT_SECONDS = 2.0
# After a client's end iperf drops the next one's first datagrams for about 40 ms (measured).
_SETTLE_SECONDS = 0.3
_SLACK_SECONDS = 15.0


@dataclass(frozen=True)
class Run:
    """A sender at `source` (its address on the LAN), a receiver that was started for this run, and a bystander."""

    lab: Lab
    stream: Stream
    sender: Place
    source: str
    receiver: Receiver
    bystander: Bystander

    def send(self, seconds: float) -> Completed:
        """Run the sender to its end."""
        argv = iperf.sender_argv(self.stream.group, self.source, self.lab.checks.ttl, seconds, self.stream.port)
        return self.sender.run(argv, seconds + _SLACK_SECONDS, check=False)


def measure(run: Run) -> Outcome:
    """Wait for the join, warm up, send for the lab's check duration, and judge."""
    _wait_for_join(run)
    if not run.receiver.running():
        return failed(
            f"The receiver, {run.receiver.place.label}, ended before anything was sent: see its output",
            evidence=(run.receiver.output(),),
        )
    warmed, first_at = _warm_up(run)
    time.sleep(_SETTLE_SECONDS)
    seconds = run.lab.checks.duration_seconds
    before_sender, before_receiver = snapshot(run.sender), snapshot(run.receiver.place)
    sent_output = run.send(seconds)
    sent = iperf.parse_sender(sent_output.stdout)
    reception = _reception(run, sent.port, _REPORT_SECONDS) if sent else None
    after_sender, after_receiver = snapshot(run.sender), snapshot(run.receiver.place)
    group = IPv4Address(run.stream.group)
    flow = Flow(
        group=run.stream.group,
        sender=run.sender.label,
        sender_interface=run.sender.interface,
        receiver=run.receiver.place.label,
        interface=run.receiver.place.interface,
        sent=sent,
        left=after_sender.sent - before_sender.sent,
        receiver_runs=run.receiver.running(),
        # iperf's server leaves the group at the end of a stream, and joins it again for the next one.
        joined=before_receiver.joined(group) | after_receiver.joined(group),
        reception=reception,
        reached=after_receiver.received - before_receiver.received,
        heard=run.bystander.heard(run.sender, run.stream.port),
    )
    outcome = judge(flow, run.lab.checks.threshold_percent)
    figures = (*outcome.figures, Figure("warm_up", warmed, "datagrams"), Figure("first_sent_at", first_at, "unix time"))
    return Outcome(outcome.status, outcome.reason, figures, _evidence(run, sent_output, outcome))


def _wait_for_join(run: Run) -> None:
    """Until the receiver's kernel shows the group on any interface; on which one is the verdict's to say."""

    def probe() -> bool | NotYet:
        if not run.receiver.running() or snapshot(run.receiver.place).joined(IPv4Address(run.stream.group)):
            return True
        return NotYet("no membership")

    try:
        until(f"{run.receiver.place.label} to join {run.stream.group}", probe, Deadline.after(_JOIN_SECONDS))
    except WaitError:
        return  # the run goes on, so that the verdict has all figures


def _warm_up(run: Run) -> tuple[int, float]:
    """Send until the receiver has got a short run whole or thrice; return how many arrived of it and when it began.

    The first datagrams after a join may be lost while switches and bridges learn of it (verification-tests#2071).
    """
    for _attempt in range(_WARM_UP_ATTEMPTS):
        began = time.time()
        sent = iperf.parse_sender(run.send(_WARM_UP_SECONDS).stdout)
        reception = _reception(run, sent.port, _WARM_UP_REPORT_SECONDS) if sent else None
        if reception and reception.complete:
            return reception.arrived, began
    return 0, began


def _reception(run: Run, port: int, seconds: float) -> Reception | None:
    """What the receiver says of the client at `port` once it has seen its end, or after `seconds` what it says then."""

    def probe() -> Reception | NotYet:
        found = iperf.parse_receiver(run.receiver.output(), port)
        return found if found and found.complete else NotYet("no final report")

    try:
        return until("the receiver's report", probe, Deadline.after(seconds))
    except WaitError:
        return iperf.parse_receiver(run.receiver.output(), port)


def _evidence(run: Run, sent: Completed, outcome: Outcome) -> tuple[str, ...]:
    """The tools' own words; for a failure also what the kernels on both sides say of routes, members and filters."""
    passages = [
        f"sender, {run.sender.label}: {' '.join(sent.argv)}\n{sent.stdout}{sent.stderr}",
        f"receiver, {run.receiver.place.label}:\n{run.receiver.output()}",
    ]
    if outcome.status == "failed":
        interface = run.receiver.place.interface
        filters = [f"/proc/sys/net/ipv4/conf/{name}/rp_filter" for name in ("all", interface)]
        for place, argv in (
            (run.sender, ["ip", "route", "get", run.stream.group, "from", run.source]),
            (run.receiver.place, ["cat", "/proc/net/igmp"]),
            (run.receiver.place, ["grep", "-H", "", *filters]),
        ):
            done = place.run(argv, _SLACK_SECONDS, check=False)
            passages.append(f"{place.label}: {' '.join(argv)}\n{done.stdout}{done.stderr}")
    return tuple(passages)
