"""Images that were named: found, read and checked whole before any node is touched, then sent."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from provision.artifacts.archive import Archive, ArchivedImage, opened
from provision.artifacts.golang import architecture
from provision.artifacts.store import Store
from provision.core.progress import Progress
from provision.hosts.process import Input
from provision.load import names
from provision.load.sources import Source, find

_MB = 1e6


@dataclass(frozen=True)
class Wanted:
    """An image that was checked: its names in full, its configuration's SHA-256, and its layers' size in MB."""

    source: Source
    image: ArchivedImage
    names: tuple[str, ...]
    config: str
    size: float

    def send(self, progress: Progress, target: Input) -> None:
        """Write it as an archive of its own, and tell how much of it is done."""
        with opened(self.source.file, self.source.called) as archive:
            archive.write(self.image, self.names, _Told(self, progress, target))
        progress.now(f"{self.names[0]}: containerd unpacks it")


def read(name: str, called: str, scratch: ExitStack, progress: Progress) -> list[Wanted]:
    """All images of what was named; `called` takes the place of the name that the only one has.

    `scratch` keeps copies until it is closed. Raises InputError for what is no image, or none for this machine.
    """
    source = find(name, _folder(scratch), progress.report)
    progress.report(f"What {source.called} holds is read and checked")
    with opened(source.file, source.called) as archive:
        images = archive.images(architecture())
        if not images:
            raise archive.wrong("There is no image in it")
        if called and len(images) > 1:
            raise archive.wrong(f"There are {len(images)} images in it, and one name for them", "Leave out --as")
        return [_checked(source, archive, image, called) for image in images]


def _folder(scratch: ExitStack) -> Path:
    """A folder for copies, which can be large; those of commands that were killed are removed first."""
    home = Store.of_user().home / "tmp"
    home.mkdir(parents=True, exist_ok=True)
    for stale in home.glob("load.*"):
        if not Path("/proc", stale.name.split(".")[1]).exists():
            shutil.rmtree(stale, ignore_errors=True)
    return Path(scratch.enter_context(tempfile.TemporaryDirectory(dir=home, prefix=f"load.{os.getpid()}.")))


def _checked(source: Source, archive: Archive, image: ArchivedImage, called: str) -> Wanted:
    known = [names.full(called)] if called else names.of_image(archive, image)
    return Wanted(source, image, tuple(known), archive.check(image, architecture()), archive.size(image) / _MB)


@dataclass(frozen=True)
class _Told:
    """Passes on what is written, and tells how much that is."""

    item: Wanted
    progress: Progress
    target: Input

    def write(self, data: bytes) -> int:
        self.progress.now(f"{self.item.names[0]}: {self.target.sent / _MB:.0f} of {self.item.size:.0f} MB")
        return self.target.write(data)
