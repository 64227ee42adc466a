"""What `mcastlab down` does."""

from __future__ import annotations

import shutil
import sys

from provision.commands.session import end_leftovers
from provision.config import Lab
from provision.core.errors import InputError
from provision.core.lock import lab_lock
from provision.core.text import named
from provision.pipeline.run import Run


def down(run: Run, *, dry_run: bool, yes: bool) -> None:
    """Remove what `up` made, and the state folder; from the user's own hosts only after asking, unless `yes`."""
    lab, existing = run.lab, run.provider.existing
    what = _on_hosts(lab) if existing else f"all containers, volumes and networks of lab '{lab.name}'"
    if dry_run:
        print(f"Would remove, as far as there are any: {what} and {run.directory.path}")
        return
    if existing and not yes:
        _ask(f"This removes {what}, with everything that runs in its pods.")
    directory = run.directory.path
    existed = directory.exists()
    with lab_lock(run.directory, lab.name, "down"):
        end_leftovers(run)
        removed = run.provider.down(lab)
        shutil.rmtree(directory)
    if existed:
        removed.append(f"folder {directory}")
    if not any(directory.parent.iterdir()):
        directory.parent.rmdir()
    for item in removed or ["nothing: the lab was not up"]:
        run.progress.say(f"Removed {item}")


def _on_hosts(lab: Lab) -> str:
    hosts = named(host.name for host in lab.hosts)
    return f"Kubernetes, containerd and the settings of lab '{lab.name}' from the hosts {hosts}"


def _ask(what: str) -> None:
    """Raises InputError unless a person types yes."""
    if not sys.stdin.isatty():
        raise InputError(f"{what} Nobody can be asked, for there is no terminal", remedy="Repeat it with --yes")
    if input(f"{what}\nType yes to go on: ").strip().lower() != "yes":
        raise InputError("Nothing was removed", remedy="Repeat it, and type yes")
