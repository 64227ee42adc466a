"""Peers run again where they missed each other: long enough means that each sender can be judged."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from provision.traffic.probes import Probe
from provision.traffic.testbed import Flow
from provision.traffic.together import run_together

START = 1000.1  # not at the edge of a quarter: half a second then holds one whole quarter only


@dataclass
class Answers:
    """A place whose peers tell how long they were there, one entry for each run."""

    lengths: Iterator[float]
    rate_of_bins: int = 1
    asked: list[float] = field(default_factory=list)
    label: str = "pod 'x'"
    interface: str = "eth0"

    def run(self, argv: Sequence[str], timeout: float) -> Any:
        self.asked.append(float(argv[8]))
        ended = START + 0.6 + next(self.lengths)  # 0.3 s of margin on either side are not counted
        bins = list(range(int(START * 4), int(ended * 4), self.rate_of_bins))
        self.stdout = json.dumps({"joined": START, "ended": ended, "sent": len(bins), "bins": bins, "heard": {}})
        return self


def run(*lengths: float, rate: float = 20.0, every: int = 1) -> list[float]:
    """For how long the peer was asked to run each time, when it then was there for `lengths`."""
    place: Any = Answers(iter(lengths), every)
    run_together([Probe("a", place, rate=rate)], Flow("239.1.1.1", 5005), 1.0)
    return list(place.asked)


def test_half_a_second_with_one_whole_quarter_in_it_is_not_enough_to_judge() -> None:
    assert run(0.5, 1.0) == [1.0, 1.5]


def test_what_only_listens_needs_no_quarters() -> None:
    assert run(0.5, rate=0) == [1.0]


def test_a_sender_that_did_not_get_to_it_is_run_again() -> None:
    assert run(1.0, 4.0, every=8) == [1.0, 1.5]


@pytest.mark.parametrize("lengths", [(0.1, 0.2, 0.3, 0.4)])
def test_it_ends_at_some_time(lengths: tuple[float, ...]) -> None:
    assert run(*lengths) == [1.0, 1.5, 2.0, 2.5]
