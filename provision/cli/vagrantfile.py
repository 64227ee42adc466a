"""What the Vagrantfile runs: `python -m provision.cli.vagrantfile prepare LAB` and `… finish LAB ENDPOINTS`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from provision import artifacts, config
from provision.cli.ending import clean_end
from provision.commands import up
from provision.core.paths import StateDir
from provision.core.progress import Progress, console
from provision.core.typed import Typed
from provision.pipeline.run import Run
from provision.providers.podman.cli import Podman
from provision.providers.vagrant import made
from provision.providers.vagrant.given import GivenMachines
from provision.providers.vagrant.provider import VagrantProvider


def prepare(lab_file: Path) -> None:
    """Judge the lab, make its key and its artifacts where they are missing, and tell the Vagrantfile where they are."""
    lab = config.load(lab_file if lab_file.exists() else None)
    progress = Progress(console(stderr=True), typed=_typed(lab_file))
    with progress.stage("artifacts") as line:
        bundle = artifacts.ensure(progress.report, Podman())
        line.summary = f"{bundle.source}: {bundle.reason}"
    made.write(lab, StateDir.of(lab_file, lab.name), bundle.node_image, bundle.path)


def finish(lab_file: Path, endpoints: Path) -> None:
    """Configure and check the machines that Vagrant has made, all at once."""
    lab = config.load(lab_file if lab_file.exists() else None)
    directory = StateDir.of(lab_file, lab.name)
    progress = Progress(console(stderr=True), typed=_typed(lab_file))
    run = Run(lab, directory, GivenMachines(lab, directory, endpoints), progress)
    up.up(run, dry_run=False, json=None, junit=None)


def _typed(lab_file: Path) -> Typed:
    """What would have to be typed to mean these machines."""
    return Typed(lab_file if lab_file.exists() else None, VagrantProvider.name)


def main(argv: list[str]) -> None:
    """Ends with the exit codes of mcastlab."""
    steps: dict[str, Callable[..., None]] = {"prepare": prepare, "finish": finish}
    with clean_end(_typed(Path(argv[1])), debug=False):
        steps[argv[0]](*(Path(argument) for argument in argv[1:]))


if __name__ == "__main__":
    main(sys.argv[1:])
