"""switch-off: disabling a namespace stops a flow that runs in it, while that of another namespace goes on."""

from __future__ import annotations

import time

from provision import multicast
from provision.checks.result import Figure, Outcome, failed, passed
from provision.traffic.probes import MARGIN, Peer, Reports
from provision.traffic.testbed import Testbed
from provision.traffic.together import sentence, together_while

_SECONDS = 6.0
_RATE = 100.0
_AFTER_SECONDS = 1.0
_ROOMS = {"off1": "off-on", "off2": "off-on", "red1": "red-on", "red2": "red-on"}


def run(testbed: Testbed) -> Outcome:
    stream = testbed.policy_stream("switch-off")
    places = testbed.rooms.places(_ROOMS)
    found, room = testbed.found(), [testbed.rooms.namespace("off-on")]

    def switch(length: float) -> tuple[float, float]:
        """Disable in the middle of the run; when that was asked for, and when it was answered."""
        multicast.enable(testbed.kube, found, room)  # again, where the peers missed each other before
        time.sleep(length / 2)
        asked = time.time()
        multicast.disable(testbed.kube, found, room)
        return asked, time.time()

    peers = [Peer(tag, place, rate=_RATE) for tag, place in places.items()]
    reports, (asked, done) = together_while(peers, stream, _SECONDS, switch, _enough)
    begin, end = reports.interval
    heard = reports["off2"].of("off1")
    stopped = max(heard.last, reports["off1"].of("off2").last)
    figures = (
        Figure("received_before", heard.count, "datagrams"),
        Figure("last_datagram_after", round(max(0.0, stopped - asked), 3), "s"),
        Figure("answered_after", round(done - asked, 3), "s"),
    )
    flow = [reports.throughout("off2", "off1", begin, asked), reports.throughout("off1", "off2", begin, asked)]
    others = [reports.throughout("red1", "red2", begin, end), reports.throughout("red2", "red1", begin, end)]
    problem = sentence([*flow, *others])
    if problem:
        return failed(problem, *figures)
    if end - done < _AFTER_SECONDS:
        return failed(
            f"The peers ended {end - done:.1f} s after the switch: too early to say that the flow stopped", *figures
        )
    if stopped > done + MARGIN:
        return failed(f"Datagrams still came {stopped - done:.1f} s after the switch was in force", *figures)
    return passed(
        f"the flow stopped {figures[1].value:g} s after it was asked for; another namespace's went on", *figures
    )


def _enough(reports: Reports, times: tuple[float, float]) -> bool:
    """Whether all peers were there for a while before the switch was asked for, and after it was answered."""
    (begin, end), (asked, done) = reports.interval, times
    return asked - begin >= _AFTER_SECONDS and end - done >= _AFTER_SECONDS
