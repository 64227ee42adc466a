"""Checks: real traffic over every data path, and nothing that passes on silence."""

from __future__ import annotations

from provision.checks import CLEAN_UP, select
from provision.config import Lab
from provision.errors import ChecksFailed
from provision.judge import judge
from provision.state import RunState


class Checks:
    name = "checks"

    def run(self, lab: Lab, state: RunState) -> str:
        """Raises ChecksFailed naming the checks that failed."""
        found = state.early.results() if state.early else []
        state.early = None
        usual = [check.name for check in select(())]
        if left := set(usual) - {result.name for result in found}:
            found += judge(lab, state, sorted(left))
        state.results = sorted(found, key=lambda result: [*usual, CLEAN_UP].index(result.name))
        failed = [result.name for result in state.results if result.status == "failed"]
        if failed:
            raise ChecksFailed(
                f"{len(failed)} of {len(state.results)} checks failed: {', '.join(failed)}",
                remedy="The table above says why; `mcastlab check NAME --verbose` repeats one of them",
            )
        return f"{len(state.results)} passed"

    def plan(self, lab: Lab, state: RunState) -> str:
        return "run all checks (`mcastlab check --list`)"
