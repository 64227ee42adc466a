"""What was named as an image: an archive, a layout's folder, standard input, or an image of podman's or docker's."""

from __future__ import annotations

import os
import select
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

from provision.core.errors import HostError, InputError
from provision.core.hints import making
from provision.core.text import Say
from provision.load import engines

STDIN = "-"
_CHUNK = 1 << 20
_SILENT_SECONDS = 600.0
_ENDINGS = (".tar", ".tgz", ".gz", ".oci")


@dataclass(frozen=True)
class Source:
    """An archive's file, and what the user knows it by."""

    file: Path
    called: str


def find(name: str, scratch: Path, report: Say) -> Source:
    """The archive of what was named, made in `scratch` where it is no file; raises InputError or HostError."""
    path, made = Path(name), scratch / "image.tar"
    if name == STDIN:
        return _copied(sys.stdin.fileno(), made, "standard input")
    if path.is_fifo():
        with path.open("rb") as stream:
            return _copied(stream.fileno(), made, name)
    if path.is_dir():
        return _packed(path, made)
    if path.exists() or name.startswith((".", "/", "~")) or name.endswith(_ENDINGS):
        return Source(path, name)
    return Source(made, f"image '{name}' of {engines.save(name, made, report)}")


def _copied(handle: int, target: Path, called: str) -> Source:
    if os.isatty(handle):
        raise InputError(
            "Standard input is a terminal, and no archive of an image",
            remedy="Pipe one in: `podman save IMAGE`, piped into `mcastlab load -`",
        )
    with making(f"The copy of {called}"), target.open("wb") as stream:
        while chunk := _next(handle, called):
            stream.write(chunk)
    if target.stat().st_size == 0:
        raise InputError("Nothing came", where=called, remedy="See what the command says that was to write it")
    return Source(target, called)


def _next(handle: int, called: str) -> bytes:
    """What comes next, empty at the end."""
    if not select.select([handle], [], [], _SILENT_SECONDS)[0]:
        raise HostError(
            f"Nothing came for {_SILENT_SECONDS:.0f} s", where=called, remedy="See why what writes it hangs"
        )
    return os.read(handle, _CHUNK)


def _packed(folder: Path, target: Path) -> Source:
    """The OCI layout that a folder is, as an archive."""
    with making(f"The archive of '{folder}'"), tarfile.open(target, "w") as tar:
        for path in sorted(folder.rglob("*")):
            tar.add(path, path.relative_to(folder), recursive=False)
    return Source(target, str(folder))
