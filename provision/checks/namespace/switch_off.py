"""switch-off: disabling a namespace stops a flow that runs in it, while that of another namespace goes on."""

from __future__ import annotations

import time

from provision import multicast
from provision.checks.result import Figure, Outcome, failed, passed
from provision.traffic.namespaces import Space
from provision.traffic.probes import MARGIN, Probe, Reports
from provision.traffic.testbed import Testbed
from provision.traffic.together import sentence, together_while

_SECONDS = 6.0
_RATE = 100.0
_AFTER_SECONDS = 1.0
_OFF = Space("off", multicast=True)
_RED = Space("red", multicast=True)
_SPACES = {"off1": _OFF, "off2": _OFF, "red1": _RED, "red2": _RED}


def run(testbed: Testbed) -> Outcome:
    stream = testbed.policy_stream("switch-off")
    places = testbed.spaces.places(_SPACES)
    found, off = testbed.found(), [testbed.spaces.namespace(_OFF)]

    def switch(length: float) -> tuple[float, float]:
        """Disable in the middle of the run; when that was asked for, and when it was answered."""
        multicast.enable(testbed.kube, found, off)  # again, where the probes missed each other before
        time.sleep(length / 2)
        asked = time.time()
        multicast.disable(testbed.kube, found, off)
        return asked, time.time()

    probes = [Probe(tag, place, rate=_RATE) for tag, place in places.items()]
    reports, (asked, done) = together_while(probes, stream, _SECONDS, switch, _enough)
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
            f"The probes ended {end - done:.1f} s after the switch: too early to say that the flow stopped", *figures
        )
    if stopped > done + MARGIN:
        return failed(f"Datagrams still came {stopped - done:.1f} s after the switch was in force", *figures)
    return passed(
        f"The flow stopped {figures[1].value:g} s after it was asked for, and another namespace's went on", *figures
    )


def _enough(reports: Reports, times: tuple[float, float]) -> bool:
    """Whether all probes were there for a while before the switch was asked for, and after it was answered."""
    (begin, end), (asked, done) = reports.interval, times
    return asked - begin >= _AFTER_SECONDS and end - done >= _AFTER_SECONDS
