"""Waiting: by deadline, on a named condition, and a time-out is a failure that says what was last seen."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from provision.core.errors import WaitError

T = TypeVar("T")


@dataclass(frozen=True)
class Deadline:
    """A moment on the monotonic clock, `seconds` after it was made."""

    seconds: float
    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        return cls(seconds, time.monotonic() + seconds)

    @property
    def remaining(self) -> float:
        """Seconds left, never below 0."""
        return max(0.0, self.at - time.monotonic())

    @property
    def expired(self) -> bool:
        return self.remaining == 0.0

    def pause(self, seconds: float) -> None:
        """Sleep, but not beyond the deadline."""
        time.sleep(min(seconds, self.remaining))


@dataclass(frozen=True)
class NotYet:
    """What a probe saw instead of the condition that is waited for."""

    seen: str


def until(
    what: str,
    probe: Callable[[], T | NotYet],
    deadline: Deadline,
    *,
    interval: float = 0.2,
    remedy: str = "",
) -> T:
    """Call `probe` every `interval` seconds until it returns something other than `NotYet`, and return that.

    Raises WaitError, naming `what` and what was last seen, once the deadline has passed.
    """
    while True:
        answer = probe()
        if not isinstance(answer, NotYet):
            return answer
        if deadline.expired:
            raise WaitError(f"Waited {deadline.seconds:.0f} s for {what}; last seen: {answer.seen}", remedy=remedy)
        deadline.pause(interval)
