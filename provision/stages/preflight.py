"""Preflight: every reason why the lab could not come up here, before anything is changed."""

from __future__ import annotations

from provision.config import Lab
from provision.errors import Problems
from provision.state import RunState


class Preflight:
    name = "preflight"

    def run(self, lab: Lab, state: RunState) -> str:
        """Raises Problems with all that was found."""
        if problems := state.provider.preflight(lab):
            raise Problems(problems)
        return f"this machine can run the lab by {state.provider.name}"

    def plan(self, lab: Lab, state: RunState) -> str:
        return f"probe this machine for what {state.provider.name} needs"
