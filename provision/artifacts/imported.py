"""Images that the user brings: archives imported into the cache, whole or absent, by the digest of what is in them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from provision.artifacts.archive import Archive, ArchivedImage, opened
from provision.artifacts.golang import architecture
from provision.artifacts.store import Item, Store
from provision.core.errors import InputError
from provision.core.files import read_whole, write_whole
from provision.core.text import Say, named

_FOLDER = "imported"
_ABOUT = "image.json"
_ARCHIVE = "image.tar"


@dataclass(frozen=True)
class Kind:
    """What can be imported: by the repository's name it is recognised, by a file in it that it is what we need."""

    repository: str
    file: str
    without: str


KINDS: Mapping[str, Kind] = {
    "multus": Kind(
        "multus-cni",
        "usr/src/multus-cni/bin/multus-daemon",
        "Take the thick plug-in's image, whose tag ends in '-thick': it is that one's daemon which runs in the lab",
    )
}


@dataclass(frozen=True)
class Imported:
    """An image in the cache: its archive, the name it has there, and what it was called where it came from."""

    archive: Path
    reference: str
    origin: str
    digest: str


def import_archive(path: Path, wanted: str, report: Say) -> Imported:
    """Check the archive at `path` and copy its image into the cache, as the one of its kind that is used from now on.

    `wanted` is a key of KINDS, or empty to recognise the image by its repository's name. Raises InputError for an
    archive that is not what it should be; the cache is then as it was.
    """
    if wanted and wanted not in KINDS:
        raise InputError(f"There is no kind of image '{wanted}'", remedy=f"Choose one of: {', '.join(KINDS)}")
    with opened(path) as archive:
        kind, image = _recognised(archive, wanted)
        digest = archive.check(image, architecture())
        if not archive.holds(image, KINDS[kind].file):
            raise archive.wrong(f"The image has no file '/{KINDS[kind].file}'", KINDS[kind].without)
        store, item = Store.of_user(), _item(kind, digest)
        reference = f"localhost/mcastlab/{KINDS[kind].repository}:{digest[:12]}"
        origin = next(iter(image.names), path.name)

        def make(folder: Path) -> None:
            with (folder / _ARCHIVE).open("wb") as stream:
                archive.write(image, [reference], stream)
            about = {"reference": reference, "origin": origin, "digest": digest}
            (folder / _ABOUT).write_text(json.dumps(about, indent=2) + "\n")

        store.ensure(item, make, report)
    write_whole(_pointer(store, kind), digest + "\n")
    found = find(kind)
    assert found is not None  # noqa: S101 - it was made just now
    return found


def find(kind: str) -> Imported | None:
    """The image of this kind that was imported last; None where there is none, or its files have changed since.

    Raises HostError where nobody can say which it was.
    """
    store = Store.of_user()
    try:
        digest = read_whole(_pointer(store, kind), "Remove it, and import the image again").strip()
    except FileNotFoundError:
        return None
    item = _item(kind, digest)
    if not store.has(item):
        return None
    folder = store.path(item)
    about = json.loads((folder / _ABOUT).read_text())
    return Imported(folder / _ARCHIVE, about["reference"], about["origin"], about["digest"])


def listing() -> list[tuple[str, str, str]]:
    """(kind, what it was called, state in the cache) for `mcastlab artifacts list`."""
    rows = []
    for kind in KINDS:
        found = find(kind)
        state = f"imported, {found.archive.parent}" if found else "not imported"
        rows.append((f"{kind} (image)", found.origin if found else "", state))
    return rows


def _recognised(archive: Archive, wanted: str) -> tuple[str, ArchivedImage]:
    images = archive.images(architecture())
    for kind in [wanted] if wanted else KINDS:
        for image in images:
            if image.is_named(KINDS[kind].repository):
                return kind, image
    if wanted and len(images) == 1:
        return wanted, images[0]
    names = named(name for image in images for name in image.names) or "images without a name"
    known = named(kind.repository for kind in KINDS.values())
    remedy = "Save the one image alone" if wanted else f"Say what it is: `--as {next(iter(KINDS))}`"
    raise archive.wrong(f"It holds no image whose repository is named {known}; it holds {names}", remedy)


def _item(kind: str, digest: str) -> Item:
    return Item(kind, digest[:16], f"image '{kind}'", folder=_FOLDER)


def _pointer(store: Store, kind: str) -> Path:
    return store.home / _FOLDER / f"{kind}.current"
