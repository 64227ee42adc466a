"""Podman through its one door: our own images, networks and state, none of the user's, and an image we wrote."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from provision.artifacts.golang import architecture
from provision.artifacts.oci import Image, Layer, write_archive
from provision.core.errors import WaitError
from provision.core.run import Completed, as_root, run
from provision.providers.podman import cli as podman_cli
from provision.providers.podman.cli import Podman, bridge_name

CATATONIT = Path("/usr/bin/catatonit")  # static: an image of one file
NETWORK = "mcastlab-test-door"
PODMAN = shutil.which("podman")


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


@pytest.mark.parametrize("killed_before_the_bridge_had_its_name", [False, True])
def test_a_network_gets_a_bridge_of_its_own_and_etc_stays_as_it_is(
    podman: Podman, image: str, killed_before_the_bridge_had_its_name: bool
) -> None:
    args = ["--disable-dns", "--internal", "--subnet", "10.213.250.0/24"]
    if killed_before_the_bridge_had_its_name:
        podman.run(["network", "create", *args, NETWORK])
    podman.ensure_network(NETWORK, args)
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


def test_a_container_that_podman_refuses_to_remove_is_tried_again(
    podman: Podman, image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Podman 4.3 refuses one that ends at that moment: here by a podman that fails on its first two `rm`."""
    podman.run(["run", "--detach", "--name", "mcastlab-test-ending", image])
    script = tmp_path / "bin" / "podman"
    script.parent.mkdir()
    script.write_text(
        f'#!/bin/sh\ncase "$*" in *" rm "*) [ "$(wc -l <{tmp_path}/tries)" -ge 2 ] || '
        f'{{ echo x >>{tmp_path}/tries; echo "container state improper" >&2; exit 2; }} ;; esac\nexec {PODMAN} "$@"\n'
    )
    script.chmod(0o755)
    (tmp_path / "tries").touch()
    monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")
    podman.remove_containers(["mcastlab-test-ending"])
    assert (tmp_path / "tries").read_text() == "x\nx\n"
    assert podman.run(["ps", "--all", "--quiet"]).stdout == ""
    podman.remove_containers(["mcastlab-test-ending"])  # is gone already: no error


def test_a_container_that_stays_is_an_error_in_the_end(
    podman: Podman, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(podman_cli, "_REMOVE_SECONDS", 0.1)
    monkeypatch.setattr(podman, "run", lambda *_, **__: Completed(("podman",), 2, "", "container state improper", 0.1))
    with pytest.raises(WaitError, match=r"containers to be removed: one; last seen: container state improper"):
        podman.remove_containers(["one"])
    monkeypatch.undo()
