"""Image archives that users bring: docker-archive or OCI layout in a tar, checked whole before anything is kept."""

from __future__ import annotations

import gzip
import hashlib
import json
import tarfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Any, Protocol

from provision.core.errors import InputError

_CHUNK = 1 << 20
_SMALL = 8 << 20  # no manifest or configuration is larger
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_AGAIN = "Save or download it again"
_NAMES = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
_INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")


class SupportsWrite(Protocol):
    """What an archive can be written to: a file, or the input of a command."""

    def write(self, data: bytes, /) -> int: ...


@dataclass(frozen=True)
class ArchivedImage:
    """An image of an archive: the names it is tagged with, the members with its configuration and layers."""

    names: tuple[str, ...]
    config: str
    layers: tuple[str, ...]

    def is_named(self, repository: str) -> bool:
        """Whether it is tagged with a repository whose last part is `repository`."""
        return any(_repository(name) == repository for name in self.names)


class Archive:
    """An open archive; every method raises InputError, with the file, for what is wrong in it."""

    def __init__(self, where: str, tar: tarfile.TarFile) -> None:
        self.where = where
        self._tar = tar
        self._members = {member.name.removeprefix("./"): member for member in tar.getmembers()}

    def images(self, architecture: str) -> list[ArchivedImage]:
        """All images; of one made for several architectures, the one for `architecture`."""
        if "manifest.json" in self._members:
            return [
                ArchivedImage(tuple(item.get("RepoTags") or ()), item["Config"], tuple(item["Layers"]))
                for item in self._json("manifest.json")
            ]
        if "index.json" in self._members:
            return [self._described(item, architecture) for item in self._json("index.json")["manifests"]]
        raise self.wrong("It is no archive of an image: neither manifest.json nor index.json is in it")

    def check(self, image: ArchivedImage, architecture: str) -> str:
        """Read all of `image` and compare it with its digests; the SHA-256 of its configuration."""
        config = self._read(image.config)
        described = json.loads(config)
        if described.get("architecture") != architecture:
            raise self.wrong(
                f"The image is for '{described.get('architecture')}', and this machine is '{architecture}'",
                f"Take the one that is made for '{architecture}'",
            )
        expected = described["rootfs"]["diff_ids"]
        if len(expected) != len(image.layers):
            raise self.wrong(f"The image has {len(image.layers)} layers, and its configuration names {len(expected)}")
        for name, digest in zip(image.layers, expected, strict=True):
            with self._layer(name) as stream:
                if f"sha256:{_sha256(stream)}" != digest:
                    raise self.wrong(f"Layer '{name}' is damaged: its SHA-256 is not the one in the configuration")
        return hashlib.sha256(config).hexdigest()

    def holds(self, image: ArchivedImage, file: str) -> bool:
        """Whether a layer of `image` has `file`."""
        for name in image.layers:
            with self._layer(name) as stream, tarfile.open(fileobj=stream, mode="r|") as layer:
                if any(member.name.removeprefix("./").removeprefix("/") == file for member in layer):
                    return True
        return False

    def size(self, image: ArchivedImage) -> int:
        """The bytes of its layers, as they are in the archive."""
        return sum(self._member(layer).size for layer in image.layers)

    def write(self, image: ArchivedImage, names: Sequence[str], target: SupportsWrite) -> None:
        """Write `image` alone, tagged `names`, as a docker-archive.

        The manifest comes last: what is cut off is no image to anybody who reads it.
        """
        manifest = [{"Config": "config.json", "RepoTags": [*names], "Layers": _numbered(image)}]
        with tarfile.open(fileobj=target, mode="w|") as tar:  # type: ignore[call-overload]
            config = self._read(image.config)
            _add(tar, "config.json", len(config), BytesIO(config))
            for file, layer in zip(_numbered(image), image.layers, strict=True):
                _add(tar, file, self._member(layer).size, self._open(layer))
            document = json.dumps(manifest).encode()
            _add(tar, "manifest.json", len(document), BytesIO(document))

    def wrong(self, problem: str, remedy: str = "") -> InputError:
        """The error for something in this archive."""
        return InputError(problem, where=self.where, remedy=remedy or _AGAIN)

    def _described(self, descriptor: Mapping[str, Any], architecture: str) -> ArchivedImage:
        """The image that a descriptor of an OCI layout is about."""
        annotations = descriptor.get("annotations") or {}
        names = tuple(annotations[key] for key in _NAMES if key in annotations)
        document = json.loads(self._read(_blob(descriptor)))
        if descriptor.get("mediaType") in _INDEXES:
            fitting = [d for d in document["manifests"] if d.get("platform", {}).get("architecture") == architecture]
            if not fitting:
                raise self.wrong(f"The image is not there for this machine's architecture, '{architecture}'")
            document = json.loads(self._read(_blob(fitting[0])))
        return ArchivedImage(names, _blob(document["config"]), tuple(_blob(layer) for layer in document["layers"]))

    def _json(self, name: str) -> Any:
        return json.loads(self._read(name))

    def _read(self, name: str) -> bytes:
        if self._member(name).size > _SMALL:
            raise self.wrong(f"'{name}' in it is too large to be what it should be")
        return self._open(name).read()

    def _member(self, name: str) -> tarfile.TarInfo:
        member = self._members.get(name)
        for _ in range(3):  # `docker save` of old wrote a layer that several images share as a link
            if member is None or not (member.issym() or member.islnk()):
                break
            member = self._members.get(_linked(member))
        if member is None or not member.isfile():
            raise self.wrong(f"'{name}' is missing in it")
        return member

    def _open(self, name: str) -> IO[bytes]:
        stream = self._tar.extractfile(self._member(name))
        assert stream is not None  # noqa: S101 - a file has one
        return stream

    @contextmanager
    def _layer(self, name: str) -> Iterator[IO[bytes]]:
        """The layer's tar, unpacked where it is compressed."""
        stream = self._open(name)
        head = stream.read(4)
        stream.seek(0)
        if head == _ZSTD:
            raise self.wrong("Its layers are compressed with zstd", "Save it with gzip, or as a docker-archive")
        if head.startswith(_GZIP):
            with gzip.open(stream) as unpacked:
                yield unpacked  # type: ignore[misc]
        else:
            yield stream


