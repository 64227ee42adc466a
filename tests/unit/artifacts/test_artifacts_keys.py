"""A component is built again when one of its inputs changes, and only then."""

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from provision.artifacts import golang, rootfs
from provision.artifacts.golang import Toolchain
from provision.artifacts.sources.go_modules import GoModules
from provision.artifacts.store import Store
from provision.artifacts.versions import RootSpec, load_versions
from provision.core.paths import ROOT

GO = {"GOVERSION": "go1.99.0", "GOARCH": "amd64", "GOFLAGS": ""}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ROOT / "bundle", tmp_path / "bundle"))


@pytest.fixture
def go(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    settings = dict(GO)
    monkeypatch.setattr(golang, "locate", lambda *_: Toolchain("/go", settings))
    return settings


def key(bundle: Path, name: str = "cni") -> str:
    versions = load_versions(bundle)
    return GoModules(versions, Store(bundle.parent / "cache")).item(versions.components[name]).key


def edit(name: str, old: str, new: str) -> Callable[[Path], Any]:
    def change(bundle: Path) -> None:
        text = (bundle / name).read_text()
        assert old in text
        (bundle / name).write_text(text.replace(old, new))

    return change


@pytest.mark.parametrize(
    "change",
    [
        edit("cni/go.mod", "go 1.", "go 2."),
        edit("cni/go.sum", "h1:", "h2:"),
        edit("cni/tools.go", "ipvlan", "dummy"),
        edit("versions.yml", "version: v1.9", "version: v1.8"),
        edit("versions.yml", "buildversion.BuildVersion", "buildversion.Other"),
    ],
)
def test_an_input_that_changes_gives_another_key(
    bundle: Path, go: dict[str, str], change: Callable[[Path], Any]
) -> None:
    before = key(bundle)
    change(bundle)
    assert key(bundle) != before


@pytest.mark.parametrize("name", GO)
def test_another_go_gives_another_key(bundle: Path, go: dict[str, str], name: str) -> None:
    before = key(bundle)
    go[name] += "x"
    assert key(bundle) != before


@pytest.mark.parametrize(
    "change",
    [
        edit("etcd/go.sum", "h1:", "h2:"),
        edit("versions.yml", "seconds: 10", "seconds: 11"),
        edit("versions.yml", "# The only place", "# The one place"),
        lambda bundle: os.utime(bundle / "cni" / "go.mod", (1, 1)),
    ],
    ids=["another component", "estimate", "comment", "time of a file"],
)
def test_what_is_no_input_changes_no_key(bundle: Path, go: dict[str, str], change: Callable[[Path], Any]) -> None:
    before = key(bundle)
    change(bundle)
    assert key(bundle) == before


def test_the_place_of_the_checkout_is_no_input(bundle: Path, go: dict[str, str]) -> None:
    assert key(bundle) == key(ROOT / "bundle")


def test_a_root_file_system_depends_on_what_is_asked_of_debian() -> None:
    spec = RootSpec("tools", "essential", ("bash", "iperf"))
    base = rootfs.root_key(spec, "bookworm", "amd64")
    assert rootfs.root_key(replace(spec, packages=("iperf", "bash")), "bookworm", "amd64") == base
    others = {
        rootfs.root_key(replace(spec, packages=("iperf",)), "bookworm", "amd64"),
        rootfs.root_key(replace(spec, variant="minbase"), "bookworm", "amd64"),
        rootfs.root_key(spec, "trixie", "amd64"),
        rootfs.root_key(spec, "bookworm", "arm64"),
    }
    assert len(others - {base}) == 4


def test_a_root_file_system_depends_on_the_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = RootSpec("tools", "essential", ("bash",))
    base = rootfs.root_key(spec, "bookworm", "amd64")
    copy = tmp_path / "customize"
    copy.write_bytes(rootfs.CUSTOMIZE.read_bytes())
    monkeypatch.setattr(rootfs, "CUSTOMIZE", copy)
    assert rootfs.root_key(spec, "bookworm", "amd64") == base
    copy.write_text("#!/bin/sh\n")
    assert rootfs.root_key(spec, "bookworm", "amd64") != base
