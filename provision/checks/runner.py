"""Running checks: all at once, each result told as it comes, and nothing left in the cluster afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress

from provision.checks.context import Bench, Context
from provision.checks.registry import Check, select
from provision.checks.result import Outcome, Result, failed
from provision.errors import McastlabError

CLEAN_UP = "clean-up"


def run_checks(names: Sequence[str], context: Context, on_result: Callable[[Result], None]) -> list[Result]:
    """Run the checks `names`, all of them if there are none, and return their results in the registry's order.

    Raises InputError for an unknown name. A check that raises has failed, and the others go on. When this thread is
    interrupted, the pods are removed before the interrupt is passed on.
    """
    checks = select(names)
    bench = Bench(context)
    results: dict[str, Result] = {}
    executor = ThreadPoolExecutor(max_workers=len(checks), thread_name_prefix="check")
    try:
        running = [executor.submit(_run, check, bench) for check in checks]
        for future in as_completed(running):
            result = future.result()
            results[result.name] = result
            on_result(result)
    except BaseException:
        executor.shutdown(wait=False, cancel_futures=True)
        with suppress(McastlabError):  # the interrupt is what counts; the next run removes what is left
            bench.close()
        raise
    executor.shutdown()
    return [results[check.name] for check in checks] + _clear(bench, on_result)


def _clear(bench: Bench, on_result: Callable[[Result], None]) -> list[Result]:
    """Remove what was made; a failure to do so is one more failed result, so that the others are not lost for it."""
    started = time.monotonic()
    try:
        bench.close()
    except McastlabError as error:
        result = Result.of(CLEAN_UP, _failure(error), time.monotonic() - started)
        on_result(result)
        return [result]
    return []


def _run(check: Check, bench: Bench) -> Result:
    started = time.monotonic()
    return Result.of(check.name, _outcome(check, bench), time.monotonic() - started)


def _outcome(check: Check, bench: Bench) -> Outcome:
    try:
        return check.run(bench)
    except McastlabError as error:
        return _failure(error)
    except Exception as error:
        import traceback

        text = "".join(traceback.format_exception(error))
        return failed(f"The check itself broke: {type(error).__name__}: {error}", evidence=(text,))


def _failure(error: McastlabError) -> Outcome:
    remedy = error.remedy and f"remedy: {error.remedy}"
    return failed(error.problem, evidence=tuple(part for part in (error.where, error.detail, remedy) if part))
