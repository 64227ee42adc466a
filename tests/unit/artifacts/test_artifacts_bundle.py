"""The bundle is put together from its parts, taken from the cache, and mended; no build and no Podman here."""

import json
import tarfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from provision.artifacts import bpf_object, rootfs
from provision.artifacts.bundle import Maker, listing
from provision.artifacts.images import ImageMaker
from provision.artifacts.sources.choose import choose_source
from provision.artifacts.store import Item, Store, key_of
from provision.artifacts.versions import Component, RootSpec, load_images, load_versions
from provision.core.errors import HostError

DPKG = "Package: {}\nStatus: install ok installed\nVersion: 1:2.3-4+b1\nDescription: x\n y\n\n"


class FakeSource:
    """Binaries that say their own name."""

    def __init__(self, name: str = "fake", refusal: str = "") -> None:
        self.name = name
        self._refusal = refusal
        self.fetched: list[str] = []

    def refusal(self) -> str:
        return self._refusal

    def item(self, component: Component) -> Item:
        return Item(component.name, key_of(version=component.version), component.label)

    def fetch(self, component: Component, folder: Path, report: Callable[[str], None]) -> None:
        self.fetched.append(component.name)
        for package in component.packages:
            name = [part for part in package.split("/") if part not in {"v2", "v3"}][-1]
            path = folder / component.rename.get(name, name)
            path.write_text(path.name)
            path.chmod(0o755)


class FakePodman:
    """Remembers which archives it was told to load."""

    def __init__(self) -> None:
        self.images: set[str] = set()
        self.loaded = 0

    def has_image(self, name: str) -> bool:
        return name in self.images

    def load(self, archive: Path) -> None:
        with tarfile.open(archive) as tar:
            manifest = json.load(tar.extractfile("manifest.json") or pytest.fail())
        self.images |= set(manifest[0]["RepoTags"])
        self.loaded += 1


def fake_root(spec: RootSpec, _suite: str, _architecture: str, target: Path, _report: object) -> None:
    files = {
        "var/lib/dpkg/status": "".join(DPKG.format(name) for name in spec.packages),
        "usr/bin/catatonit": "catatonit",
    }
    with tarfile.open(target, "w") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(f"./{name}")
            info.size = len(text)
            tar.addfile(info, BytesIO(text.encode()))


def fake_object(folder: Path, _architecture: str, _report: object) -> None:
    (folder / "policy.o").write_text("policy")
    (folder / "policy.json").write_text(json.dumps({"sha256": "12ab", "compiler": "clang version 1"}))


def no_compiler(*_: object) -> None:
    raise HostError("Command 'clang' is missing")


@pytest.fixture
def source() -> FakeSource:
    return FakeSource()


@pytest.fixture
def maker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: FakeSource) -> Maker:
    monkeypatch.setattr(rootfs, "make_root", fake_root)
    monkeypatch.setattr(bpf_object, "make_object", fake_object)
    versions, store = load_versions(), Store(tmp_path / "cache")
    choice = choose_source([source])
    return Maker(versions, choice, ImageMaker(versions, load_images(), source, store, "amd64"), store)


def again(maker: Maker) -> Maker:
    """As the next command would make it, with nothing remembered."""
    return Maker(maker.versions, maker.choice, maker.images, maker.store)


def ensure(maker: Maker, podman: FakePodman, lines: list[str] | None = None) -> Any:
    return maker.ensure((lines if lines is not None else []).append, podman)


def test_it_has_all_that_the_contract_names(maker: Maker) -> None:
    podman = FakePodman()
    bundle = ensure(maker, podman)
    version = {name: component.version for name, component in maker.versions.components.items()}
    assert {path.name for path in (bundle.path / "bin").iterdir()} == {
        *("kubelet", "kubeadm", "kubectl", "containerd", "containerd-shim-runc-v2", "ctr")
    }
    assert {"macvlan", "bridge", "host-local", "portmap", "whereabouts"} <= {
        path.name for path in (bundle.path / "cni").iterdir()
    }
    assert [path.name for path in (bundle.path / "bpf").iterdir()] == ["policy.o"]
    document = bundle.document
    assert document["policy_object"] == {"sha256": "12ab", "compiler": "clang version 1"}
    assert document["digest"] == bundle.digest == bundle.path.name
    assert document["kubernetes_version"] == version["kubernetes"]
    assert document["etcd_tag"] == version["etcd"]
    assert document["coredns_tag"] == version["coredns"]
    assert document["image_repository"] == "localhost/mcastlab"
    images = bundle.images
    assert images["kube-apiserver"] == f"localhost/mcastlab/kube-apiserver:{version['kubernetes']}"
    assert images["pause"] == "localhost/mcastlab/pause:2.3-4_b1"
    with tarfile.open(bundle.path / "images.tar") as tar:
        manifest = json.load(tar.extractfile("manifest.json") or pytest.fail())
    assert sorted(name for entry in manifest for name in entry["RepoTags"]) == sorted(images.values())
    assert podman.images == {bundle.node_image}
    assert (bundle.source, bundle.reason) == ("fake", "it is the only source there is")
    assert bundle.versions.items() >= version.items()


