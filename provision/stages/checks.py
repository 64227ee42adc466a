"""Checks: real traffic over every data path, and nothing that passes on silence."""

from __future__ import annotations

from provision.config import Lab
from provision.errors import ChecksFailed
from provision.judge import judge
from provision.state import RunState


class Checks:
    name = "checks"

    def run(self, lab: Lab, state: RunState) -> str:
        """Raises ChecksFailed naming the checks that failed."""
        early = state.early.results() if state.early else None
        state.early = None
        state.results = judge(lab, state, ()) if early is None else early
        failed = [result.name for result in state.results if result.status == "failed"]
        if failed:
            raise ChecksFailed(
                f"{len(failed)} of {len(state.results)} checks failed: {', '.join(failed)}",
                remedy="The table above says why; `mcastlab check NAME --verbose` repeats one of them",
            )
        return f"{len(state.results)} passed"

    def plan(self, lab: Lab, state: RunState) -> str:
        return "run all checks (`mcastlab check --list`)"
