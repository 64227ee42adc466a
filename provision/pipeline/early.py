"""Checks that begin beside the stages before theirs, on a lab that was up before."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

from provision.checks import CheckRun, Result
from provision.core.errors import WaitError
from provision.core.wait import Deadline, NotYet, until

_HEAD_START_SECONDS = 8


class EarlyChecks:
    """The checks of `up`, begun by `begin` while other stages run; each result is `told` as it comes.

    They hold only if these stages change nothing, since all was then as it is now: else the pipeline withdraws them,
    and they are run anew.
    """

    def __init__(self, begin: Callable[[ExitStack], CheckRun | None], told: Callable[[Result], None]) -> None:
        """`begin` returns None where they cannot begin; what it enters into the stack is left at their end."""
        self._told = told
        self._open = ExitStack()
        executor = ThreadPoolExecutor(1, thread_name_prefix="early")
        self._begun = executor.submit(begin, self._open)
        executor.shutdown(wait=False)

    def head_start(self, seconds: float = _HEAD_START_SECONDS) -> None:
        """Wait a little until their pods run, if they can begin.

        From then on they mostly wait for datagrams, and what runs beside them does not hold them up.
        """

        def probe() -> bool | NotYet:
            if not self._begun.done():
                return NotYet("not begun")
            checks = self._begun.result()
            return True if checks is None or checks.pods_running else NotYet("pods start")

        with suppress(WaitError):
            until("the pods of checks to run", probe, Deadline.after(seconds))

    def results(self) -> list[Result]:
        """Theirs; none where the checks could not begin."""
        with self._open:
            checks = self._begun.result()
            return checks.results(self._told) if checks else []

    def withdraw(self) -> None:
        """Stop them and remove their pods."""
        with self._open:
            if checks := self._begun.result():
                checks.cancel()
