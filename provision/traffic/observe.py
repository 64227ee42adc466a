"""One run of multicast from a sender to a receiver, observed from all sides; checks judge what was seen."""

from __future__ import annotations

import time
from dataclasses import dataclass
from ipaddress import IPv4Address

from provision.config import Lab
from provision.core.errors import WaitError
from provision.core.run import Completed
from provision.core.wait import Deadline, NotYet, until
from provision.traffic import iperf
from provision.traffic.bystander import Bystander
from provision.traffic.iperf import Reception, Sent
from provision.traffic.places import Place, Receiver, snapshot
from provision.traffic.testbed import Flow

_JOIN_SECONDS = 5.0
_WARM_UP_SECONDS = 0.3
_WARM_UP_ATTEMPTS = 3
_WARM_UP_REPORT_SECONDS = 0.8
_REPORT_SECONDS = 2.0
# After a client's end iperf drops the next one's first datagrams for about 40 ms (measured).
_SETTLE_SECONDS = 0.3
SLACK_SECONDS = 15.0


@dataclass(frozen=True)
class Measurement:
    """A sender at `source` (its address on the LAN), a receiver that was started for this run, and a bystander."""

    lab: Lab
    stream: Flow
    sender: Place
    source: str
    receiver: Receiver
    bystander: Bystander

    def send(self, seconds: float) -> Completed:
        """Run the sender to its end."""
        argv = iperf.sender_argv(self.stream.group, self.source, self.lab.checks.ttl, seconds, self.stream.port)
        return self.sender.run(argv, seconds + SLACK_SECONDS, check=False)


@dataclass(frozen=True)
class Sending:
    """How the sending went: datagrams of the warm-up that arrived, when it began in unix time, the sender's words."""

    warmed: int
    first_at: float
    output: Completed


@dataclass(frozen=True)
class Observation:
    """All that was observed of one run; interfaces and places are named for the messages.

    `left` and `reached` are the packets that the sender's and the receiver's interface counted during the run,
    `joined` the interfaces on which the receiver's kernel has the group, `heard` the multicast datagrams that the
    bystander heard, None when it did not answer after the run.
    """

    group: str
    sender: str
    sender_interface: str
    receiver: str
    interface: str
    sent: Sent | None
    left: int
    receiver_runs: bool
    joined: frozenset[str]
    reception: Reception | None
    reached: int
    heard: int | None


def observe(run: Measurement) -> tuple[Observation, Sending]:
    """Wait for the join, warm up, send for the lab's check duration, and look at both ends and at the bystander."""
    warmed, first_at = _warm_up(run)
    time.sleep(_SETTLE_SECONDS)
    seconds = run.lab.checks.duration_seconds
    before_sender, before_receiver = snapshot(run.sender), snapshot(run.receiver.place)
    sent_output = run.send(seconds)
    sent = iperf.parse_sender(sent_output.stdout)
    reception = _reception(run, sent.port, _REPORT_SECONDS) if sent else None
    after_sender, after_receiver = snapshot(run.sender), snapshot(run.receiver.place)
    group = IPv4Address(run.stream.group)
    observation = Observation(
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
    return observation, Sending(warmed, first_at, sent_output)


def wait_for_join(run: Measurement) -> None:
    """Until the receiver's kernel shows the group on any interface; on which one is for whoever judges to say."""

    def probe() -> bool | NotYet:
        if not run.receiver.running() or snapshot(run.receiver.place).joined(IPv4Address(run.stream.group)):
            return True
        return NotYet("no membership")

    try:
        until(f"{run.receiver.place.label} to join {run.stream.group}", probe, Deadline.after(_JOIN_SECONDS))
    except WaitError:
        return  # the run goes on, so that all figures are there


def _warm_up(run: Measurement) -> tuple[int, float]:
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


def _reception(run: Measurement, port: int, seconds: float) -> Reception | None:
    """What the receiver says of the client at `port` once it has seen its end, or after `seconds` what it says then."""

    def probe() -> Reception | NotYet:
        found = iperf.parse_receiver(run.receiver.output(), port)
        return found if found and found.complete else NotYet("no final report")

    try:
        return until("the receiver's report", probe, Deadline.after(seconds))
    except WaitError:
        return iperf.parse_receiver(run.receiver.output(), port)
