"""A Vagrant box of our own: Debian's packages and kernel, the bundle, and keys that are known beforehand."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from provision.artifacts import rootfs
from provision.artifacts.bundle import Bundle, Maker
from provision.artifacts.store import Item, dies_with_us, key_of, text_digest
from provision.core import packages
from provision.core.paths import ROOT
from provision.core.run import as_root, run
from provision.core.text import Say
from provision.providers.podman import image as podman_image
from provision.providers.podman.cli import Podman
from provision.providers.podman.provider import PodmanProvider

TREE = ROOT / "images" / "box-tree"
CMD_LINE = "root=/dev/vda rw net.ifnames=0 biosdevname=0 console=ttyS0"
_SIZE_GIB = 10
_TOOLS = ("mke2fs", "qemu-img", "ssh-keygen")
# The machine's disk grows only as it is written to; `discard` is not worth what it costs an emulated one.
_METADATA = {"provider": "libvirt", "format": "qcow2", "virtual_size": _SIZE_GIB}
_VAGRANTFILE = "Vagrant.configure('2') { |config| config.vm.guest = :debian }\n"


@dataclass(frozen=True)
class Box:
    """A box in the cache: `file` for Vagrant, and what a machine of it is booted and reached with."""

    name: str
    file: Path
    kernel: Path
    initrd: Path
    key: Path

    @classmethod
    def at(cls, folder: Path) -> Box:
        """The box that is, or will be, in `folder`."""
        files = (folder / name for name in ("mcastlab.box", "vmlinuz", "initrd.img", "id_ed25519"))
        return cls(folder.name, *files)


def item(maker: Maker) -> Item:
    """The box of this checkout: another one for another bundle, list of packages or script."""
    root, bundle = maker.images.root_item("box").key, maker.item.key
    script = [text_digest(TREE), text_digest(Path(__file__))]
    return Item("mcastlab-box", key_of(root=root, bundle=bundle, script=script), "Vagrant box")


def find() -> Box | None:
    """The box of this checkout where the cache has it; nothing is made."""
    maker = Maker.here()
    box = item(maker)
    return Box.at(maker.store.path(box)) if maker.store.has(box) else None


def ensure(report: Say) -> Box:
    """The box of this checkout, from the cache or made now (about two minutes). Raises HostError or CommandError."""
    maker = Maker.here()
    bundle = maker.ensure(report, Podman())

    def make_root(folder: Path) -> None:
        spec = maker.images.spec.roots["box"]
        rootfs.make_root(spec, maker.versions.suite, maker.images.architecture, folder / "root.tar", report)

    def make(folder: Path) -> None:
        root = maker.store.ensure(maker.images.root_item("box"), make_root, report)
        _make(folder, [root / "root.tar", bundle.path, _unpacked(bundle, report)], report)

    return Box.at(maker.store.ensure(item(maker), make, report))


def _unpacked(bundle: Bundle, report: Say) -> Path:
    """The folder of a containerd that has unpacked the bundle's images: what nodes by Podman begin with as well.

    Unpacking them in a machine that is emulated would be most of what it does.
    """
    podman = Podman()
    image = podman_image.ensure(PodmanProvider.image_maker(podman), bundle.node_image, bundle.path, report)
    return Path(podman.run(["volume", "inspect", "--format", "{{.Mountpoint}}", image.volume]).stdout.strip())


def _make(folder: Path, sources: list[Path], report: Say) -> None:
    if error := packages.missing(_TOOLS):
        raise error
    for name in ("id_ed25519", "host_key"):
        comment = ["-q", "-t", "ed25519", "-N", "", "-C", "mcastlab-box"]
        run(["ssh-keygen", *comment, "-f", str(folder / name)], timeout=30)
    report("The Vagrant box's file system is put together")
    tree, disk, image = folder / "tree", folder / "disk", folder / "box.img"
    tree.mkdir()
    careful = dies_with_us("TERM")
    run([*as_root([*careful, str(TREE)]), str(tree), *map(str, sources), str(folder)], timeout=600)
    mke2fs = ["mke2fs", "-q", "-t", "ext4", "-L", "root", "-d", str(tree), str(disk), f"{_SIZE_GIB}G"]
    run(as_root([*careful, *mke2fs]), timeout=600)
    run(as_root(["rm", "-rf", "--one-file-system", str(tree)]), timeout=120)
    report("The Vagrant box's disk is packed")
    packing = ["-c", "-o", "compression_type=zstd", "-f", "raw", "-O", "qcow2"]
    run(as_root([*careful, "qemu-img", "convert", *packing, str(disk), str(image)]), timeout=600)
    run(as_root(["rm", "-f", str(disk)]), timeout=60)
    (folder / "metadata.json").write_text(json.dumps(_METADATA))
    (folder / "Vagrantfile").write_text(_VAGRANTFILE)
    content = ["metadata.json", "Vagrantfile", "box.img"]
    run(["tar", "-C", str(folder), "-cf", str(folder / "mcastlab.box"), *content], timeout=600)
    run(as_root(["rm", "-f", *(str(folder / name) for name in (*content, "host_key"))]), timeout=60)
