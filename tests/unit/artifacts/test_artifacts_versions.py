"""bundle/versions.yml is the only place for versions, and what depends on it agrees with it."""

import re
import subprocess
from pathlib import Path

import pytest

from provision.artifacts.versions import load_images, load_versions
from provision.core.paths import ROOT

VERSIONS = load_versions()
COMPONENTS = list(VERSIONS.components.values())
# Recorded samples in tests, output shown in documents and the hashes of Python packages are no place that decides.
NO_PLACE = re.compile(r"^(bundle|docs|tests|requirements)/|\.md$")


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda component: component.name)
def test_go_mod_asks_for_the_version_of_versions_yml(component) -> None:  # type: ignore[no-untyped-def]
    text = (component.folder / "go.mod").read_text()
    assert f"module mcastlab/bundle/{component.name}\n" in text
    assert f"require {component.entry['module']} {component.version}\n" in text
    assert f"\ngo {VERSIONS.go['minimum']}\n" in text
    assert (component.folder / "go.sum").read_text()
    assert all(package.startswith(component.entry["module"].removesuffix("/v3")) for package in component.packages)
    assert component.packages


def test_staging_modules_of_kubernetes_are_its_own_release() -> None:
    kubernetes = VERSIONS.components["kubernetes"]
    staging = kubernetes.version.replace("v1.", "v0.", 1)
    replaced = re.findall(r"^\t?(?:replace )?(\S+) => (\S+) (\S+)$", (kubernetes.folder / "go.mod").read_text(), re.M)
    assert len(replaced) > 20
    assert all(old == new and version == staging for old, new, version in replaced)


def test_version_strings_are_filled_in() -> None:
    flags = VERSIONS.components["kubernetes"].ldflags
    version = VERSIONS.components["kubernetes"].version
    assert f"-X k8s.io/component-base/version.gitVersion={version} " in flags
    assert "{" not in flags


def test_every_image_names_what_is_there() -> None:
    spec = load_images()
    for image in spec.images:
        assert bool(image.component) + bool(image.package) + bool(image.root and not image.binary) == 1, image.role
        assert not image.root or image.root in spec.roots
        assert not image.package or image.package in spec.roots["tools"].packages
        if image.component:
            component = VERSIONS.components[image.component]
            names = [component.rename.get(name, name) for name in (_command(p) for p in component.packages)]
            assert image.binary in names


def _command(package: str) -> str:
    """The name `go build` gives a command: the last part of its path that is not a major version."""
    return [part for part in package.split("/") if not re.fullmatch(r"v\d+", part)][-1]


def test_no_other_file_names_a_version() -> None:
    literals = [str(VERSIONS.go["version"]), *(component.version.removeprefix("v") for component in COMPONENTS)]
    pattern = re.compile(rf"(?<![\d.])v?({'|'.join(map(re.escape, literals))})(?![\d.])")
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    found = []
    for name in listed.stdout.splitlines():
        path = Path(ROOT / name)
        if NO_PLACE.search(name) or not path.is_file():
            continue
        text = path.read_bytes().decode(errors="replace")
        found += [f"{name}: {match[0]}" for match in pattern.finditer(text)]
    assert found == []
