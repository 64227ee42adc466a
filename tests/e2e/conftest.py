"""The real lab, once for all end-to-end tests: brought up by the command that users type, removed at the end.

`scripts/test` has two workers. One runs what needs this lab, the other what makes labs of its own (OWN_LABS), one after
the other: the kernel's usual 128 inotify instances have room for two labs.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from provision.providers.podman.cli import Podman

HERE = Path(__file__).parent
MCASTLAB = Path(sys.executable).parent / "mcastlab"
UP_SECONDS = 3000  # with an empty cache the Go build is most of it
OWN_LABS = (
    "interrupted",
    "killed",
    "ssh",
    "trouble",
    "two_nodes",
    "plain_ansible",
    "vagrant",
    "wheel",
)  # files that make their own


class TwoWorkers(LoadScopeScheduling):  # type: ignore[misc]
    """What a worker is given as a whole: all of the one lab, or all of the others."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "own labs" if file.endswith(tuple(f"_{name}.py" for name in OWN_LABS)) else "the lab"


@pytest.hookimpl(optionalhook=True)  # without xdist there is nobody to ask
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> TwoWorkers:
    return TwoWorkers(config, log)


@cache
def bundle() -> Path:
    """The folder of the binaries that labs are made of."""
    return Path(
        subprocess.run([MCASTLAB, "artifacts", "build"], capture_output=True, text=True, check=True).stdout.strip()
    )


@dataclass(frozen=True)
class CliLab:
    """A lab file in a folder of its own, driven through the command line only."""

    folder: Path
    name: str

    def start(self, *args: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [MCASTLAB, *args],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "NO_COLOR": "1"},
        )

    def __call__(self, *args: str, code: int = 0, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        """Run `mcastlab args` and insist on its exit code."""
        process = self.start(*args)
        try:
            out, err = process.communicate(timeout=timeout)
        except BaseException as error:  # an interrupted test run leaves no command behind that holds the lab
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=60)
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            pytest.fail(f"mcastlab {' '.join(args)} did not end within {timeout} s:\n{out}\n{err}")
        assert process.returncode == code, f"mcastlab {' '.join(args)} ended with {process.returncode}:\n{out}\n{err}"
        return subprocess.CompletedProcess(args, process.returncode, out, err)

    def report(self, *args: str, code: int = 0) -> dict[str, Any]:
        """Run a command that writes a report, and return that."""
        path = self.folder / "report.json"
        path.unlink(missing_ok=True)
        shown = self(*args, "--json", str(path), code=code, timeout=UP_SECONDS).stderr
        (self.folder / "shown.txt").write_text(shown)
        report: dict[str, Any] = json.loads(path.read_text())
        return report

    def kubectl(self, *args: str, stdin: str = "", code: int = 0) -> str:
        """Run kubectl as users do who have set KUBECONFIG; what it prints, or says of an error where one is wanted."""
        done = subprocess.run(
            [bundle() / "bin" / "kubectl", *args],
            env={**os.environ, "KUBECONFIG": str(self.state / "kubeconfig"), "KUBECACHEDIR": str(self.folder / "kube")},
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )
        assert done.returncode == code, f"kubectl {' '.join(args)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stderr if code else done.stdout

    def image(self, role: str) -> str:
        """The reference of an image of the lab."""
        return self("artifacts", "image", role).stdout.strip()

    def on(self, host: str, *command: str, code: int = 0) -> str:
        """Run a command on a host of the lab."""
        return self("ssh", host, "--", *command, code=code).stdout

    @property
    def attacher(self) -> str:
        """What lab.yml asks for."""
        return "multus" if "attacher: multus" in (self.folder / "lab.yml").read_text() else "netattach"

    @property
    def state(self) -> Path:
        return self.folder / ".mcastlab" / self.name


def make_lab(folder: Path, name: str, third_octet: int, attacher: str = "netattach") -> CliLab:
    """The default lab under another name and in another subnet, so that a lab of the user's may be up as well."""
    net, net6 = f"10.98.{third_octet}", f"fd00:98:{third_octet}:"
    (folder / "lab.yml").write_text(
        f"""\
name: {name}
cluster: {{attacher: {attacher}}}
hosts:
  - {{name: k8s, role: control-plane, address: {net}.11, address6: "{net6}:11"}}
  - {{name: mcastsrc, role: source, address: {net}.12, address6: "{net6}:12"}}
lan: {{subnet: {net}.0/24, subnet6: "{net6}:/64"}}
networks:
  - name: eth1-multicast
    ipam: {{subnet: {net}.0/24, range_start: {net}.13, range_end: {net}.254}}
"""
    )
    return CliLab(folder, name)


def assert_nothing_left(lab: CliLab) -> None:
    """Neither containers, volumes and networks of the lab, nor its folder."""
    label = f"label=mcastlab.lab={lab.name}"
    for listing in (["ps", "-aq"], ["volume", "ls", "-q"], ["network", "ls", "-q"]):
        assert Podman().run([*listing, "--filter", label]).stdout == ""
    assert [path.name for path in lab.folder.iterdir() if path.name == ".mcastlab"] == []


def listening() -> set[str]:
    """The addresses on which anything on this machine listens."""
    shown = subprocess.run(["ss", "-Hltun"], capture_output=True, text=True, check=True).stdout
    return {line.split()[4].rsplit(":", 1)[0].strip("[]").replace("*", "::") for line in shown.splitlines()}


@pytest.fixture(scope="session")
def listening_before() -> set[str]:
    """Taken by `first_up` before anything runs."""
    return listening()


@pytest.fixture(scope="session")
def first_up(
    tmp_path_factory: pytest.TempPathFactory, listening_before: set[str]
) -> Iterator[tuple[CliLab, dict[str, Any], float]]:
    """The lab, the report of its first `up` and how long that took in seconds."""
    lab = make_lab(tmp_path_factory.mktemp("e2e"), "e2e", 1)
    started = time.monotonic()
    try:
        report = lab.report("up")
        yield lab, report, time.monotonic() - started
    finally:
        lab("down")


@pytest.fixture(scope="session")
def lab(request: pytest.FixtureRequest) -> CliLab:
    """The lab; MCASTLAB_E2E_LAB=FOLDER/NAME takes one that is up and leaves it so, for work on these tests."""
    if given := os.environ.get("MCASTLAB_E2E_LAB"):
        return CliLab(Path(given).parent, Path(given).name)
    made: tuple[CliLab, dict[str, Any], float] = request.getfixturevalue("first_up")
    return made[0]
