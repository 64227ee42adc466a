"""Preflight: every reason why the lab could not come up here, before anything is changed."""

from __future__ import annotations

from provision.core.errors import Problems
from provision.pipeline.run import Done, Run


class Preflight:
    name = "preflight"

    def run(self, run: Run) -> Done:
        """Raises Problems with all that was found."""
        if problems := run.provider.preflight(run.lab):
            raise Problems(problems)
        if run.provider.existing:
            return Done(f"{', '.join(host.name for host in run.lab.hosts)} can be the lab's hosts")
        return Done(f"this machine can run the lab by {run.provider.name}")

    def plan(self, run: Run) -> str:
        what = "the hosts" if run.provider.existing else "this machine"
        return f"probe {what} for what {run.provider.name} needs"
