"""Commands, and processes that go on and print JSON values, with what they have printed."""

from __future__ import annotations

import json
import queue
import shlex
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from provision.core.wait import NotYet, until
from tests.integration.multicast_policy.patience import LIVELY, patient, within


def run(*argv: str | Path, text: str | None = None, env: dict[str, str] | None = None) -> str:
    """Output of a command that must succeed."""
    done = subprocess.run(
        [*argv], check=False, capture_output=True, text=True, timeout=patient(60), input=text, env=env
    )
    assert done.returncode == 0, f"{shlex.join(map(str, argv))}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


class Lines:
    """A process that prints a JSON value a line, and what it has printed."""

    def __init__(self, argv: list[str | Path], **more: Any) -> None:
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True, **more)
        self.all: list[Any] = []
        self._new: queue.Queue[Any] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            value = json.loads(line)
            self.all.append(value)
            self._new.put(value)

    def next(self, seconds: float = 15) -> Any:
        """The next line; queue.Empty when there is none in time."""
        return self._new.get(timeout=patient(seconds))

    def tell(self, value: Any) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(value) + "\n")
        self.process.stdin.flush()

    def heard(self) -> set[str]:
        """The texts that peer.py has heard, which prints `ready` first."""
        return {text for text, _, _ in self.all[1:]}

    def heard_with(self, *wanted: str) -> set[str]:
        """What it has heard once all `wanted` have come, or can come no more, and whatever was sent beside them."""
        deadline = within(10)
        while not set(wanted) <= self.heard() and not deadline.expired:
            deadline.pause(0.02)
        time.sleep(LIVELY)  # nothing tells of what does not come
        return self.heard()

    def more_than(self, count: int, seconds: float = 10) -> None:
        """Wait until more lines than so many have come."""
        probe = lambda: len(self.all) > count or NotYet(f"{len(self.all)} lines have come")  # noqa: E731
        until(f"more than {count} lines", probe, within(seconds), interval=0.02)

    def quiet(self, seconds: float = 10) -> int:
        """Wait until no line has come for a while; how many there are."""

        def unchanged() -> int | NotYet:
            before = len(self.all)
            time.sleep(LIVELY)
            return before if len(self.all) == before else NotYet(f"{len(self.all)} lines have come, and more come")

        return until("no more lines to come", unchanged, within(seconds), interval=0)

    def end(self) -> None:
        """End the process, and give its pipes back: all tests together have more than a process may have open."""
        self.process.kill()
        self.process.wait(patient(10))
        self._reader.join(patient(10))
        for pipe in (self.process.stdin, self.process.stdout):
            with suppress(OSError):  # what it was still to be told
                pipe.close()  # type: ignore[union-attr]
