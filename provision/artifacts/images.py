"""The container images of the cluster in one archive, and the image of the nodes."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from provision.artifacts import oci, python_layer, rootfs
from provision.artifacts.oci import Image, Layer
from provision.artifacts.sources.base import Source
from provision.artifacts.store import Item, Store, key_of, text_digest
from provision.artifacts.versions import ImagesFile, ImageSpec, PythonSpec, Versions
from provision.core.errors import HostError
from provision.core.labels import CACHE
from provision.core.paths import ROOT
from provision.core.text import Say

# On every image of ours that stays in Podman when a lab is gone.
_SCRIPTS = (Path(__file__), Path(oci.__file__))


@dataclass(frozen=True)
class ImageMaker:
    """Makes the archives from root file systems and components; all of it is kept in the store."""

    versions: Versions
    spec: ImagesFile
    source: Source
    store: Store
    architecture: str

    def root_item(self, name: str) -> Item:
        key = rootfs.root_key(self.spec.roots[name], self.versions.suite, self.architecture)
        return Item(f"root-{name}", key, f"Root file system '{name}'")

    def python_item(self, spec: PythonSpec) -> Item:
        name = Path(spec.package).name.replace("_", "-")
        return Item(f"python-{name}", python_layer.layer_key(spec, self.architecture), f"Python packages of {name}")

    def cluster_item(self) -> Item:
        """All images that run in the cluster."""
        used = sorted({image.component for image in self.spec.images if image.component})
        components = {name: self.source.item(self.versions.components[name]).key for name in used}
        roots = {
            name: self.root_item(name).key for name in sorted({"tools", *(i.root for i in self.spec.images)} - {""})
        }
        files = {source: text_digest(ROOT / source) for image in self.spec.images for _, source in image.files}
        parts = {"components": components, "roots": roots, "images": repr(self.spec.images), "files": files}
        parts["python"] = {spec.package: self.python_item(spec).key for i in self.spec.images if (spec := i.python)}
        return Item("images", key_of(**parts, scripts=_script_digests()), "Cluster images")

    def node_item(self) -> Item:
        """The image that a host of the lab is made from, by Podman."""
        key = key_of(root=self.root_item("node").key, repository=self.spec.repository, scripts=_script_digests())
        return Item("node", key, "Node image")

    def cluster(self, report: Say) -> Path:
        """A folder with images.tar, images.json (name by role) and packages.json (Debian version by package)."""

        def make(folder: Path) -> None:
            root = self._root("tools", report)
            packages = rootfs.package_versions(root, self.spec.roots["tools"].packages)
            images = {image.role: self._image(image, packages, folder, report) for image in self.spec.images}
            report(f"The {len(images)} cluster images are written into one archive")
            oci.write_archive(folder / "images.tar", list(images.values()))
            _dump(folder / "images.json", {role: image.name for role, image in images.items()})
            _dump(folder / "packages.json", packages)

        return self.store.ensure(self.cluster_item(), make, report)

    def node(self, report: Say) -> Path:
        """A folder with node.tar (for `podman load`), image.json ({"name"}) and packages.json."""

        def make(folder: Path) -> None:
            root = self._root("node", report)
            settings = {"Cmd": ["/sbin/init"], "Labels": {CACHE: "1"}, "StopSignal": "SIGRTMIN+3"}
            image = Image(f"{self.spec.repository}/node", (Layer(root),), self.architecture, settings=settings)
            oci.write_archive(folder / "node.tar", [image])
            _dump(folder / "image.json", {"name": image.name})
            _dump(folder / "packages.json", rootfs.package_versions(root, self.spec.roots["node"].packages))

        return self.store.ensure(self.node_item(), make, report)

    def component(self, name: str, report: Say) -> Path:
        """The folder of a component's executables."""
        component = self.versions.components[name]

        def make(folder: Path) -> None:
            self.source.fetch(component, folder, report)

        return self.store.ensure(self.source.item(component), make, report)

    def _root(self, name: str, report: Say) -> Path:
        def make(folder: Path) -> None:
            spec = self.spec.roots[name]
            rootfs.make_root(spec, self.versions.suite, self.architecture, folder / "root.tar", report)

        return self.store.ensure(self.root_item(name), make, report) / "root.tar"

    def _python(self, spec: PythonSpec, report: Say) -> Path:
        def make(folder: Path) -> None:
            python_layer.make_layer(spec, self.architecture, folder / "layer.tar", report)

        return self.store.ensure(self.python_item(spec), make, report) / "layer.tar"

    def _image(self, spec: ImageSpec, packages: dict[str, str], scratch: Path, report: Say) -> Image:
        layers = []
        if spec.root:
            layers.append(Layer(self._root(spec.root, report)))
        if spec.binary:
            layers.append(Layer(binaries={spec.path: self._binary(spec, scratch, report)}))
        if spec.python:
            layers.append(Layer(self._python(spec.python, report)))
        if spec.files:
            layers.append(Layer(binaries={target: ROOT / source for target, source in spec.files}))
        settings = {"Entrypoint": list(spec.entrypoint)} if spec.entrypoint else {}
        repository = f"{self.spec.repository}/{spec.role}"
        return Image(repository, tuple(layers), self.architecture, tag=self._tag(spec, packages), settings=settings)

    def _binary(self, spec: ImageSpec, scratch: Path, report: Say) -> Path:
        if spec.component:
            return self.component(spec.component, report) / spec.binary
        # A static binary of Debian's, out of the root file system that has its package.
        file = scratch / Path(spec.binary).name
        file.write_bytes(rootfs.read_file(self._root("tools", report), spec.binary))
        return file

    def _tag(self, spec: ImageSpec, packages: dict[str, str]) -> str:
        """The version of what is in the image, as far as a tag can say it: no epoch, no `+` and no `~`."""
        if spec.component:
            return self.versions.components[spec.component].version
        if spec.package:
            return re.sub(r"[^\w.-]", "_", packages[spec.package].split(":")[-1])
        if not spec.root:
            raise HostError(f"Image '{spec.role}' has neither component, package nor root", where="images/images.yml")
        return ""


def _script_digests() -> list[str]:
    return [text_digest(script) for script in _SCRIPTS]


def _dump(path: Path, value: dict[str, str]) -> None:
    path.write_text(json.dumps(value, indent=2, sort_keys=True))
