"""Images from a registry, where one can be reached: only when the user asks for it, never in the course of `up`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from provision.artifacts.imported import KINDS, Imported, import_archive
from provision.artifacts.store import Store
from provision.artifacts.versions import load_versions
from provision.core import packages
from provision.core.errors import CommandError, HostError, InputError
from provision.core.run import run
from provision.core.text import Say

_SECONDS = 600.0


def fetch(kind: str, report: Say) -> Imported:
    """Pull the pinned image of `kind` and import it.

    Raises InputError for a kind that there is not, and HostError where no registry can be reached.
    """
    if kind not in KINDS:
        raise InputError(f"There is no kind of image '{kind}'", remedy=f"Choose one of: {', '.join(KINDS)}")
    if error := packages.missing(["skopeo"], otherwise=_elsewhere(kind)):
        raise error
    reference = load_versions().pulled[kind]
    temporary = Store.of_user().home / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=temporary) as folder:
        archive = Path(folder) / "image.tar"
        report(f"Image '{reference}' is pulled from its registry")
        try:
            run(["skopeo", "copy", f"docker://{reference}", f"docker-archive:{archive}:{reference}"], timeout=_SECONDS)
        except CommandError as error:
            raise HostError(
                f"The image '{reference}' could not be pulled", detail=error.detail, remedy=_elsewhere(kind)
            ) from error
        return import_archive(archive, kind, report)


def _elsewhere(kind: str) -> str:
    return (
        f"run `podman save -o {kind}.tar IMAGE` where there is a registry, bring the file here, and run"
        f" `mcastlab artifacts import {kind}.tar`"
    )