def test_a_second_time_it_comes_from_the_cache(maker: Maker, source: FakeSource) -> None:
    podman, lines = FakePodman(), []  # type: ignore[var-annotated]
    first = ensure(maker, podman)
    second = ensure(again(maker), podman, lines)
    assert (second.path, second.node_image) == (first.path, first.node_image)
    assert (second.source, second.reason) == ("cache", "made earlier from fake, and no input has changed")
    assert (lines, podman.loaded) == ([], 1)
    assert sorted(source.fetched) == sorted(maker.versions.components)


def test_what_is_cached_needs_no_compiler(maker: Maker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    first = ensure(maker, FakePodman())
    monkeypatch.setattr(bpf_object, "make_object", no_compiler)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert ensure(again(maker), FakePodman()).path == first.path
    assert all(state.startswith("cached in ") for _, _, state in listing(again(maker)))
    assert again(maker).verify() == []


def test_without_a_compiler_nothing_else_is_begun(
    maker: Maker, source: FakeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bpf_object, "make_object", no_compiler)
    with pytest.raises(HostError, match="Command 'clang' is missing"):
        ensure(maker, FakePodman())
    assert source.fetched == []


def test_without_a_place_for_images_the_node_image_is_brought_nowhere(maker: Maker) -> None:
    """For `check`, and for hosts that are made of none."""
    lines: list[str] = []
    bundle = maker.ensure(lines.append, None)
    assert bundle.node_image == bundle.document["node_image"]
    assert not [line for line in lines if "loading" in line]


def test_a_node_image_that_was_removed_is_loaded_again(maker: Maker) -> None:
    podman = FakePodman()
    bundle = ensure(maker, podman)
    podman.images.clear()
    ensure(again(maker), podman)
    assert podman.images == {bundle.node_image}


def test_a_damaged_binary_is_made_again_and_nothing_else(maker: Maker, source: FakeSource) -> None:
    podman = FakePodman()
    bundle = ensure(maker, podman)
    source.fetched.clear()
    (bundle.path / "bin" / "ctr").write_text("damaged")  # the part of the cache that it is a link to as well
    mended = ensure(again(maker), podman)
    assert (mended.path / "bin" / "ctr").read_text() == "ctr"
    assert source.fetched == ["containerd"]
    assert again(maker).verify() == []


def test_verify_names_a_file_whose_content_changed(maker: Maker) -> None:
    import os

    path = ensure(maker, FakePodman()).path / "bin" / "ctr"
    before = path.stat()
    path.write_text("rtc")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert [problem.rsplit(": ", 2)[-2:] for problem in again(maker).verify()] == [
        ["'ctr' is not what was made", "its SHA-256 differs"],
        ["'bin/ctr' is not what was made", "its SHA-256 differs"],
    ]


def test_the_listing_says_what_is_there(maker: Maker) -> None:
    before = {name: state for name, _, state in listing(maker)}
    assert set(before.values()) == {"not made yet"}
    ensure(maker, FakePodman())
    after = {name: (version, state) for name, version, state in listing(again(maker))}
    assert after.keys() == {*maker.versions.components, "policy-programs", "images", "node", "bundle"}
    assert after["etcd"][0] == maker.versions.components["etcd"].version
    assert all(state.startswith("cached in ") for _, state in after.values())


def test_the_first_source_that_can_be_used_is_chosen_and_the_reason_names_the_others() -> None:
    first, second = FakeSource("upstream", "no network"), FakeSource("go-modules")
    choice = choose_source([first, second])
    assert (choice.source, choice.reason) == (second, "it is the first that can be used (upstream: no network)")
    assert choose_source([second, first]).reason == "it is the first choice"
    with pytest.raises(HostError, match="No source has the cluster's binaries"):
        choose_source([first])
