"""One command on one lab: its configuration, its provider, its progress, and a clean end."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from provision.errors import HostError, InputError, McastlabError
from provision.paths import StateDir
from provision.ui import Progress, Verbosity, console

if TYPE_CHECKING:
    from provision.config import Lab
    from provision.kube import Kube
    from provision.state import RunState

DEFAULT_LAB_FILE = Path("lab.yml")


class Interrupted(KeyboardInterrupt):
    """SIGINT or SIGTERM; `number` is the signal's."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def open_lab(
    lab_file: Path | None, verbosity: Verbosity = Verbosity.NORMAL, provider: str | None = None
) -> tuple[Lab, RunState]:
    """The lab of `lab_file` (default: lab.yml here, which may be missing) and a fresh run state for it.

    `provider` takes the place of the one that the file names.
    """
    from provision import config  # late, so that --help and completion stay fast
    from provision.state import RunState, make_provider

    path = lab_file or DEFAULT_LAB_FILE
    lab = config.load(path if lab_file or path.exists() else None)
    if provider:
        lab = lab.model_copy(update={"provider": str(provider)})
    directory = StateDir.of(path, lab.name)
    progress = Progress(console(stderr=True), verbosity)
    return lab, RunState(directory, make_provider(lab, directory), progress)


def open_cluster(kubeconfig: Path | None, lab_file: Path | None) -> Kube:
    """The cluster of `kubeconfig`, or the lab's; no lab.yml is read where a kubeconfig is named.

    Raises InputError or HostError where there is no such file.
    """
    from provision.kube import Kube

    if kubeconfig is None:
        path = open_lab(lab_file)[1].directory.kubeconfig
        if not path.exists():
            raise HostError(
                "There is no lab's kubeconfig",
                where=str(path),
                remedy="Run `mcastlab up`, or name one: --kubeconfig FILE",
            )
        return Kube(path)
    if not kubeconfig.is_file():
        raise InputError("There is no such kubeconfig", where=str(kubeconfig), remedy="Correct its path")
    return Kube(kubeconfig, foreign=True)


@contextmanager
def clean_end(*, debug: bool, after_a_stop: str = "") -> Iterator[None]:
    """Turn signals into an orderly unwinding and errors into their message and exit code.

    `after_a_stop` is what can be done once the command has been stopped.

    SIGTERM unwinds like Ctrl-C, so that every `finally` runs and nothing that was started is left behind.
    """

    def interrupt(number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise Interrupted(number)

    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, interrupt)
    errors = console(stderr=True)
    try:
        yield
    except McastlabError as error:
        if debug:
            errors.print_exception()
        errors.print(str(error), style="red", highlight=False, markup=False, soft_wrap=True)
        sys.exit(error.exit_code)
    except Interrupted as error:
        name = signal.Signals(error.number).name
        errors.print(f"Stopped by {name}. {after_a_stop}".rstrip(), highlight=False, markup=False)
        sys.exit(128 + error.number)
