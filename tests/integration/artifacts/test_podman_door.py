"""Podman through its one door: our own images, networks and state, none of the user's, and an image we wrote."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from provision.artifacts.golang import architecture
from provision.artifacts.oci import Image, Layer, write_archive
from provision.providers.podman_cli import Podman, bridge_name
from provision.run import as_root, run

CATATONIT = Path("/usr/bin/catatonit")  # static: an image of one file
NETWORK = "mcastlab-test-door"


@pytest.fixture
def podman(tmp_path: Path) -> Iterator[Podman]:
    door = Podman(tmp_path / "podman")
    yield door
    door.run(["rm", "--all", "--force", "--time", "0"])
    door.run(["network", "rm", "--force", NETWORK], check=False)
    door.release()
    assert not door.run_dir.exists()
    run(as_root(["rm", "-rf", "--one-file-system", str(door.home)]), timeout=60)
    assert not door.home.exists()


@pytest.fixture
def image(tmp_path: Path, podman: Podman) -> str:
    layer = Layer(binaries={"pause": CATATONIT})
    made = Image("localhost/mcastlab-test/pause", (layer,), architecture(), settings={"Entrypoint": ["/pause"]})
    write_archive(tmp_path / "image.tar", [made])
    podman.run(["load", "--quiet", "--input", str(tmp_path / "image.tar")])
    return made.name


def test_storage_is_overlay_and_our_own(podman: Podman) -> None:
    info = json.loads(podman.run(["info", "--format", "json"]).stdout)
    assert info["store"]["graphDriverName"] == "overlay"
    assert info["store"]["graphRoot"] == str(podman.home / "storage")
    assert info["store"]["volumePath"] == str(podman.home / "storage" / "volumes")


def test_an_image_that_we_wrote_runs_and_the_user_does_not_see_it(podman: Podman, image: str) -> None:
    assert podman.has_image(image)
    said = podman.run(["run", "--rm", "--network=none", image, "--version"])
    assert "catatonit" in said.stdout
    assert subprocess.run([*as_root(["podman"]), "image", "exists", image], check=False).returncode == 1


def test_a_network_gets_a_bridge_of_its_own_and_etc_stays_as_it_is(podman: Podman, image: str) -> None:
    podman.create_network(NETWORK, ["--disable-dns", "--internal", "--subnet", "10.213.250.0/24"])
    assert not Path(f"/etc/containers/networks/{NETWORK}.json").exists()
    podman.run(["run", "-d", "--name", "door", "--network", f"{NETWORK}:ip=10.213.250.9", image, "-P"])
    links = json.loads(run(["ip", "-j", "-d", "link", "show", "type", "bridge"], timeout=10).stdout)
    assert bridge_name(NETWORK) in {link["ifname"] for link in links}
    described = json.loads(podman.run(["inspect", "door"]).stdout)[0]
    assert described["NetworkSettings"]["Networks"][NETWORK]["IPAddress"] == "10.213.250.9"


def test_release_waits_until_no_container_is_left(podman: Podman, image: str) -> None:
    podman.run(["run", "-d", "--name", "kept", "--network=none", image, "-P"])
    podman.release()
    assert podman.run_dir.exists()
    assert podman.run(["inspect", "--format", "{{.State.Running}}", "kept"]).stdout.strip() == "true"
