"""Small images of the tests' own, as archives of each kind that users bring."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path

from provision.artifacts.golang import architecture
from provision.artifacts.oci import Image, Layer, write_archive

PAUSE = Path("/usr/bin/catatonit")  # static, and what `pause` is made of


def write(path: Path, *names: str, machine: str = "", binary: Path = PAUSE) -> Path:
    """An archive of an image that waits, once for each of `names`; what it says of itself makes it unlike any other."""
    images = []
    for name in names:
        repository, _, tag = name.rpartition(":")
        settings = {"Entrypoint": ["/pause", "-P"], "Labels": {"of": path.name}}
        layers = (Layer(binaries={"pause": binary}),)
        images.append(Image(repository, layers, machine or architecture(), tag, settings))
    write_archive(path, images)
    return path


def layout(archive: Path, target: Path) -> Path:
    """The same as an OCI layout alone, as buildx and skopeo write it, compressed."""
    with tarfile.open(archive) as tar, tarfile.open(target, "w:gz") as out:
        for member in tar:
            if member.name != "manifest.json":
                out.addfile(member, tar.extractfile(member))
    return target


def docker(target: Path, names: list[str] | None, layer: bytes = b"") -> Path:
    """A docker-archive as `docker save` wrote it before it knew OCI."""
    layer = layer or gzip.compress(b"", mtime=0)
    digest = hashlib.sha256(gzip.decompress(layer) if layer[:2] == b"\x1f\x8b" else layer).hexdigest()
    rootfs = {"type": "layers", "diff_ids": [f"sha256:{digest}"]}
    config = json.dumps({"architecture": architecture(), "os": "linux", "rootfs": rootfs}).encode()
    manifest = json.dumps([{"Config": "c.json", "RepoTags": names, "Layers": ["l/layer.tar"]}]).encode()
    with tarfile.open(target, "w") as tar:
        for name, data in (("c.json", config), ("manifest.json", manifest), ("l/layer.tar", layer)):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return target
