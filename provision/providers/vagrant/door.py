"""The one door to Vagrant: python-vagrant, with our time limits, our progress and Vagrant's own words in errors."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import paramiko

from provision.core.errors import HostError
from provision.core.files import read_whole
from provision.core.paths import ROOT
from provision.core.run import Completed, run
from provision.core.text import Say
from vagrant import Vagrant

# A virtual machine that is emulated takes minutes, and the first one's box is unpacked before.
_SECONDS = {"up": 2400.0, "destroy": 300.0}
_OTHERS_SECONDS = 120.0
_API_PORT = 6443
_CONTAINER = re.compile(r"[0-9a-f]{12,64}", re.ASCII)
_PYTHON = {"MCASTLAB_PYTHON": sys.executable}  # what the Vagrantfile calls is this very mcastlab
_ANSWER_WHEN_ASKED = {"VAGRANT_CHECKPOINT_DISABLE": "1", "VAGRANT_NO_COLOR": "1"}


class VagrantDoor(Vagrant):  # type: ignore[misc]
    """python-vagrant on the Vagrantfile of this checkout; its commands run through `provision.core.run`.

    Every method raises CommandError with the command and what Vagrant or its provider said, verbatim.
    """

    def __init__(self, env: Mapping[str, str], report: Say | None = None) -> None:
        super().__init__(root=str(ROOT), env={**os.environ, **_ANSWER_WHEN_ASKED, **_PYTHON, **env})
        self._report = report

    def states(self) -> dict[str, str]:
        """The state of each machine, in Vagrant's words."""
        return {row.name: str(row.state) for row in self.status()}

    def endpoints(self, running: Sequence[str]) -> dict[str, tuple[str, int]]:
        """(address, port) of SSH by machine, for those named, which run."""
        if not running:
            return {}
        config = paramiko.SSHConfig.from_text(self._run_vagrant_command(["ssh-config", *running]))
        known = {name: config.lookup(name) for name in running}
        return {name: (one["hostname"], int(one["port"])) for name, one in known.items()}

    def api_port(self, name: str, kind: str) -> int:
        """The port of this machine that leads to machine `name`'s API server; 0 where it is reached directly."""
        if kind == "virtualbox":
            return int(self._run_vagrant_command(["port", name, "--guest", str(_API_PORT)]))
        if kind == "docker":
            said = run(["docker", "port", self._container(name), f"{_API_PORT}/tcp"], timeout=30, env=self.env).stdout
            return int(said.splitlines()[0].rsplit(":", 1)[1])
        return 0

    def _container(self, name: str) -> str:
        """The id of a machine's container, which Vagrant keeps in a file; raises HostError where it is damaged."""
        path = Path(self.env["VAGRANT_DOTFILE_PATH"]) / "machines" / name / "docker" / "id"
        remedy = "`mcastlab down`, then `mcastlab up`: the machines are made anew"
        try:
            found = read_whole(path, remedy).strip()
        except FileNotFoundError:
            raise HostError(f"Vagrant has no container of '{name}'", where=str(path), remedy=remedy) from None
        if not _CONTAINER.fullmatch(found):
            raise HostError("This is no id of a container", where=str(path), remedy=remedy)
        return found

    def _call_vagrant_command(self, args: Sequence[str | None]) -> None:
        self._run(args, self._report)

    def _run_vagrant_command(self, args: Sequence[str | None]) -> str:
        return self._run(args, None).stdout

    def _run(self, args: Sequence[str | None], report: Say | None) -> Completed:
        """Run `vagrant ARGS`; python-vagrant leaves None where it has no argument."""
        argv = self._make_vagrant_command(args)
        seconds = _SECONDS.get(str(args[0]), _OTHERS_SECONDS)
        line = None if report is None else lambda text: report(_plain(text)) if text.strip() else None
        return run(argv, timeout=seconds, env=self.env, cwd=Path(self.root), on_line=line)


def _plain(line: str) -> str:
    """A line of Vagrant's without its arrows: `==> k8s: Creating` becomes `k8s: Creating`."""
    return line.strip().removeprefix("==>").strip()


def version(env: Mapping[str, str]) -> tuple[int, ...]:
    """Vagrant's version as numbers; raises HostError where it says none."""
    said = str(VagrantDoor(env).version()).strip()
    try:
        return tuple(int(part) for part in said.split(".")[:3])
    except ValueError as error:
        raise HostError(
            f"Vagrant says no version that is known: '{said}'",
            remedy="See what `vagrant --version` prints, and mend that",
        ) from error
