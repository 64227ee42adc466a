"""Peers that must be there at the same time: run again, longer, where a slow machine let them miss each other."""

from __future__ import annotations

from collections.abc import Sequence

from provision.checks.context import Stream
from provision.checks.peers import Peer, Reports, run

_ATTEMPTS = 3


def together(peers: Sequence[Peer], stream: Stream, seconds: float) -> Reports:
    """The reports of peers of which all were there for at least half of `seconds`, or of the last attempt."""
    length = seconds
    for _attempt in range(_ATTEMPTS):
        reports = run(peers, stream.group, stream.port, length)
        begin, end = reports.interval
        if end - begin >= seconds / 2:
            break
        length = seconds + 2 * reports.spread
    return reports


def sentence(problems: Sequence[str]) -> str:
    """All that was found wrong, as one text; empty where nothing was."""
    return "; ".join(problem for problem in problems if problem)
