"""Docker's command for Vagrant: this machine's, or the one of Debian's package, unpacked in the cache.

The package itself would bring a daemon that starts by itself; Podman's socket needs none.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from provision.artifacts.store import Item, Store, key_of
from provision.core.errors import HostError
from provision.core.run import run
from provision.core.text import Say

_PACKAGE = "docker.io"
_COMMAND = "usr/bin/docker"


def docker_client(report: Say) -> Path:
    """The folder that has the command `docker`. Raises HostError where Debian's package cannot be had either."""
    if found := shutil.which("docker"):
        return Path(found).parent
    return Store.of_user().ensure(Item("docker-client", key_of(package=_PACKAGE), "Docker's command"), _make, report)


def _make(folder: Path) -> None:
    scratch = folder / "scratch"
    scratch.mkdir()
    done = run(["apt-get", "download", _PACKAGE], timeout=300, cwd=scratch, check=False)
    archives = list(scratch.glob("*.deb"))
    if done.returncode != 0 or not archives:
        raise HostError(
            "Vagrant's Docker provider needs the command 'docker', and Debian's package with it cannot be had",
            detail=done.stderr,
            remedy="Install the Docker command line, or take `provider: podman`, which needs none",
        )
    run(["dpkg-deb", "--extract", str(archives[0]), str(scratch / "tree")], timeout=120)
    (scratch / "tree" / _COMMAND).rename(folder / "docker")
    shutil.rmtree(scratch)
