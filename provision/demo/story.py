"""The story that the demo tells: two find each other, a third joins, and is reaped when it is gone."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from provision.core.errors import WaitError
from provision.core.wait import Deadline, NotYet, until
from provision.demo.peers import DEAD_SECONDS, REAP_SECONDS, SEND_SECONDS, Demo, Sight, still_alive, unseen

# What the agent's own times allow: a ping may have been sent just before, and the reaper have looked just before.
FOUND_SECONDS = SEND_SECONDS
REAPED_SECONDS = DEAD_SECONDS + REAP_SECONDS
# For a machine that is busy: processes start late, and so does a look.
_SLACK_SECONDS = 4.0


@dataclass(frozen=True)
class Chapter:
    """A part of the story that came true: what it is, after how many seconds, and how many the agent's times allow."""

    title: str
    seconds: float
    allowed: float


@dataclass(frozen=True)
class Story:
    """Tells itself with a demo; `show` gets all sights each time that they are looked at."""

    demo: Demo
    show: Callable[[list[Sight]], None]

    def tell(self, tell: Callable[[Chapter], None]) -> list[Chapter]:
        """Deploy first and second, scale second to 2 and back to 1; raises WaitError for what does not come true."""
        told = []
        for name in ("first", "second"):
            self.demo.deploy(name)
        for part in (self._found, self._joined, self._reaped):
            chapter = part()
            tell(chapter)
            told.append(chapter)
        return told

    def _found(self) -> Chapter:
        return self._all_see("first and second see each other", self.demo.wait(2))

    def _joined(self) -> Chapter:
        self.demo.scale("second", 2)
        return self._all_see("second has 2 replicas, and all three see each other", self.demo.wait(3))

    def _reaped(self) -> Chapter:
        before = self.demo.wait(3)
        self.demo.scale("second", 1)
        left = self.demo.wait(2)
        gone = next(name for name in before if name not in left)
        started = time.monotonic()

        def lacking(sights: list[Sight]) -> list[str]:
            answered = {sight.name for sight in sights}
            silent = [f"{name} does not answer" for name in left if name not in answered]
            return [*still_alive(sights, gone), *silent, *unseen(sights, left)]

        what = f"{gone} to be marked dead, which has gone"
        self._until(what, lacking, REAPED_SECONDS)
        # The pod answers to its end for up to a second after it has left the list.
        return Chapter(f"second has 1 replica, and {gone} is marked dead", time.monotonic() - started, REAPED_SECONDS)

    def _all_see(self, title: str, names: list[str]) -> Chapter:
        started = time.monotonic()
        self._until("all to see each other", lambda sights: unseen(sights, names), FOUND_SECONDS)
        return Chapter(title, time.monotonic() - started, FOUND_SECONDS)

    def _until(self, what: str, lacking: Callable[[list[Sight]], list[str]], allowed: float) -> None:
        def probe() -> bool | NotYet:
            sights = self.demo.sights()
            self.show(sights)
            problems = lacking(sights)
            return NotYet("; ".join(problems)) if problems else True

        try:
            until(what, probe, Deadline.after(allowed + _SLACK_SECONDS), interval=0.25)
        except WaitError as error:
            error.detail = "\n".join(self.demo.warnings())
            raise
