"""What runs Vagrant's containers: the user's Docker, or mcastlab's own Podman behind a socket for that time."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from provision.core.interrupts import deferred
from provision.core.run import as_root, run
from provision.core.text import Say
from provision.core.wait import Deadline, NotYet, until
from provision.providers.podman.cli import Podman
from provision.providers.vagrant.docker_client import docker_client

_START_SECONDS = 20.0
_END_SECONDS = 10.0


def users_docker() -> bool:
    """Whether the user's own Docker answers, by DOCKER_HOST or its default socket."""
    return shutil.which("docker") is not None and run(["docker", "info"], timeout=20, check=False).returncode == 0


@contextmanager
def podmans_socket(podman: Podman, report: Say) -> Iterator[dict[str, str]]:
    """The environment in which `docker` speaks to `podman`, until the block ends; containers outlive it.

    Raises HostError without a Docker command, and WaitError when Podman does not open its socket.
    """
    client = docker_client(report)
    place = podman.run_dir / f"docker-{os.getpid()}.sock"
    run(as_root(["install", "-d", "-m", "755", str(podman.run_dir.parent), str(podman.run_dir)]), timeout=10)
    argv = [*podman.command, "system", "service", "--time=0", f"unix://{place}"]
    quiet = subprocess.DEVNULL
    service: subprocess.Popen[bytes] | None = None
    try:
        with deferred():
            service = subprocess.Popen(argv, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True)
        until(
            "Podman's socket",
            lambda: _open(service, place),
            Deadline.after(_START_SECONDS),
            interval=0.05,
            remedy=f"See what this says: `{' '.join(argv)}`",
        )
        yield {"DOCKER_HOST": f"unix://{place}", "PATH": f"{client}:{os.environ['PATH']}"}
    finally:
        if service:
            run(as_root(["kill", "--", f"-{service.pid}"]), timeout=10, check=False)
            service.wait(_END_SECONDS)
        run(as_root(["rm", "-f", str(place)]), timeout=10)


def _open(service: subprocess.Popen[bytes], place: Path) -> bool | NotYet:
    """Whether the socket takes connections; it is handed to the user who runs this."""
    if service.poll() is not None:
        return NotYet(f"the service ended with exit code {service.returncode}")
    if os.geteuid() != 0:
        run(["sudo", "-n", "chown", str(os.getuid()), str(place)], timeout=10, check=False)
    with socket.socket(socket.AF_UNIX) as door:
        try:
            door.connect(str(place))
        except OSError as error:
            return NotYet(error.strerror or "no socket")
    return True
