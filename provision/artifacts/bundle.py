"""The bundle: one immutable folder with all that a cluster is made of."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from provision.artifacts import bpf_object, golang
from provision.artifacts.images import ImageMaker
from provision.artifacts.sources.choose import SOURCES, SourceChoice, choose_source
from provision.artifacts.store import Item, Store, damage, key_of, text_digest, verify
from provision.artifacts.versions import Versions, load_images, load_versions
from provision.core.text import Say

DOCUMENT = "bundle.json"
# Folder of the bundle: (component, its commands; all of them where none is named).
_CONTENT = {
    "bin": (("kubernetes", ("kubelet", "kubeadm", "kubectl")), ("containerd", ())),
    "cni": (("cni", ()), ("whereabouts", ())),
}


@dataclass(frozen=True)
class Bundle:
    """What `ensure` returns: `path` has bin/, cni/, bpf/, images.tar and bundle.json; `versions` is by component.

    `source` and `reason` say where it came from; `node_image` is a name in the storage that `ensure` was given;
    `document` is bundle.json as it is.
    """

    path: Path
    source: str
    reason: str
    versions: Mapping[str, str]
    digest: str
    node_image: str
    document: Mapping[str, Any] = field(repr=False)

    @property
    def images(self) -> Mapping[str, str]:
        """Image reference by role, for instance `tools` or `kube-apiserver`."""
        images: Mapping[str, str] = self.document["images"]
        return images


class Images(Protocol):
    """Where images are kept that hosts are made of."""

    def has_image(self, name: str) -> bool:
        """Whether the image is there."""
        ...

    def load(self, archive: Path) -> None:
        """Take the image in the file."""
        ...


@dataclass(frozen=True)
class Maker:
    """Makes a bundle out of what versions.yml, images.yml and this machine give."""

    versions: Versions
    choice: SourceChoice
    images: ImageMaker
    store: Store

    @classmethod
    def here(cls) -> Maker:
        """For the checkout and the user's cache."""
        versions, store = load_versions(), Store.of_user()
        choice = choose_source([source(versions, store) for source in SOURCES])
        images = ImageMaker(versions, load_images(), choice.source, store, golang.architecture())
        return cls(versions, choice, images, store)

    @cached_property
    def item(self) -> Item:
        parts = {name: self.choice.source.item(component).key for name, component in self.versions.components.items()}
        parts |= {"images": self.images.cluster_item().key, "node": self.images.node_item().key}
        parts["policy-programs"] = self._programs_item().key
        key = key_of(parts=parts, content=repr(_CONTENT), script=text_digest(Path(__file__)))
        return Item("bundle", key, "bundle", folder="bundles")

    def ensure(self, report: Say, images: Images | None) -> Bundle:
        """The bundle, its node image among `images` if given; makes what is missing, damaged or of other inputs."""
        cached = self.store.has(self.item)
        path = self.store.ensure(self.item, lambda folder: self._make(folder, report), report)
        document = json.loads((path / DOCUMENT).read_text())
        if images:
            self._load_node(document["node_image"], images, report)
        built = document["source"]
        reason = f"made earlier from {built}, and no input has changed" if cached else self.choice.reason
        return Bundle(
            path=path,
            source="cache" if cached else built,
            reason=reason,
            versions=document["versions"],
            digest=self.item.key,
            node_image=document["node_image"],
            document=document,
        )

    def items(self) -> list[Item]:
        """The bundle and its parts, in the order in which they are made."""
        components = [self.choice.source.item(component) for component in self.versions.components.values()]
        return [self._programs_item(), *components, self.images.cluster_item(), self.images.node_item(), self.item]

    def verify(self) -> list[str]:
        """What is wrong with the cached files, by reading all of them; empty when nothing is."""
        problems = []
        for item in self.items():
            path = self.store.path(item)
            if path.exists() and (found := verify(path)):
                problems.append(f"{path}: {found}")
        return problems

    def _programs_item(self) -> Item:
        return bpf_object.item(self.images.architecture)

    def _make(self, folder: Path, report: Say) -> None:
        # First, as it takes a second: a missing compiler is not to be found after minutes of building.
        programs = bpf_object.ensure(self.images.architecture, self.store, report)
        for name in self.versions.components:
            self.images.component(name, report)
        node, cluster = self.images.node(report), self.images.cluster(report)
        for place, parts in _CONTENT.items():
            (folder / place).mkdir()
            for name, commands in parts:
                part = self.images.component(name, report)
                for command in commands or _commands(part):
                    os.link(part / command, folder / place / command)
        (folder / "bpf").mkdir()
        os.link(programs / bpf_object.OBJECT, folder / "bpf" / bpf_object.OBJECT)
        os.link(cluster / "images.tar", folder / "images.tar")
        document = self._document(node, cluster) | {"policy_object": _load(programs / bpf_object.RECORD)}
        (folder / DOCUMENT).write_text(json.dumps(document, indent=2, sort_keys=True) + "\n")

    def _document(self, node: Path, cluster: Path) -> dict[str, Any]:
        images = _load(cluster / "images.json")
        versions = {name: component.version for name, component in self.versions.components.items()}
        packages = {"node": _load(node / "packages.json"), "tools": _load(cluster / "packages.json")}
        versions |= {"runc": packages["node"]["runc"], "iperf": packages["tools"]["iperf"]}
        return {
            "digest": self.item.key,
            "source": self.choice.source.name,
            "versions": versions,
            "packages": packages,
            "images": images,
            "image_repository": self.images.spec.repository,
            "etcd_tag": images["etcd"].rsplit(":", 1)[1],
            "coredns_tag": images["coredns"].rsplit(":", 1)[1],
            "kubernetes_version": versions["kubernetes"],
            "node_image": _load(node / "image.json")["name"],
        }

    def _load_node(self, name: str, images: Images, report: Say) -> None:
        """Bring the node image in, from the cache, where it is not there or no longer."""
        if images.has_image(name):
            return
        archive = self.images.node(report) / "node.tar"
        report("The node image is loaded into Podman")
        images.load(archive)


def _commands(part: Path) -> list[str]:
    return sorted(path.name for path in part.iterdir() if os.access(path, os.X_OK))


def _load(path: Path) -> dict[str, str]:
    value: dict[str, str] = json.loads(path.read_text())
    return value


def listing(maker: Maker) -> list[tuple[str, str, str]]:
    """(part, version or key, state in the cache) for the bundle and each part of it."""
    versions = {name: component.version for name, component in maker.versions.components.items()}
    return [(item.name, versions.get(item.name, item.key), _state(maker.store.path(item))) for item in maker.items()]


def _state(path: Path) -> str:
    if not path.exists():
        return "not made yet"
    found = damage(path)
    return f"damaged: {found}" if found else f"cached in {path}"
