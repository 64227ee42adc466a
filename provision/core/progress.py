"""Progress for people: a live list of stages on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from provision.core.typed import Typed

_WIDE = 200  # columns off a terminal, where nothing has to fit a screen and a cut line is a lost one


def console(*, stderr: bool = False) -> Console:
    """The terminal as it is, or plain text with room for whole lines."""
    found = Console(stderr=stderr)
    return found if found.is_terminal else Console(stderr=stderr, width=_WIDE)


class Verbosity(IntEnum):
    QUIET = 0
    NORMAL = 1
    VERBOSE = 2


@dataclass
class StageLine:
    """One stage as it is shown; `mark` is ✓, ✗ or empty while it runs; `seconds` once it has ended."""

    name: str
    started: float
    mark: str = ""
    seconds: float = 0.0
    summary: str = ""

    def text(self) -> Text:
        colour = {"✓": "green", "✗": "red"}[self.mark]
        line = Text.assemble((self.mark, colour), f" {self.name:<11} {self.seconds:6.1f} s")
        return line.append(f"  {self.summary}" if self.summary else "")


@dataclass
class Progress:
    """Shows stages and what they report; `stages` keeps how long each took, in seconds, for the report."""

    console: Console
    verbosity: Verbosity = Verbosity.NORMAL
    typed: Typed = field(default_factory=Typed)
    stages: list[StageLine] = field(default_factory=list)
    _detail: str = ""
    _live: Live | None = None

    def report(self, line: str) -> None:
        """A step inside the running stage: replaced by the next one on a terminal, a line of its own elsewhere."""
        self.now(line)
        if self.verbosity >= Verbosity.VERBOSE or not self.console.is_terminal:
            self.say(f"    {line}")

    def now(self, line: str) -> None:
        """What runs right now, for the list on a terminal; never a line of its own."""
        self._detail = line
        if self._live:
            self._live.update(self._running())

    def say(self, line: RenderableType) -> None:
        """A line that stays, unless the user asked for quiet; commands that a text suggests are completed."""
        if isinstance(line, str):
            line = self.typed.completed(line)
        if self.verbosity > Verbosity.QUIET:
            self.console.print(line, soft_wrap=True, highlight=False, markup=False)

    @contextmanager
    def stage(self, name: str) -> Iterator[StageLine]:
        """Show `name` as running until the block ends, then with its mark, seconds and `summary`."""
        line = StageLine(name, time.monotonic())
        self.stages.append(line)
        self._detail = ""
        try:
            with self._watching():
                yield line
            line.mark = "✓"
        except BaseException:
            line.mark = "✗"
            raise
        finally:
            line.seconds = time.monotonic() - line.started
            self.say(line.text())

    @contextmanager
    def _watching(self) -> Iterator[None]:
        if not self.console.is_terminal or self.verbosity != Verbosity.NORMAL:
            yield
            return
        live = Live(self._running(), console=self.console, transient=True, refresh_per_second=8)
        with live:
            self._live = live
            try:
                yield
            finally:
                self._live = None

    def _running(self) -> RenderableType:
        stage = self.stages[-1]
        elapsed = time.monotonic() - stage.started
        head = Spinner("dots", Text(f"{stage.name:<11} {elapsed:6.1f} s"))
        return Group(head, Text(f"    {self._detail}", style="dim", no_wrap=True, overflow="ellipsis"))
