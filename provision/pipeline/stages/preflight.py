"""Preflight: every reason why the lab could not come up here, before anything is changed."""

from __future__ import annotations

from provision.config import Lab
from provision.core.errors import Problems
from provision.pipeline.run import RunState


class Preflight:
    name = "preflight"

    def run(self, lab: Lab, state: RunState) -> str:
        """Raises Problems with all that was found."""
        if problems := state.provider.preflight(lab):
            raise Problems(problems)
        if state.provider.existing:
            return f"{', '.join(host.name for host in lab.hosts)} can be the lab's hosts"
        return f"this machine can run the lab by {state.provider.name}"

    def plan(self, lab: Lab, state: RunState) -> str:
        what = "the hosts" if state.provider.existing else "this machine"
        return f"probe {what} for what {state.provider.name} needs"
