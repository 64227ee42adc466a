"""Images of the user's: onto the node by archive, pipe and name, run by a pod, and nothing of what is no image."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from provision.commands.session import open_lab
from provision.commands.up import what_next
from provision.core.errors import HostError
from provision.core.typed import Typed
from provision.hosts.process import Input
from provision.hosts.remote import Remotes
from provision.load.node import NodeImages
from tests import image_archives
from tests.e2e.conftest import MCASTLAB, CliLab, make_lab

APP, OTHER = "docker.io/theirs/app:1", "localhost/theirs/other:latest"


@pytest.fixture(scope="module", autouse=True)
def loaded(lab: CliLab) -> Iterator[None]:
    yield
    lab.on("k8s", f"kubectl delete pod theirs --ignore-not-found --force --wait=false; ctr images rm {APP} {OTHER}")


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return image_archives.write(tmp_path_factory.mktemp("load") / "app.tar", "theirs/app:1")


@pytest.fixture(scope="module")
def node(lab: CliLab) -> Iterator[NodeImages]:
    run = open_lab(Typed(lab.folder / "lab.yml"))
    run.find()
    with Remotes(run.machines) as remotes:
        yield NodeImages(remotes.get("k8s"))


def test_a_pod_runs_an_image_under_the_name_that_load_says(lab: CliLab, app: Path) -> None:
    shown = lab("load", str(app)).stderr
    assert f"A pod uses it as\n  image: {APP}\n  imagePullPolicy: IfNotPresent, the default of this tag" in shown
    lab.kubectl("run", "theirs", f"--image={APP}")
    lab.kubectl("wait", "--for=condition=Ready", "pod/theirs", "--timeout=60s")
    again = lab("load", str(app), "--json")
    assert "1 was there already" in again.stderr
    (row,) = json.loads(again.stdout)["images"]
    assert (row["node"], row["image"], row["change"]) == ("k8s", APP, "unchanged")


def test_what_the_node_has_is_listed_here_and_in_its_shell(lab: CliLab, app: Path) -> None:
    lab("load", str(app))
    (node,) = json.loads(lab("load", "--list", "--json").stdout)["nodes"]
    own = {row["name"] for row in node["images"] if row["whole"]}
    assert {APP, lab.image("tools")} <= own
    assert own <= set(lab.on("k8s", "ctr", "images", "ls", "--quiet").splitlines())


def test_a_layout_by_a_pipe_and_an_image_of_podmans_by_name(lab: CliLab, app: Path, tmp_path: Path) -> None:
    layout = image_archives.layout(app, tmp_path / "app.oci")
    with layout.open("rb") as stream:
        argv = [MCASTLAB, "load", "-", "--as", "localhost/theirs/other"]
        done = subprocess.run(argv, cwd=lab.folder, stdin=stream, capture_output=True, text=True, check=True)
    assert f"image: {OTHER}\n  imagePullPolicy: IfNotPresent (or Never); without it Kubernetes pulls" in done.stderr

    (tmp_path / "storage.conf").write_text(
        f'[storage]\ndriver = "vfs"\ngraphroot = "{tmp_path}/storage"\nrunroot = "{tmp_path}/run"\n'
    )
    env = {**os.environ, "CONTAINERS_STORAGE_CONF": str(tmp_path / "storage.conf")}
    image = image_archives.write(tmp_path / "podmans.tar", "localhost/theirs/other:latest")
    subprocess.run(["podman", "load", "--input", image], env=env, capture_output=True, check=True)
    argv = [MCASTLAB, "load", "theirs/other", "--json"]
    done = subprocess.run(argv, cwd=lab.folder, env=env, capture_output=True, text=True, check=True)
    assert [(row["image"], row["change"]) for row in json.loads(done.stdout)["images"]] == [(OTHER, "loaded")]


def test_bad_input_changes_nothing(lab: CliLab, node: NodeImages, tmp_path: Path) -> None:
    before = node.listing()
    (tmp_path / "text.tar").write_text("no archive")
    new = image_archives.write(tmp_path / "new.tar", "theirs/new:1")
    shown = lab("load", str(new), str(tmp_path / "text.tar"), code=2).stderr
    assert f"{tmp_path}/text.tar: It is no tar archive" in shown
    assert "remedy: Save or download it again" in shown
    name = "localhost/mcastlab/kube-proxy:mine"
    assert lab("load", str(new), "--as", name, code=2).stderr.endswith(
        f"{new}: '{name}' is a name that the lab keeps for its own images\n  remedy: Give it another: --as NAME\n"
    )
    shown = lab("load", "nobody/has-this", code=2).stderr
    assert "There is no image 'nobody/has-this': it is no file, and podman" in shown
    assert node.listing() == before


def test_a_lab_that_is_not_up(tmp_path: Path, app: Path) -> None:
    lab = make_lab(tmp_path, "e2e-never", 78)
    assert lab("load", str(app), code=3).stderr == (
        "Lab 'e2e-never' is not up: no running host k8s, mcastsrc\n  remedy: Run `mcastlab up`\n"
    )
    assert not lab.state.exists()


def test_what_does_not_arrive_whole_is_no_image(node: NodeImages, tmp_path: Path) -> None:
    data = image_archives.write(tmp_path / "cut.tar", "theirs/cut:1").read_bytes()

    def half(target: Input) -> None:
        target.write(data[: len(data) // 2])
        raise KeyboardInterrupt

    before = node.listing()
    with pytest.raises(KeyboardInterrupt):
        node.take(half)
    with pytest.raises(HostError) as raised:
        node.take(partial(_cut, data))
    said = str(raised.value)
    assert said.startswith("containerd on node 'k8s' did not take the image\n  | ")
    assert said.endswith("  remedy: Mend what it says, for instance with `mcastlab ssh k8s`, and load it again")
    assert node.listing() == before


def _cut(data: bytes, target: Input) -> None:
    target.write(data[: len(data) // 2])


def test_a_containerd_that_does_not_answer(lab: CliLab, node: NodeImages) -> None:
    lab.on("k8s", "systemctl", "stop", "containerd")
    try:
        with pytest.raises(HostError) as raised:
            node.listing()
    finally:
        lab.on("k8s", "systemctl", "start", "containerd")
    said = str(raised.value)
    assert said.startswith("containerd on node 'k8s' does not answer\n  | ctr: ")
    assert said.endswith("  remedy: `mcastlab up` starts what does not run; `mcastlab logs DIR` collects what it says")


def test_what_to_type_next_works_when_it_is_pasted_elsewhere(lab: CliLab, app: Path, tmp_path: Path) -> None:
    """As `up` prints it for a lab.yml of another folder: each by a shell, but for what would remove the lab."""
    typed = Typed(lab.folder / "lab.yml")
    env = {**os.environ, "PATH": f"{MCASTLAB.parent}:{os.environ['PATH']}", "COLUMNS": "200"}
    shown = {}
    for command, _ in what_next(open_lab(typed).lab, typed)[:-1]:
        line = command.replace("IMAGE", str(app)).replace(" check ", " check nodes-ready ")
        argv = ["bash", "-ec", f"{line}; echo $KUBECONFIG"]
        done = subprocess.run(argv, cwd=tmp_path, env=env, stdin=subprocess.DEVNULL, capture_output=True, check=True)
        shown[command.split("mcastlab ")[1].split()[0]] = done.stdout.decode()
    assert set(shown) == {"status", "check", "ssh", "kubeconfig", "load"}
    assert f"Lab '{lab.name}'" in shown["status"]
    assert shown["kubeconfig"] == f"{lab.state}/kubeconfig\n"
