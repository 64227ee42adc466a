"""What the commands of `mcastlab artifacts` do."""

from __future__ import annotations

from pathlib import Path

from provision import artifacts
from provision.core import tables
from provision.core.errors import InputError
from provision.core.progress import Progress, Verbosity, console
from provision.providers.podman.cli import Podman


def build(verbosity: Verbosity, *, with_box: bool = False) -> None:
    """Make what is not in the cache yet, with a Vagrant box if asked, and print where it is."""
    progress = Progress(console(stderr=True), verbosity)
    if with_box:
        from provision.providers.vagrant import box

        with progress.stage("box") as line:
            made = box.ensure(progress.report)
            line.summary = made.name
        print(made.file)
        return
    with progress.stage("artifacts") as line:
        bundle = artifacts.ensure(progress.report, Podman())
        line.summary = f"{bundle.source}: {bundle.reason}"
    print(bundle.path)


def import_image(archive: Path, kind: str) -> None:
    """Import an image's archive and print what it is called from now on."""
    progress = Progress(console(stderr=True), Verbosity.NORMAL)
    with progress.stage("import") as line:
        image = artifacts.import_archive(archive, kind, progress.report)
        line.summary = f"{image.origin}, kept as {image.reference}"


def fetch(kind: str) -> None:
    """Pull an image and print what it is called from now on."""
    progress = Progress(console(stderr=True), Verbosity.NORMAL)
    with progress.stage("fetch") as line:
        image = artifacts.fetch(kind, progress.report)
        line.summary = f"{image.origin}, kept as {image.reference}"


def show_image(role: str) -> None:
    """Print an image's reference; raises InputError for one that there is not."""
    images: dict[str, str] = artifacts.document()["images"]
    if role not in images:
        raise InputError(f"There is no image '{role}'", remedy=f"Name one of: {', '.join(sorted(images))}")
    print(images[role])


def show() -> None:
    """Print each component with its version and place."""
    console().print(tables.table(("component", "version", "state"), artifacts.listing()))
