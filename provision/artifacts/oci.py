"""Container images as one archive, written without any container tool: the same input gives the same bytes.

The archive is an OCI image layout (image-layout.md of the OCI image specification) that also carries Docker's
manifest.json, so that containerd, Podman and Docker all read it. Layers are not compressed: they travel no network,
and decompressing would be most of the time of an import.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO, Any

_CHUNK = 1 << 20
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_INDEX = "application/vnd.oci.image.index.v1+json"
# One moment for all that is made, so that a second build gives the same digests.
EPOCH = 1767225600
_CREATED = "2026-01-01T00:00:00Z"
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Layer:
    """A tar archive: a `file` that is one already, or `binaries` (target in the image to file) as root's, 0755."""

    file: Path | None = None
    binaries: Mapping[str, Path] = field(default_factory=dict)

    def chunks(self) -> Iterator[bytes]:
        """The archive's bytes."""
        if self.file:
            yield from _read(self.file)
            return
        for parent in sorted({str(p) for target in self.binaries for p in Path(target).parents if str(p) != "."}):
            yield _header(parent, None)
        for target, source in sorted(self.binaries.items()):
            size = source.stat().st_size
            yield _header(target, size)
            yield from _read(source)
            yield bytes(-size % tarfile.BLOCKSIZE)
        yield bytes(2 * tarfile.BLOCKSIZE)

    @cached_property
    def blob(self) -> tuple[str, int]:
        """(SHA-256, bytes)."""
        digest, size = hashlib.sha256(), 0
        for chunk in self.chunks():
            digest.update(chunk)
            size += len(chunk)
        return digest.hexdigest(), size


@dataclass(frozen=True)
class Image:
    """An image: its layers from the bottom up, and what it runs; `tag` empty means a digest of the content."""

    repository: str
    layers: tuple[Layer, ...]
    architecture: str
    tag: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def config(self) -> bytes:
        """The image's configuration, which names its layers by content."""
        return _json(
            {
                "architecture": self.architecture,
                "os": "linux",
                "created": _CREATED,
                "config": {"Env": [_PATH], **self.settings},
                "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer.blob[0]}" for layer in self.layers]},
                "history": [{"created": _CREATED, "created_by": "mcastlab"} for _ in self.layers],
            }
        )

    @property
    def name(self) -> str:
        """Repository and tag."""
        return f"{self.repository}:{self.tag or _digest(self.config)[:12]}"

    @property
    def manifest(self) -> bytes:
        layers = [{"mediaType": _LAYER, "digest": f"sha256:{d}", "size": n} for d, n in (x.blob for x in self.layers)]
        return _json(
            {"schemaVersion": 2, "mediaType": _MANIFEST, "config": _descriptor(self.config, _CONFIG), "layers": layers}
        )


def write_archive(path: Path, images: Sequence[Image]) -> None:
    """Write all `images` into one archive at `path`; a layer that several have is in it once."""
    small = {f"blobs/sha256/{_digest(data)}": data for image in images for data in (image.config, image.manifest)}
    small |= {
        "oci-layout": _json({"imageLayoutVersion": "1.0.0"}),
        "index.json": _json(_index(images)),
        "manifest.json": _json([_docker(image) for image in images]),
    }
    layers = {layer.blob: layer for image in images for layer in image.layers}
    with path.open("wb") as stream:
        for name, data in sorted(small.items(), reverse=True):
            _write(stream, name, len(data), [data])
        for (digest, size), layer in layers.items():
            _write(stream, f"blobs/sha256/{digest}", size, layer.chunks())
        stream.write(bytes(2 * tarfile.BLOCKSIZE))


def _write(stream: IO[bytes], name: str, size: int, chunks: Iterable[bytes]) -> None:
    stream.write(_header(name, size))
    for chunk in chunks:
        stream.write(chunk)
    stream.write(bytes(-size % tarfile.BLOCKSIZE))


def _index(images: Sequence[Image]) -> dict[str, Any]:
    manifests = []
    for image in images:
        names = {"io.containerd.image.name": image.name, "org.opencontainers.image.ref.name": image.name.split(":")[-1]}
        platform = {"architecture": image.architecture, "os": "linux"}
        manifests.append({**_descriptor(image.manifest, _MANIFEST), "annotations": names, "platform": platform})
    return {"schemaVersion": 2, "mediaType": _INDEX, "manifests": manifests}


def _docker(image: Image) -> dict[str, Any]:
    return {
        "Config": f"blobs/sha256/{_digest(image.config)}",
        "RepoTags": [image.name],
        "Layers": [f"blobs/sha256/{layer.blob[0]}" for layer in image.layers],
    }


def _descriptor(data: bytes, media_type: str) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": f"sha256:{_digest(data)}", "size": len(data)}


def _header(name: str, size: int | None) -> bytes:
    """A tar header: of a folder where `size` is None, else of a file of that many bytes."""
    info = tarfile.TarInfo(name)
    info.mode, info.mtime = 0o755, EPOCH
    if size is None:
        info.type = tarfile.DIRTYPE
    else:
        info.size = size
    return info.tobuf(tarfile.USTAR_FORMAT)


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
