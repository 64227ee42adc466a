"""Probes that must be there at the same time: run again, longer, where a slow machine let them miss each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from provision.traffic.probes import Probe, Reports, start
from provision.traffic.testbed import Flow

_ATTEMPTS = 4
_LONGER_SECONDS = 0.5  # each time, where it was not for the spread
T = TypeVar("T")


def run_together(probes: Sequence[Probe], stream: Flow, seconds: float) -> Reports:
    """The reports of probes of which all were there for at least half of `seconds`, or of the last attempt.

    That long, and long enough for every sender among them to be judged.
    """
    return together_while(probes, stream, seconds, lambda _length: None)[0]


def together_while(
    probes: Sequence[Probe],
    stream: Flow,
    seconds: float,
    look: Callable[[float], T],
    enough: Callable[[Reports, T], bool] = lambda _reports, _seen: True,
) -> tuple[Reports, T]:
    """The same, and what `look` returned meanwhile; it gets the number of seconds for which the probes run.

    They are run again, longer, until `enough` is content as well.
    """
    length = seconds
    senders = [probe.tag for probe in probes if probe.rate]
    for attempt in range(1, _ATTEMPTS + 1):
        running = start(probes, stream.group, stream.port, length)
        seen = look(length)
        reports = running.reports()
        begin, end = reports.interval
        if end - begin >= seconds / 2 and reports.long_enough(senders) and enough(reports, seen):
            break
        length = seconds + attempt * _LONGER_SECONDS + 2 * reports.spread
    return reports, seen


def sentence(problems: Sequence[str]) -> str:
    """All that was found wrong, as one text; empty where nothing was."""
    return "; ".join(problem for problem in problems if problem)
