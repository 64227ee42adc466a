"""Running checks: each result told as it comes, and nothing left in the cluster afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import suppress

from provision.checks.registry import Check, select
from provision.checks.result import CLEAN_UP, Outcome, Result, failed, not_applicable
from provision.core.errors import McastlabError
from provision.core.typed import Typed
from provision.traffic.testbed import Target, Testbed

# Those of `up` all at once; of all, a few: each has pods of its own, and two cores would be too busy to count.
_FEW = 4


class CheckRun:
    """Checks that have begun.

    `begin` takes names of checks and groups, none for those of `up`, or with `every` for all, and raises InputError
    for an unknown one. Whoever has one ends it by `results` or `cancel`; both remove the pods.
    """

    def __init__(self, checks: Sequence[Check], testbed: Testbed) -> None:
        self._checks = checks
        self._testbed = testbed
        self._executor = ThreadPoolExecutor(max_workers=_at_once(checks, testbed), thread_name_prefix="check")
        self._running: list[Future[Result]] = [self._executor.submit(_run, check, testbed) for check in checks]

    @classmethod
    def begin(cls, names: Sequence[str], context: Target, *, every: bool = False) -> CheckRun:
        testbed = Testbed(context)
        return cls(select(names, every=every, several=len(testbed.nodes) > 1), testbed)

    @property
    def pods_running(self) -> bool:
        """Whether all their pods run, as far as can be told: what is left is mostly waiting."""
        return self._testbed.made.all_running

    def results(self, on_result: Callable[[Result], None]) -> list[Result]:
        """Tell each result as it comes, and return all in the registry's order.

        A check that raises has failed, and the others go on. When this thread is interrupted, the pods are removed
        before the interrupt is passed on.
        """
        found: dict[str, Result] = {}
        try:
            for future in as_completed(self._running):
                result = future.result()
                found[result.name] = result
                on_result(result)
        except BaseException:
            self.cancel()
            raise
        self._executor.shutdown()
        return [found[check.name] for check in self._checks] + _clear(self._testbed, on_result)

    def cancel(self) -> None:
        """Stop, and remove the pods as far as that goes: the next run removes what is left."""
        self._executor.shutdown(wait=False, cancel_futures=True)
        with suppress(McastlabError):  # why it is cancelled is what counts
            self._testbed.close(in_a_hurry=True)


def _at_once(checks: Sequence[Check], testbed: Testbed) -> int:
    """How many checks run side by side.

    One where the node is emulated: starting the pods of all, its API server answers so late that kubelet restarts it.
    """
    if testbed.emulated:
        return 1
    return len(checks) if all(check.in_up for check in checks) else min(len(checks), _FEW)


def _clear(testbed: Testbed, on_result: Callable[[Result], None]) -> list[Result]:
    """Remove what was made; a failure to do so is one more failed result, so that the others are not lost for it."""
    started = time.monotonic()
    try:
        testbed.close()
    except McastlabError as error:
        result = Result.of(CLEAN_UP, _failure(error, testbed.typed), time.monotonic() - started)
        on_result(result)
        return [result]
    return []


def _run(check: Check, testbed: Testbed) -> Result:
    began = time.monotonic()
    outcome = _outcome(check, testbed)
    return Result.of(check.name, outcome, time.monotonic() - began)


def _outcome(check: Check, testbed: Testbed) -> Outcome:
    try:
        if lacking := testbed.lacks(check.needs):
            return not_applicable(lacking)
        return check.run(testbed)
    except McastlabError as error:
        return _failure(error, testbed.typed)
    except Exception as error:
        import traceback

        text = "".join(traceback.format_exception(error))
        return failed(f"The check itself broke: {type(error).__name__}: {error}", evidence=(text,))


def _failure(error: McastlabError, typed: Typed) -> Outcome:
    said = tuple(part for part in (error.where, error.detail) if part)
    return failed(error.problem, evidence=said, remedy=typed.completed(error.remedy))
