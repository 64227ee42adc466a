"""Image archives: readable by what reads OCI and Docker archives, and the same bytes for the same input."""

import hashlib
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from provision.artifacts.oci import Image, Layer, write_archive


@pytest.fixture
def binary(tmp_path: Path) -> Path:
    path = tmp_path / "tool"
    path.write_bytes(b"\x7fELF" + bytes(3000))
    return path


@pytest.fixture
def root(tmp_path: Path, binary: Path) -> Path:
    path = tmp_path / "root.tar"
    with tarfile.open(path, "w") as tar:
        tar.add(binary, "./bin/sh")
    return path


def images(root: Path, binary: Path) -> list[Image]:
    base = Layer(root)
    return [
        Image("localhost/t/tools", (base,), "amd64"),
        Image("localhost/t/proxy", (base, Layer(binaries={"usr/local/bin/proxy": binary})), "amd64", tag="v1"),
        Image("localhost/t/dns", (Layer(binaries={"dns": binary}),), "amd64", "v2", {"Entrypoint": ["/dns"]}),
    ]


def contents(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        members = tar.getmembers()
        assert len({member.name for member in members}) == len(members)
        return {member.name: (tar.extractfile(member) or pytest.fail(member.name)).read() for member in members}


def load(data: bytes) -> Any:
    return json.loads(data)


def test_every_blob_is_what_its_name_and_its_descriptor_say(tmp_path: Path, root: Path, binary: Path) -> None:
    write_archive(tmp_path / "images.tar", images(root, binary))
    files = contents(tmp_path / "images.tar")
    blobs = {name.rsplit("/", 1)[1]: data for name, data in files.items() if name.startswith("blobs/sha256/")}
    assert all(hashlib.sha256(data).hexdigest() == name for name, data in blobs.items())

    def blob(descriptor: dict[str, Any]) -> bytes:
        data = blobs[descriptor["digest"].removeprefix("sha256:")]
        assert len(data) == descriptor["size"]
        return data

    index = load(files["index.json"])
    names = [entry["annotations"]["io.containerd.image.name"] for entry in index["manifests"]]
    assert names[1:] == ["localhost/t/proxy:v1", "localhost/t/dns:v2"]
    for entry in index["manifests"]:
        manifest = load(blob(entry))
        config = load(blob(manifest["config"]))
        layers = [f"sha256:{hashlib.sha256(blob(layer)).hexdigest()}" for layer in manifest["layers"]]
        assert config["rootfs"]["diff_ids"] == layers
        assert config["architecture"] == "amd64"


def test_a_shared_layer_is_in_the_archive_once(tmp_path: Path, root: Path, binary: Path) -> None:
    write_archive(tmp_path / "images.tar", images(root, binary))
    assert list(contents(tmp_path / "images.tar").values()).count(root.read_bytes()) == 1


def test_dockers_manifest_names_the_same_blobs(tmp_path: Path, root: Path, binary: Path) -> None:
    write_archive(tmp_path / "images.tar", images(root, binary))
    files = contents(tmp_path / "images.tar")
    for entry in load(files["manifest.json"]):
        assert {entry["Config"], *entry["Layers"]} <= files.keys()
    assert load(files["manifest.json"])[2]["RepoTags"] == ["localhost/t/dns:v2"]


def test_a_layer_of_binaries_holds_them_as_roots_and_executable(tmp_path: Path, binary: Path) -> None:
    layer = Layer(binaries={"usr/local/bin/tool": binary})
    path = tmp_path / "layer.tar"
    path.write_bytes(b"".join(layer.chunks()))
    assert layer.blob == (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_size)
    with tarfile.open(path) as tar:
        found = [(member.name, oct(member.mode), member.uid, member.isdir()) for member in tar]
        assert found == [
            ("usr", "0o755", 0, True),
            ("usr/local", "0o755", 0, True),
            ("usr/local/bin", "0o755", 0, True),
            ("usr/local/bin/tool", "0o755", 0, False),
        ]
        assert (tar.extractfile("usr/local/bin/tool") or pytest.fail()).read() == binary.read_bytes()


def test_the_same_input_gives_the_same_bytes_and_another_a_new_tag(tmp_path: Path, root: Path, binary: Path) -> None:
    write_archive(tmp_path / "one.tar", images(root, binary))
    write_archive(tmp_path / "two.tar", images(root, binary))
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    first = images(root, binary)[0].name
    with tarfile.open(root, "a") as tar:
        tar.add(binary, "./bin/bash")
    assert images(root, binary)[0].name != first
    assert len(first.rsplit(":", 1)[1]) == 12
