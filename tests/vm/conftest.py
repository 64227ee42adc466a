"""The golden run: two virtual machines by a plain `vagrant up --provider=libvirt`, the whole lab in them, its checks.

`make test-vm` runs it, with libvirt's daemons and a box of our own; where there is no KVM it takes most of an hour.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from provision import artifacts, config
from provision.checks import CheckRun, Result, Target
from provision.cluster import manifests
from provision.cluster.api import Kube
from provision.cluster.pods import Pods
from provision.config import Lab
from provision.core.paths import StateDir
from provision.core.wait import Deadline
from provision.hosts.remote import Remotes
from provision.networks.manifests import networks
from provision.providers.vagrant import endpoints
from provision.traffic import iperf
from provision.traffic.testbed import Testbed

ROOT = Path(__file__).resolve().parents[2]
HOUR = 3600.0
LAB = """\
name: golden
vagrant: {machines: libvirt, cpus: 2, memory_mib: 4096}
hosts:
  - {name: k8s, role: control-plane, address: 10.98.9.11, address6: "fd00:98:9::11"}
  - {name: mcastsrc, role: source, address: 10.98.9.12, address6: "fd00:98:9::12"}
lan: {subnet: 10.98.9.0/24, subnet6: "fd00:98:9::/64"}
networks:
  - name: eth1-multicast
    ipam: {range_start: 10.98.9.13, range_end: 10.98.9.254}
"""


@dataclass(frozen=True)
class Golden:
    """The lab in virtual machines; `seconds` is what its first `vagrant up` took, `shown` what that said."""

    folder: Path
    lab: Lab
    shown: str
    seconds: float

    @property
    def state(self) -> StateDir:
        return StateDir.of(self.folder / "lab.yml", self.lab.name)

    @property
    def report(self) -> dict[str, Any]:
        """Of the last run of checks."""
        content: dict[str, Any] = json.loads((self.state.reports / "last.json").read_text())
        return content

    @contextmanager
    def context(self, lab: Lab | None = None) -> Iterator[Target]:
        """What checks need, for this lab or a variant of it, whose networks are applied."""
        _, places = endpoints.read(self.state.path / "endpoints.json")
        kube = Kube(self.state.kubeconfig)
        wanted = lab or self.lab
        for manifest in networks(wanted):
            kube.apply(manifest)
        with Remotes(endpoints.machines(self.lab, self.state, places)) as remotes:
            yield Target(wanted, kube, remotes, artifacts.document()["images"]["tools"])

    def check(self, lab: Lab, *names: str) -> dict[str, Result]:
        """Run checks on a variant of the lab."""
        with self.context(lab) as context:
            results = CheckRun.begin(names, context).results(print)
        return {result.name: result for result in results}

    @contextmanager
    def receiver(self, name: str) -> Iterator[Callable[[], str]]:
        """A pod on the lab's own network that receives what `source-to-pod` sends; what it has printed so far."""
        with self.context() as context:
            pods, stream = Pods(context.kube), Testbed(context).stream("source-to-pod")
            argv = iperf.receiver_argv(stream.group, manifests.POD_INTERFACE, stream.port)
            network = f"{self.lab.networks[0].name}@{manifests.POD_INTERFACE}"
            deadline = Deadline.after(120)
            pods.create(manifests.pod(name, context.tools_image, argv, networks=network), deadline)
            try:
                pods.wait("default", name, deadline)
                yield lambda: pods.logs("default", name)
            finally:
                pods.delete("default", name, grace=0)

    def send(self) -> None:
        """Two seconds of what `source-to-pod` sends, from the source host."""
        with self.context() as context:
            testbed = Testbed(context)
            (sender, source), stream = testbed.source(), testbed.stream("source-to-pod")
            sender.run(iperf.sender_argv(stream.group, source, 5, 2.0, stream.port), 60)

    def on(self, host: str, script: str) -> str:
        """Run a shell script on a host."""
        with self.context() as context:
            return context.remotes.get(host).run(["sh", "-euc", script], 120).stdout


def vagrant(folder: Path, *args: str) -> str:
    """Run `vagrant ARGS` as a user would, its output shown as it comes, each line with the seconds since the start."""
    own = {"MCASTLAB_LAB": str(folder / "lab.yml"), "VAGRANT_DOTFILE_PATH": str(folder / ".vagrant")}
    environment = {**os.environ, "NO_COLOR": "1", "VAGRANT_CHECKPOINT_DISABLE": "1", **own}
    started, lines = time.monotonic(), []
    process = subprocess.Popen(
        ["vagrant", *args], cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout
    for line in process.stdout:
        if "Progress: " not in line:
            lines.append(f"{time.monotonic() - started:7.1f} {line}")
            print(lines[-1], end="", flush=True)
    assert process.wait(HOUR) == 0, "".join(lines[-40:])
    return "".join(lines)


@pytest.fixture(scope="session")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Golden]:
    folder = tmp_path_factory.mktemp("golden")
    (folder / "lab.yml").write_text(LAB)
    started = time.monotonic()
    try:
        shown = vagrant(folder, "up", "--provider=libvirt")
        yield Golden(folder, config.load(folder / "lab.yml"), shown, time.monotonic() - started)
    finally:
        vagrant(folder, "destroy", "-f")
