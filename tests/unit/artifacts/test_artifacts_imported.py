"""Importing image archives: what is taken, what is refused with which words, and that a refusal changes nothing."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from provision.artifacts import imported
from provision.artifacts.golang import architecture
from provision.core.errors import InputError

DAEMON = "usr/src/multus-cni/bin/multus-daemon"
NAME = "ghcr.io/k8snetworkplumbingwg/multus-cni:v4.3.0-thick"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MCASTLAB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def tar(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def config_of(layer: bytes, machine: str = "") -> bytes:
    rootfs = {"type": "layers", "diff_ids": [f"sha256:{sha(layer)}"]}
    return json.dumps({"architecture": machine or architecture(), "os": "linux", "rootfs": rootfs}).encode()


def docker(name: str = NAME, layer: bytes = b"", machine: str = "") -> bytes:
    layer = layer or tar({DAEMON: b"daemon"})
    manifest = json.dumps([{"Config": "c.json", "RepoTags": [name] if name else None, "Layers": ["a/layer.tar"]}])
    return tar({"c.json": config_of(layer, machine), "manifest.json": manifest.encode(), "a/layer.tar": layer})


def oci(name: str = NAME) -> bytes:
    """As skopeo writes it: compressed layers, an index of architectures in the index."""
    layer = tar({DAEMON: b"daemon"})
    packed = gzip.compress(layer)
    blobs: dict[str, bytes] = {}

    def blob(data: bytes, **more: Any) -> dict[str, Any]:
        blobs[f"blobs/sha256/{sha(data)}"] = data
        return {"digest": f"sha256:{sha(data)}", "size": len(data), **more}

    manifest = json.dumps({"config": blob(config_of(layer)), "layers": [blob(packed)]}).encode()
    mine = blob(manifest, platform={"architecture": architecture(), "os": "linux"})
    other = {**mine, "digest": "sha256:" + "0" * 64, "platform": {"architecture": "riscv64", "os": "linux"}}
    inner = json.dumps({"manifests": [other, mine]}).encode()
    media_type = "application/vnd.oci.image.index.v1+json"
    top = blob(inner, mediaType=media_type, annotations={"org.opencontainers.image.ref.name": name})
    index = json.dumps({"schemaVersion": 2, "manifests": [top]}).encode()
    return tar({"oci-layout": b"{}", "index.json": index, **blobs})


def bring(folder: Path, data: bytes, kind: str = "") -> imported.Imported:
    path = folder / "image.tar"
    path.write_bytes(data)
    return imported.import_archive(path, kind, lambda _line: None)


@pytest.mark.parametrize("data", [docker(), gzip.compress(docker()), oci()], ids=["docker", "docker.gz", "oci"])
def test_a_good_archive_is_kept_by_its_digest_under_our_name(data: bytes, tmp_path: Path) -> None:
    image = bring(tmp_path, data)
    assert image.origin == NAME
    assert image.reference == f"localhost/mcastlab/multus-cni:{image.digest[:12]}"
    assert imported.find("multus") == image
    with tarfile.open(image.archive) as kept:
        members = {member.name: kept.extractfile(member).read() for member in kept}  # type: ignore[union-attr]
    (manifest,) = json.loads(members["manifest.json"])
    assert manifest["RepoTags"] == [image.reference]
    assert sha(members[manifest["Config"]]) == image.digest
    assert set(members) == {"manifest.json", manifest["Config"], *manifest["Layers"]}
    assert ("multus (image)", NAME, f"imported, {image.archive.parent}") in imported.listing()


def test_the_one_imported_last_is_used_and_an_earlier_one_can_be_taken_again(tmp_path: Path) -> None:
    first = bring(tmp_path, docker())
    second = bring(tmp_path, docker(layer=tar({DAEMON: b"newer"})))
    assert imported.find("multus") == second != first
    assert bring(tmp_path, docker()) == first == imported.find("multus")


def test_an_image_of_another_name_is_taken_when_it_is_said_what_it_is(tmp_path: Path) -> None:
    assert bring(tmp_path, docker("registry.example/mirror:1"), "multus").origin == "registry.example/mirror:1"
    unnamed = docker("", layer=tar({DAEMON: b"another"}))
    assert bring(tmp_path, unnamed, "multus").origin == "image.tar"


def test_a_file_that_changes_in_the_cache_is_not_used(tmp_path: Path) -> None:
    image = bring(tmp_path, docker())
    image.archive.write_bytes(b"short")
    assert imported.find("multus") is None
    assert bring(tmp_path, docker()) == image


@pytest.mark.parametrize(
    ("data", "kind", "problem", "remedy"),
    [
        (b"not a tar", "", "It is no tar archive, or a damaged one", "Save or download it again"),
        (docker()[:5000], "", "It is no tar archive, or a damaged one", "Save or download it again"),
        (gzip.compress(docker())[:-40], "", "It is no tar archive, or a damaged one", "Save or download it again"),
        (tar({"a": b""}), "", "neither manifest.json nor index.json", "Save or download it again"),
        (tar({"manifest.json": b"{}"}), "", "holds no image", "--as multus"),
        (tar({"manifest.json": b"[1]"}), "", "It is no archive of an image", "Save or download it again"),
        (docker("docker.io/library/nginx:1"), "", "it holds 'docker.io/library/nginx:1'", "--as multus"),
        (docker(), "nginx", "There is no kind of image 'nginx'", "Choose one of: multus"),
        (docker(machine="s390x"), "", "The image is for 's390x', and this machine is", "Take the one that is made for"),
        (docker(layer=tar({"bin/multus": b""})), "", f"The image has no file '/{DAEMON}'", "ends in '-thick'"),
    ],
    ids=["text", "cut", "cut-gz", "empty", "mapping", "number", "nginx", "kind", "machine", "thin"],
)
def test_a_bad_archive_is_refused(data: bytes, kind: str, problem: str, remedy: str, tmp_path: Path) -> None:
    before = bring(tmp_path, docker())
    with pytest.raises(InputError) as raised:
        bring(tmp_path, data, kind)
    assert problem in raised.value.problem
    assert remedy in raised.value.remedy
    assert imported.find("multus") == before


@pytest.mark.parametrize(("layer", "problem"), [(None, "'a/layer.tar' is missing"), (b"x" * 1024, "is damaged")])
def test_a_missing_or_damaged_layer(layer: bytes | None, problem: str, tmp_path: Path) -> None:
    good = tar({DAEMON: b"daemon"})
    files = {
        "c.json": config_of(good),
        "manifest.json": json.dumps([{"Config": "c.json", "RepoTags": [NAME], "Layers": ["a/layer.tar"]}]).encode(),
    }
    with pytest.raises(InputError, match=problem):
        bring(tmp_path, tar({**files, **({"a/layer.tar": layer} if layer else {})}))
    assert imported.find("multus") is None


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no such file"):
        imported.import_archive(tmp_path / "none.tar", "", lambda _line: None)
