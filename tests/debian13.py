"""The node's packages on Debian 13, as an image for hosts that a test treats as bare metal; made once and kept."""

from __future__ import annotations

import tempfile
from pathlib import Path

from provision.artifacts import golang, rootfs
from provision.artifacts.versions import load_images
from provision.core.labels import CACHE
from provision.core.paths import cache_dir
from provision.providers.podman.cli import Podman

SUITE = "trixie"


def image() -> str:
    """The image's name in mcastlab's Podman storage; takes about a minute the first time."""
    spec, podman, architecture = load_images().roots["node"], Podman(), golang.architecture()
    name = f"localhost/mcastlab/test-debian13:{rootfs.root_key(spec, SUITE, architecture)}"
    if not podman.has_image(name):
        scratch = cache_dir() / "tmp"
        scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=scratch) as folder:
            archive = Path(folder) / "root.tar"
            rootfs.make_root(spec, SUITE, architecture, archive, lambda _line: None)
            changes = [f"--change=LABEL {CACHE}=1", "--change=STOPSIGNAL SIGRTMIN+3"]
            podman.run(["import", *changes, str(archive), name], timeout=300)
    return name
