"""Running probes (agents/probe) in several places at once, and judging who heard whom, and when."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

from provision.core.errors import CommandError
from provision.core.paths import ROOT
from provision.traffic.places import Place

_SOURCE = ROOT / "agents" / "probe" / "probe.py"
QUARTER = 0.25  # of the agent's bins, in seconds
_SLACK_SECONDS = 60.0  # for a machine on which a process takes long to start
# The edge of an interval: what is on its way when it begins or ends belongs to neither side.
MARGIN = 0.3
_FEWEST = 2  # quarters of a second in which a sender must have sent, so that hearing it throughout means something


@dataclass(frozen=True)
class Probe:
    """One probe to run: where, under which tag, and what it does beside joining; `rate` 0 sends nothing."""

    tag: str
    place: Place
    rate: float = 20.0
    join: bool = True
    source: str = ""
    interface: str = ""

    def argv(self, group: str, port: int, seconds: float, ttl: int) -> list[str]:
        argv = ["python3", "-I", "-S", "-c", _agent(), group, str(port), self.tag, f"{seconds:g}"]
        argv += ["--rate", f"{self.rate:g}", "--ttl", str(ttl)]
        argv += ["--interface", self.interface or self.place.interface]
        return argv + ([] if self.join else ["--no-join"]) + (["--source", self.source] if self.source else [])


@dataclass(frozen=True)
class Heard:
    """What one probe heard of one tag: when last (unix time), and which quarters of a second by the sender's clock."""

    count: int
    last: float
    bins: frozenset[int]


NOTHING = Heard(0, 0.0, frozenset())


@dataclass(frozen=True)
class ProbeReport:
    """What one probe says at its end; times are unix times, `bins` the quarters of a second in which it sent."""

    tag: str
    joined: float
    ended: float
    sent: int
    bins: frozenset[int]
    heard: Mapping[str, Heard]

    def of(self, tag: str) -> Heard:
        return self.heard.get(tag, NOTHING)


class Reports(dict[str, ProbeReport]):
    """The reports of probes that ran together, by tag."""

    @property
    def interval(self) -> tuple[float, float]:
        """When all of them were there, without the margins."""
        begin = max(report.joined for report in self.values()) + MARGIN
        return begin, min(report.ended for report in self.values()) - MARGIN

    @property
    def spread(self) -> float:
        """How many seconds the last one began after the first one."""
        joined = [report.joined for report in self.values()]
        return max(joined) - min(joined)

    def sent_within(self, tag: str, begin: float, end: float) -> set[int]:
        """The quarters of a second of an interval in which `tag` sent."""
        return {number for number in self[tag].bins if begin <= number * QUARTER and (number + 1) * QUARTER <= end}

    def long_enough(self, tags: Iterable[str]) -> bool:
        """Whether each of these senders sent often enough while all were there for `throughout` to judge it."""
        return all(len(self.sent_within(tag, *self.interval)) >= _FEWEST for tag in tags)

    def throughout(self, listener: str, tag: str, begin: float, end: float) -> str:
        """Why `listener` did not hear `tag` in every quarter of a second of the interval; empty when it did.

        What counts are the quarters in which `tag` really sent: on a busy machine it does not get to in each.
        """
        sent = self.sent_within(tag, begin, end)
        if len(sent) < _FEWEST:
            return f"'{listener}' and '{tag}' were not there at the same time long enough"
        heard = sent & self[listener].of(tag).bins
        if heard == sent:
            return ""
        if not heard:
            return f"'{listener}' heard nothing of '{tag}', which sent {self[tag].sent} datagrams"
        return (
            f"'{listener}' heard '{tag}' in only {len(heard)} of the {len(sent)} quarters of a second in which it sent"
        )

    def silent(self, listener: str, tag: str) -> str:
        """Why it cannot be said that `listener` heard nothing of `tag` the whole time; empty when it can."""
        if not self[tag].sent:
            return f"'{tag}' sent nothing, so that the silence of '{listener}' proves nothing"
        count = self[listener].of(tag).count
        return f"'{listener}' heard {count} of {self[tag].sent} datagrams of '{tag}'" if count else ""


@cache
def _agent() -> str:
    return _SOURCE.read_text(encoding="utf-8")


class Running:
    """Probes that run; `reports` waits for their end."""

    def __init__(self, executor: ThreadPoolExecutor, futures: Mapping[str, Future[ProbeReport]]) -> None:
        self._executor = executor
        self._futures = futures

    def reports(self) -> Reports:
        """Raises CommandError when one of them could not do its part."""
        try:
            return Reports({tag: future.result() for tag, future in self._futures.items()})
        finally:
            self._executor.shutdown(wait=False, cancel_futures=True)


def start(probes: Sequence[Probe], group: str, port: int, seconds: float, ttl: int = 64) -> Running:
    """Start all of them, each for `seconds`."""
    executor = ThreadPoolExecutor(max_workers=len(probes), thread_name_prefix="probe")
    return Running(executor, {probe.tag: executor.submit(_one, probe, group, port, seconds, ttl) for probe in probes})


def _one(probe: Probe, group: str, port: int, seconds: float, ttl: int) -> ProbeReport:
    done = probe.place.run(probe.argv(group, port, seconds, ttl), seconds + _SLACK_SECONDS)
    return parse(probe.tag, done.stdout, probe.place.label)


def parse(tag: str, text: str, label: str) -> ProbeReport:
    """The report in a probe's output; raises CommandError when there is none."""
    try:
        found = json.loads(text)
        heard = {
            name: Heard(item["count"], item["last"], frozenset(item["bins"])) for name, item in found["heard"].items()
        }
        bins = frozenset(found["bins"])
        return ProbeReport(tag, found["joined"], found["ended"], found["sent"], bins, heard)
    except (AttributeError, ValueError, KeyError, TypeError) as error:
        raise CommandError(f"The probe in {label} reported nothing", detail=text) from error
