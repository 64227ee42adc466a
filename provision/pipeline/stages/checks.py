"""Checks: real traffic over every data path, and nothing that passes on silence."""

from __future__ import annotations

from dataclasses import replace

from provision.checks import CLEAN_UP, Result, require_none_failed, select
from provision.config import Lab
from provision.pipeline.early import judge
from provision.pipeline.run import RunState


class Checks:
    name = "checks"

    def run(self, lab: Lab, state: RunState) -> str:
        """Raises ChecksFailed naming the checks that failed."""
        found = state.early.results() if state.early else []
        state.early = None
        usual = [check.name for check in select(())]
        if left := set(usual) - {result.name for result in found}:
            found += judge(lab, state, sorted(left))
        found = _twice(lab, state, found)
        state.results = sorted(found, key=lambda result: [*usual, CLEAN_UP].index(result.name))
        again = next((result.name for result in state.results if result.status == "failed"), "")
        require_none_failed(
            state.results, remedy=f"The table above says why; `mcastlab check {again} --verbose` repeats one of them"
        )
        return f"{len(state.results)} passed"

    def plan(self, lab: Lab, state: RunState) -> str:
        return "run all checks (`mcastlab check --list`)"


def _twice(lab: Lab, state: RunState, found: list[Result]) -> list[Result]:
    """`found`, its failures judged once more and alone; a result that holds only then says what it was at first.

    A cluster that has only just started, or Ansible beside the checks, keeps two cores busy, and a receiver that does
    not get to run loses datagrams.
    """
    first = {result.name: result for result in found if result.status == "failed" and result.name != CLEAN_UP}
    if not first:
        return found
    state.progress.say(f"Once more, now that the cluster has settled: {', '.join(first)}")
    again = [
        replace(result, reason=f"{result.reason} (at the second attempt; at the first: {first[result.name].reason})")
        if result.status == "passed"
        else result
        for result in judge(lab, state, sorted(first))
    ]
    return [result for result in found if result.name not in first] + again