@contextmanager
def opened(path: Path, called: str = "") -> Iterator[Archive]:
    """The archive at `path`; whatever is wrong with it, also while it is read, is an InputError.

    That names the file, or what it is `called` where a user does not know the file.
    """
    where = called or str(path)
    if not path.is_file():
        raise InputError("There is no such file", where=where, remedy="Name an archive: `podman save -o FILE IMAGE`")
    try:
        with tarfile.open(path, "r:*") as tar:
            yield Archive(where, tar)
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        reason = str(error).partition(":\n")[0]  # tarfile lists what each of its methods says
        raise InputError(f"It is no tar archive, or a damaged one: {reason}", where=where, remedy=_AGAIN) from error
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise InputError(f"It is no archive of an image: {error!r}", where=where, remedy=_AGAIN) from error
    except PermissionError as error:
        raise InputError("It cannot be read", where=where, remedy="Allow yourself to read it") from error


def _repository(name: str) -> str:
    """The last part of an image name's repository."""
    return name.partition("@")[0].rpartition("/")[2].partition(":")[0]


def _blob(descriptor: Mapping[str, Any]) -> str:
    return "blobs/" + str(descriptor["digest"]).replace(":", "/")


def _linked(member: tarfile.TarInfo) -> str:
    if member.islnk():
        return member.linkname
    parts = [*Path(member.name).parent.parts, *Path(member.linkname).parts]
    path: list[str] = []
    for part in parts:
        path = path[:-1] if part == ".." else [*path, part]
    return "/".join(path)


def _numbered(image: ArchivedImage) -> list[str]:
    return [f"layer-{number}.tar" for number in range(len(image.layers))]


def _add(tar: tarfile.TarFile, name: str, size: int, stream: IO[bytes]) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o644
    tar.addfile(info, stream)


def _sha256(stream: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while chunk := stream.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()
