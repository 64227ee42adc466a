"""What the bundle is made of, read from bundle/versions.yml and images/images.yml."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from provision.core.paths import ROOT

_IMPORT = re.compile(r'^\s+_ "([^"]+)"', re.MULTILINE)


@dataclass(frozen=True)
class Component:
    """A folder of bundle/: one Go module and the commands of it that are built."""

    name: str
    entry: Mapping[str, Any]
    folder: Path

    @property
    def version(self) -> str:
        """As the module proxy has it, with its `v`."""
        return str(self.entry["version"])

    @property
    def seconds(self) -> int:
        """What a cold build takes on 2 cores, about."""
        return int(self.entry["seconds"])

    @property
    def label(self) -> str:
        return f"{self.name} {self.version}"

    @cached_property
    def packages(self) -> list[str]:
        """The commands' import paths: those that tools.go names."""
        return _IMPORT.findall((self.folder / "tools.go").read_text())

    @property
    def rename(self) -> Mapping[str, str]:
        return dict(self.entry.get("rename", {}))

    @property
    def ldflags(self) -> str:
        """Without symbol tables, and with the version that the binary is to say of itself."""
        major, minor = self.version.removeprefix("v").split(".")[:2]
        names = {"version": self.version, "major": major, "minor": minor}
        return " ".join(["-s -w", *(flag.format(**names) for flag in self.entry.get("ldflags", []))])


@dataclass(frozen=True)
class Versions:
    """bundle/versions.yml."""

    components: Mapping[str, Component]
    suite: str
    go: Mapping[str, Any]
    pulled: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RootSpec:
    """A Debian root file system of images/images.yml."""

    name: str
    variant: str
    packages: tuple[str, ...]


@dataclass(frozen=True)
class PythonSpec:
    """A Python package of the checkout, the locked packages it needs, and what of these it does not (globs)."""

    package: str
    requirements: str
    without: tuple[str, ...] = ()


@dataclass(frozen=True)
class ImageSpec:
    """A container image of images/images.yml; empty strings where it has no such part."""

    role: str
    component: str = ""
    package: str = ""
    binary: str = ""
    path: str = ""
    root: str = ""
    entrypoint: tuple[str, ...] = ()
    files: tuple[tuple[str, str], ...] = ()  # (path in the image, file of the checkout)
    python: PythonSpec | None = None


@dataclass(frozen=True)
class ImagesFile:
    """images/images.yml."""

    repository: str
    roots: Mapping[str, RootSpec]
    images: tuple[ImageSpec, ...]


def load_versions(folder: Path = ROOT / "bundle") -> Versions:
    """bundle/versions.yml as it is now."""
    raw = _yaml(folder / "versions.yml")
    components = {name: Component(name, entry, folder / name) for name, entry in raw["components"].items()}
    return Versions(components, raw["debian"]["suite"], raw["go"], raw["pulled"])


def load_images(folder: Path = ROOT / "images") -> ImagesFile:
    """images/images.yml as it is now."""
    raw = _yaml(folder / "images.yml")
    roots = {name: RootSpec(name, spec["variant"], tuple(spec["packages"])) for name, spec in raw["roots"].items()}
    images = (
        ImageSpec(
            role,
            **{**spec, "entrypoint": tuple(spec.get("entrypoint", ())), "files": _files(spec), "python": _python(spec)},
        )
        for role, spec in raw["images"].items()
    )
    return ImagesFile(raw["repository"], roots, tuple(images))


def _files(spec: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(spec.get("files", {}).items()))


def _python(spec: Mapping[str, Any]) -> PythonSpec | None:
    given = spec.get("python")
    return PythonSpec(**{**given, "without": tuple(given.get("without", ()))}) if given else None


def _yaml(path: Path) -> Any:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C where there is one: five times faster
    return yaml.load(path.read_text(), Loader=loader)  # noqa: S506 - both are safe loaders
