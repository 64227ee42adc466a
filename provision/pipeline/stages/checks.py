"""Checks: real traffic over every data path, and nothing that passes on silence."""

from __future__ import annotations

from dataclasses import replace

from provision.checks import CLEAN_UP, Result, require_none_failed, select
from provision.core.text import named
from provision.pipeline.proof import run_checks
from provision.pipeline.run import Done, Run


class Checks:
    name = "checks"

    def run(self, run: Run) -> Done:
        """Raises ChecksFailed naming the checks that failed."""
        early, run.early = run.early, None
        found = early.results() if early else []
        in_up = [check.name for check in select((), several=len(run.lab.nodes) > 1)]
        if left := set(in_up) - {result.name for result in found}:
            found += run_checks(run, sorted(left))
        found = _twice(run, found)
        run.results = sorted(found, key=lambda result: [*in_up, CLEAN_UP].index(result.name))
        require_none_failed(run.results)
        return Done(f"{len(run.results)} passed")

    def plan(self, run: Run) -> str:
        return "run all checks (`mcastlab check --list`)"


def _twice(run: Run, found: list[Result]) -> list[Result]:
    """`found`, its failures run once more and alone; a result that holds only then says what it was at first.

    A cluster that has only just started, or Ansible beside the checks, keeps two cores busy, and a receiver that does
    not get to run loses datagrams.
    """
    first = {result.name: result for result in found if result.status == "failed" and result.name != CLEAN_UP}
    if not first:
        return found
    run.progress.say(f"Checks are run once more, now that the cluster has settled: {named(first)}")
    again = [
        replace(result, reason=f"{result.reason} (at the second attempt; at the first: {first[result.name].brief})")
        if result.status == "passed"
        else result
        for result in run_checks(run, sorted(first))
    ]
    return [result for result in found if result.name not in first] + again
