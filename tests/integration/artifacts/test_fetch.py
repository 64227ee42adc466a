"""`mcastlab artifacts fetch` from a real registry on this machine, which stands in as a mirror of the image's own."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from provision.artifacts.versions import load_versions
from provision.core.wait import Deadline, NotYet, until
from tests.unit.artifacts.test_artifacts_imported import docker

REFERENCE = load_versions().pulled["multus"]
MCASTLAB = Path(sys.executable).parent / "mcastlab"


@dataclass(frozen=True)
class Registry:
    """A registry that runs, and the environment in which skopeo asks it instead of the public ones."""

    address: str
    environment: dict[str, str]

    def fetch(self, code: int = 0) -> str:
        argv = [MCASTLAB, "artifacts", "fetch", "multus"]
        done = subprocess.run(argv, env=self.environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of skopeo and a registry, unpacked and not installed: Debian's package would start a service."""
    folder = tmp_path_factory.mktemp("tools")
    download = ["apt-get", "download", "-q", "docker-registry", "skopeo"]
    if subprocess.run(download, cwd=folder, timeout=300, check=False).returncode != 0:
        # A machine that has all packages of the project may never have read the lists.
        subprocess.run(["apt-get", "update", "-q"], timeout=300, check=True)
        subprocess.run(download, cwd=folder, timeout=300, check=True)
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, folder], check=True, timeout=60)
    return folder / "usr" / "bin"


@pytest.fixture
def registry(tools: Path, tmp_path: Path) -> Iterator[Registry]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    (tmp_path / "registry.yml").write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {tmp_path}/store}}}}\nhttp: {{addr: '{address}'}}\n"
    )
    config = tmp_path / ".config" / "containers" / "registries.conf"
    config.parent.mkdir(parents=True)
    config.write_text(f'[[registry]]\nprefix = "{REFERENCE.split("/")[0]}"\nlocation = "{address}"\ninsecure = true\n')
    environment = {
        **os.environ,
        "PATH": f"{tools}:{os.environ['PATH']}",
        "MCASTLAB_CACHE": str(tmp_path / "cache"),
        "HOME": str(tmp_path),
    }
    process = subprocess.Popen(
        [tools / "docker-registry", "serve", tmp_path / "registry.yml"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until("the registry to answer", lambda: answers(address), Deadline.after(20))
        yield Registry(address, environment)
    finally:
        process.terminate()
        process.wait(20)


def answers(address: str) -> bool | NotYet:
    connection = http.client.HTTPConnection(address, timeout=2)
    try:
        connection.request("GET", "/v2/")
        return True if connection.getresponse().status == 200 else NotYet("another answer")
    except OSError as error:
        return NotYet(str(error))
    finally:
        connection.close()


def test_the_pinned_image_is_pulled_and_imported(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "image.tar").write_bytes(docker(REFERENCE))
    there = f"docker://{registry.address}/{REFERENCE.split('/', 1)[1]}"
    push = ["skopeo", "copy", "--dest-tls-verify=false", f"docker-archive:{tmp_path}/image.tar", there]
    subprocess.run(push, env=registry.environment, check=True, capture_output=True, timeout=60)
    assert f"{REFERENCE}, kept as localhost/mcastlab/multus-cni:" in registry.fetch()
    listed = subprocess.run(
        [MCASTLAB, "artifacts", "list"], env=registry.environment, capture_output=True, text=True, check=True
    )
    assert "imported, " in listed.stdout
    assert list((tmp_path / "cache" / "tmp").iterdir()) == []


def test_an_image_that_the_registry_does_not_have_is_named_with_another_way(registry: Registry, tmp_path: Path) -> None:
    shown = registry.fetch(code=3)
    assert f"The image '{REFERENCE}' could not be pulled" in shown
    assert "mcastlab artifacts import multus.tar" in shown
    assert list((tmp_path / "cache" / "tmp").iterdir()) == []
